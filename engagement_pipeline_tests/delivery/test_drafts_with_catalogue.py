"""A catalogue on its way from the settings into the briefs that drafts are written by."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import pytest
from pydantic import SecretStr

from engagement_pipeline.copywriting import keeping
from engagement_pipeline.copywriting.brief import Brief
from engagement_pipeline.copywriting.catalogue import Catalogue, CatalogueError, ListedOffer
from engagement_pipeline.copywriting.copy import Text
from engagement_pipeline.copywriting.template import TemplateCopywriter
from engagement_pipeline.delivery.drafts import DraftReport, write_drafts
from engagement_pipeline.delivery.outbox import OutboxMailer
from engagement_pipeline.delivery.previewing import Previewer
from engagement_pipeline.pipeline import Pipeline
from engagement_pipeline.platform.settings import PROJECT_ROOT, Settings
from engagement_pipeline.platform.sql import Database
from engagement_pipeline.scoring.population import publish_population
from engagement_pipeline.users.models import Order, OrderStatus
from engagement_pipeline_tests.conftest import NOW
from engagement_pipeline_tests.delivery.parts import SECRET, silent_user
from engagement_pipeline_tests.delivery.sql_stores import sql_stores
from engagement_pipeline_tests.delivery.test_drafts import BRAND, Rooms

CATALOGUE_FILE = PROJECT_ROOT / "data" / "catalogue.yaml"
USERS = tuple(f"u{number:05}" for number in range(6))


class Offering(TemplateCopywriter):
    """Says what there is to offer, where there is anything."""

    def write(self, briefs: Sequence[Brief], numbers: Sequence[int] | None = None) -> list[Text]:
        return [
            Text(text.copy.model_copy(update={"paragraphs": _said(brief) + text.copy.paragraphs[-2:]}), self.name)
            for brief, text in zip(briefs, super().write(briefs), strict=True)
        ]


def _said(brief: Brief) -> tuple[str, ...]:
    return tuple(f"There is something for you: {offer.text}." for offer in brief.offers)


class Reading(TemplateCopywriter):
    """Keeps the briefs that it was given."""

    def write(self, briefs: Sequence[Brief], numbers: Sequence[int] | None = None) -> list[Text]:
        self.read = list(briefs)
        return super().write(briefs, numbers)


def briefs(con: duckdb.DuckDBPyConnection, database: Database, catalogue_file: Path | None) -> list[Brief]:
    rooms = Rooms(con, database)
    rooms.parts.add_users([silent_user(number) for number in range(3)], NOW)
    rooms.decide(NOW, full=True)
    settings = Settings(catalogue_file=catalogue_file)
    copywriter = Reading(BRAND)
    catalogue = Pipeline(settings).catalogue
    report = write_drafts(con, rooms.parts.ledger, copywriter, BRAND, settings, NOW, full=True, catalogue=catalogue)
    assert report.written == 3
    return copywriter.read


def test_without_the_setting_nothing_may_be_named(con: duckdb.DuckDBPyConnection, database: Database) -> None:
    assert not any(brief.items or brief.offers for brief in briefs(con, database, None))


def test_a_brief_has_the_items_of_its_categories_and_the_offers_of_the_day(
    con: duckdb.DuckDBPyConnection, database: Database, tmp_path: Path
) -> None:
    file = tmp_path / "catalogue.yaml"
    yesterday, today = NOW.date() - timedelta(days=1), NOW.date()
    file.write_text(
        "items: [{sku: DR-1, name: Linen Dress, category: dresses}, {sku: SH-1, name: Loafer, category: shoes}]\n"
        f"offers: [{{id: over, text: All of it 5% off, until: {yesterday}}},"
        f" {{id: now, text: Free shipping on your next order, until: {today}}}]\n",
        encoding="utf-8",
    )
    for brief in briefs(con, database, file):
        assert [item.sku for item in brief.items] == ["DR-1"]
        assert [offer.id for offer in brief.offers] == ["now"]


def test_what_was_bought_last_is_the_same_to_a_run_and_to_a_preview(
    con: duckdb.DuckDBPyConnection, database: Database
) -> None:
    rooms = Rooms(con, database)
    last, before = NOW - timedelta(days=90), NOW - timedelta(days=120)
    rooms.parts.add_users([silent_user(number) for number in range(6)], NOW)
    rooms.parts.store.put_orders(
        [
            bought("o2", "u00001", last, "DR-101", "SH-701"),
            bought("o1", "u00001", last, "AC-801", "unheard-of"),
            bought("o3", "u00002", before, "DR-101"),
            bought("o4", "u00003", last, "DR-101", "DR-101", "TO-201"),
            bought("o5", "u00003", last + timedelta(days=1), "KN-301", status=OrderStatus.RETURNED),
            bought("o6", "u00004", last, "DR-102", status=OrderStatus.CANCELLED),
            bought("o7", "u00005", last + timedelta(seconds=1), "DR-103"),
        ],
        NOW,
    )
    rooms.decide(NOW, full=True)
    publish_population(con, database, NOW)
    settings = Settings(catalogue_file=CATALOGUE_FILE, secret_key=SecretStr(SECRET))
    catalogue = Pipeline(settings).catalogue
    writer = TemplateCopywriter(BRAND)
    previewer = Previewer(settings, sql_stores(database), writer, "no key", BRAND, catalogue)
    previewed = {user_id: previewer.preview(user_id, NOW).brief for user_id in USERS}
    write_drafts(con, rooms.parts.ledger, writer, BRAND, settings, NOW, full=True, catalogue=catalogue)
    written = {user_id: keeping.read(row.provenance).known() for user_id, row in rooms.parts.rows().items()}
    assert written == previewed
    assert {user_id: [item.sku for item in brief.last_items] for user_id, brief in previewed.items()} == {
        "u00000": [],
        "u00001": ["AC-801", "DR-101"],
        "u00002": [],
        "u00003": ["DR-101", "TO-201"],
        "u00004": [],
        "u00005": ["DR-103"],
    }


def bought(order_id: str, user_id: str, at: datetime, *skus: str, status: OrderStatus = OrderStatus.DELIVERED) -> Order:
    return Order(order_id=order_id, user_id=user_id, ordered_at=at, total_value=50.0, skus=skus, status=status)


def test_a_fault_in_the_file_is_named_before_anything_is_written(tmp_path: Path) -> None:
    file = tmp_path / "catalogue.yaml"
    file.write_text("items: 7\n", encoding="utf-8")
    with pytest.raises(CatalogueError, match=r"catalogue\.yaml: items: "):
        _ = Pipeline(Settings(catalogue_file=file)).catalogue


def test_what_an_offer_promised_is_not_sent_when_it_has_ended_and_is_written_anew(
    con: duckdb.DuckDBPyConnection, database: Database, tmp_path: Path
) -> None:
    rooms = Rooms(con, database)
    users = [f"u{number:05}" for number in range(5)]
    rooms.parts.add_users([silent_user(number) for number in range(5)], NOW)
    offer = ListedOffer(id="now", text="Free shipping on your next order", until=NOW.date())

    def draft(now: datetime) -> DraftReport:
        rooms.decide(now, full=True)
        catalogue = Catalogue(offers=(offer,))
        return write_drafts(
            con, rooms.parts.ledger, Offering(BRAND), BRAND, Settings(), now, full=True, catalogue=catalogue
        )

    assert (draft(NOW).written, draft(NOW).replaced) == (5, 0)
    assert {row.last_day for row in rooms.parts.rows().values()} == {NOW.date()}
    tomorrow = NOW + timedelta(days=1)
    assert draft(tomorrow).existing == 5
    skipped = rooms.parts.sender(OutboxMailer(tmp_path)).run(lambda: tomorrow).skipped_by_reason
    assert skipped == {"offer_ended": 5}

    assert draft(tomorrow).written == 5
    assert {(row.step, row.last_day) for row in rooms.parts.rows().values()} == {(2, None)}
    assert rooms.parts.sender(OutboxMailer(tmp_path)).run(lambda: tomorrow).sent == 5
    assert rooms.parts.statuses() == dict.fromkeys(users, "delivered")


def test_the_example_can_be_set() -> None:
    assert Pipeline(Settings(catalogue_file=CATALOGUE_FILE)).catalogue is not None
