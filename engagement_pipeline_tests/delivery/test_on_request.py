"""Writing to one person now: the same gate, one open e-mail at a time, and nothing set aside but what somebody said."""

import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from engagement_pipeline.cohorts.reasons import Reason
from engagement_pipeline.copywriting import keeping
from engagement_pipeline.copywriting.approvals import Approval, Verdict
from engagement_pipeline.copywriting.brief import Brief
from engagement_pipeline.copywriting.catalogue import Catalogue, Item, ListedOffer
from engagement_pipeline.copywriting.copy import Copywriter, Text
from engagement_pipeline.copywriting.edition import edition_of
from engagement_pipeline.copywriting.template import TemplateCopywriter
from engagement_pipeline.delivery import approving, suppressions
from engagement_pipeline.delivery.on_request import NoSuchUserError, Requested, Writing, request_email
from engagement_pipeline.delivery.outbox import OutboxMailer
from engagement_pipeline.delivery.send_report import SendReport
from engagement_pipeline.delivery.stores import stores_for
from engagement_pipeline.delivery.tables import emails
from engagement_pipeline.platform import published
from engagement_pipeline.platform.audit import audit_log
from engagement_pipeline.platform.change_log import change_log, newest
from engagement_pipeline.platform.settings import Settings
from engagement_pipeline.platform.settings_groups import GateSettings
from engagement_pipeline.platform.sql import Database
from engagement_pipeline.scoring.formula import Population
from engagement_pipeline_tests.conftest import NOW
from engagement_pipeline_tests.delivery.parts import CAMPAIGN, COPY, GATE, SECRET, Parts, brand, order, silent_user

POPULATION = Population(mean_gap_days=45.0, median_order_value=50.0, users=1_000)
DAY = timedelta(days=1)


@dataclass
class Shop(Parts):
    """A shop with users who ordered last 90 days ago."""

    folder: Path
    gate: GateSettings = GATE
    catalogue: Catalogue | None = None
    copywriter: Copywriter = field(default_factory=lambda: TemplateCopywriter(brand()))

    @property
    def writing(self) -> Writing:
        settings = Settings(
            data_dir=self.folder,
            secret_key=SECRET,
            gate=self.gate,
            campaign=CAMPAIGN,
            needs_approval=self.needs_approval,
        )
        return Writing(stores_for(settings, self.database), settings, brand(), self.catalogue, lambda: self.copywriter)

    def decide(self, verdict: Verdict) -> None:
        edition = edition_of(self.copywriter, self.catalogue)
        approving.decide(self.database, self.ledger, Approval(CAMPAIGN, edition, verdict, "a marketer", "", NOW))

    def ask(self, user_id: str = "u00001", now: datetime = NOW, *, override: bool = False) -> Requested:
        return request_email(self.writing, user_id, "a marketer", override, now)

    def send(self, now: datetime = NOW) -> SendReport:
        return self.sender(OutboxMailer(self.folder / "outbox"), self.gate).run(lambda: now)

    def all(self, table: sa.Table) -> list[sa.Row[Any]]:
        with self.database.read() as connection:
            return list(connection.execute(sa.select(table).order_by(*table.primary_key.columns)))


@pytest.fixture
def shop(database: Database, tmp_path: Path) -> Shop:
    shop = Shop(database, tmp_path)
    shop.add_users([silent_user(number) for number in range(1, 5)], NOW)
    with database.write() as connection:
        published.put(connection, {"population": asdict(POPULATION)}, NOW)
    return shop


def test_a_request_is_queued_and_sent(shop: Shop) -> None:
    requested = shop.ask()
    assert (requested.status, requested.reason, requested.overridden) == ("queued", "eligible", ())
    [row] = shop.all(emails)
    assert (row.email_id, row.status, row.requested_by, row.overrides) == (
        requested.email_id,
        "queued",
        "a marketer",
        None,
    )
    assert (row.campaign, row.step, row.copywriter, row.band) == (CAMPAIGN, 1, "template", "critical")
    assert row.edition
    assert row.provenance["brief"]["categories"] == ["dresses"]
    report = shop.send()
    assert report.sent == 1
    assert (shop.folder / "outbox" / f"{row.email_id}.eml").exists()


def test_the_score_is_the_users_own(shop: Shop) -> None:
    from engagement_pipeline.scoring.explain import explain

    shop.ask()
    [row] = shop.all(emails)
    user = shop.store.get_user("u00001")
    assert user is not None
    explained = explain(user, POPULATION, shop.writing.settings.scoring, NOW.date())
    assert (row.score, row.band) == (explained.score, explained.band)
    assert row.value_at_risk == round(50 * (1 - explained.score / 100), 2)


def test_the_system_reacts_to_it_and_the_audit_log_has_it(shop: Shop) -> None:
    with shop.database.read() as connection:
        before = newest(connection, 0) or 0
    requested = shop.ask()
    with shop.database.read() as connection:
        seq = newest(connection, before)
    assert seq is not None
    assert [(row.entity, row.entity_id, row.user_id) for row in shop.all(change_log) if row.seq == seq] == [
        ("request", requested.email_id, "u00001")
    ]
    [row] = shop.all(audit_log)
    assert (row.actor, row.action, row.entity, row.entity_id, row.details) == (
        "a marketer",
        "email.requested",
        "email",
        requested.email_id,
        {"overridden": []},
    )


def _loyal(shop: Shop) -> None:
    shop.store.put_orders([order("u00001", NOW - DAY * days) for days in (20, 25, 29, 31, 33)], NOW)


def _suppressed(shop: Shop) -> None:
    user = shop.store.get_user("u00001")
    assert user is not None
    with shop.database.write() as connection:
        suppressions.add(connection, user.address_key or "", "complaint", "ses", NOW)


def _max_emails(shop: Shop) -> None:
    for number in range(3):
        assert shop.ask(now=NOW - DAY * (40 - number), override=True).status == "queued"
        assert shop.send(NOW - DAY * (40 - number)).sent == 1


@pytest.mark.parametrize(
    ("prepare", "reason"),
    [
        (_loyal, "not_at_risk"),
        (_suppressed, "suppressed"),
        (_max_emails, "max_emails_reached"),
        (lambda shop: shop.store.put_users([silent_user(1, consent=False)], NOW), "no_consent"),
        (lambda shop: shop.store.put_users([silent_user(1).model_copy(update={"email": None})], NOW), "no_address"),
        (lambda shop: shop.store.put_orders([order("u00001", NOW - DAY * 25)], NOW), "silence_too_short"),
        (lambda shop: setattr(shop, "gate", GATE.model_copy(update={"max_silence_days": 60})), "silence_too_long"),
    ],
)
def test_the_gate_is_never_set_aside_but_for_the_cool_down(shop: Shop, prepare: Any, reason: str) -> None:
    prepare(shop)
    written = len(shop.all(emails))
    for override in (False, True):
        requested = shop.ask(override=override)
        assert (requested.status, requested.reason, requested.email_id) == ("refused", reason, None)
        assert requested.meaning == Reason(reason).meaning
    assert len(shop.all(emails)) == written


def test_the_hold_out_is_kept_silent_whoever_asks(shop: Shop) -> None:
    shop.gate = GATE.model_copy(update={"hold_out_share": 0.5})
    shop.add_users([silent_user(number) for number in range(100, 120)], NOW)
    answers = [shop.ask(f"u{number:05}", override=True) for number in range(100, 120)]
    assert {(requested.status, requested.reason) for requested in answers} == {
        ("queued", "eligible"),
        ("refused", "hold_out"),
    }


def test_the_cool_down_is_set_aside_only_by_whoever_says_so(shop: Shop) -> None:
    shop.ask()
    shop.send()
    later = NOW + DAY * 3
    refused = shop.ask(now=later)
    assert (refused.status, refused.reason) == ("refused", "cool_down")
    requested = shop.ask(now=later, override=True)
    assert (requested.status, requested.overridden) == ("queued", ("cool_down",))
    row = next(row for row in shop.all(emails) if row.email_id == requested.email_id)
    assert (row.overrides, row.step) == (["cool_down"], 2)
    assert shop.all(audit_log)[-1].details == {"overridden": ["cool_down"]}
    assert shop.send(later).sent == 1


def test_only_what_had_to_be_set_aside_is_recorded(shop: Shop) -> None:
    assert shop.ask(override=True).overridden == ()
    assert shop.all(emails)[0].overrides is None


def test_the_sender_sets_aside_no_more_than_was_recorded(shop: Shop) -> None:
    shop.ask()
    shop.send()
    later = NOW + DAY * 3
    requested = shop.ask(now=later, override=True)
    # Somebody else at the same address is written to in the meantime: that nobody has set aside.
    shop.add_users([silent_user(9, "u1@example.com")], NOW)
    with shop.database.write() as connection:
        given = {"sent_at": later + DAY, "status": "delivered"}
        connection.execute(sa.update(emails).where(emails.c.user_id == "u00001", emails.c.step == 1).values(given))
    report = shop.send(later + DAY * 2)
    assert report.skipped_by_reason == {"cool_down": 1}
    assert next(row.status for row in shop.all(emails) if row.email_id == requested.email_id) == "skipped"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"consent": False}, "no_consent"),
        ({"email": None}, "no_address"),
    ],
)
def test_the_gate_judges_again_before_sending(shop: Shop, change: dict[str, object], reason: str) -> None:
    shop.ask()
    shop.send()
    shop.ask(now=NOW + DAY, override=True)
    shop.store.put_users([silent_user(1).model_copy(update=change)], NOW + DAY)
    assert shop.send(NOW + DAY).skipped_by_reason == {reason: 1}


def test_sending_hours_are_kept(shop: Shop) -> None:
    night = NOW.replace(hour=2)
    requested = shop.ask(now=night)
    assert (requested.status, requested.not_before) == ("queued", NOW.replace(hour=9, minute=0))
    assert shop.send(night).sent == 0
    assert shop.send(NOW).sent == 1


def test_while_one_waits_there_is_no_other(shop: Shop) -> None:
    first = shop.ask()
    again = shop.ask(override=True)
    assert (again.status, again.reason, again.email_id) == ("open", "open", first.email_id)
    shop.add_drafts(["u00002"], NOW)
    assert shop.ask("u00002").status == "open"
    shop.send()
    assert shop.ask().status == "refused"


def test_of_many_who_ask_at_once_one_is_heard(shop: Shop) -> None:
    answers: list[Requested] = []
    threads = [threading.Thread(target=lambda: answers.append(shop.ask())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(answer.status for answer in answers) == ["open"] * 7 + ["queued"]
    assert len({answer.email_id for answer in answers}) == 1
    assert len(shop.all(emails)) == 1


def test_a_row_that_is_not_settled_yet_does_not_stand_in_the_way(shop: Shop) -> None:
    """Its sender has closed it a moment ago; the user's steps do not count it yet."""
    shop.add_drafts(["u00001"], NOW)
    with shop.database.write() as connection:
        closed = {"status": "skipped", "reason": "not_at_risk", "claimed_by": "elsewhere:1:life:1"}
        connection.execute(sa.update(emails).where(emails.c.user_id == "u00001").values(closed))
    assert shop.ask().status == "queued"
    assert sorted(row.step for row in shop.all(emails)) == [1, 2]


def test_nobody_is_written_to_before_anybody_is_scored(shop: Shop) -> None:
    with shop.database.write() as connection:
        connection.execute(sa.delete(published.published))
    requested = shop.ask()
    assert (requested.status, requested.reason) == ("refused", "not_scored")


def test_there_is_no_such_user(shop: Shop) -> None:
    with pytest.raises(NoSuchUserError):
        shop.ask("nobody")
    assert shop.all(emails) == shop.all(audit_log) == []


class Silent(TemplateCopywriter):
    """Has no budget left."""

    def write(self, briefs: Sequence[Brief], numbers: Sequence[int] | None = None) -> list[Any]:
        return [None for _ in briefs]


class Careless(TemplateCopywriter):
    """Promises what the brand does not."""

    def write(self, briefs: Sequence[Brief], numbers: Sequence[int] | None = None) -> list[Text]:
        promise = COPY.model_copy(update={"subject": "Half price on everything, {{first_name}}"})
        return [Text(promise, "careless") for _ in briefs]


@pytest.mark.parametrize("kind", [Silent, Careless])
def test_where_a_model_writes_nothing_fit_the_template_does(shop: Shop, kind: type[TemplateCopywriter]) -> None:
    shop.copywriter = kind(brand())
    assert shop.ask().status == "queued"
    [row] = shop.all(emails)
    assert row.copywriter == "template"
    assert "Half price" not in row.copy["subject"]


@pytest.mark.integration
@pytest.mark.parametrize("step", ["sql_ledger.record", "on_request._next_step"])
def test_killed_half_way_nothing_has_happened(shop: Shop, step: str) -> None:
    url = shop.database.engine.url.render_as_string(hide_password=False)
    program = (
        "import os, signal, sys\n"
        "from engagement_pipeline.delivery import on_request, sql_ledger\n"
        "from engagement_pipeline.platform.sql import Database\n"
        "from engagement_pipeline_tests.delivery.test_on_request import Shop\n"
        "from pathlib import Path\n"
        f"{step} = lambda *a, **k: os.kill(os.getpid(), signal.SIGKILL)\n"
        "Shop(Database(sys.argv[1]), Path(sys.argv[2])).ask()\n"
    )
    killed = subprocess.run([sys.executable, "-c", program, url, str(shop.folder)], timeout=60, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert shop.all(emails) == shop.all(audit_log) == []
    assert shop.ask().status == "queued"


def test_nothing_is_said_in_words_that_were_rejected(shop: Shop) -> None:
    shop.decide("rejected")
    assert (shop.ask().status, shop.ask().reason) == ("refused", "copy_rejected")
    assert shop.all(emails) == []


def test_where_approval_is_needed_nobody_is_promised_what_is_not_approved(shop: Shop) -> None:
    shop.needs_approval = True
    assert (shop.ask().status, shop.ask().reason) == ("refused", "not_approved")
    shop.decide("approved")
    assert shop.ask().status == "queued"


class Offering(TemplateCopywriter):
    """Names the brief's offers."""

    def write(self, briefs: Sequence[Brief], numbers: Sequence[int] | None = None) -> list[Text]:
        texts = super().write(briefs, numbers)
        return [
            Text(
                text.copy.model_copy(update={"reasons": tuple(f"offer:{offer.id}" for offer in brief.offers)}),
                "offering",
            )
            for text, brief in zip(texts, briefs, strict=True)
        ]


def test_it_keeps_the_last_day_of_the_offer_that_it_names(shop: Shop) -> None:
    ends = (NOW + 3 * DAY).date()
    shop.catalogue = Catalogue(
        offers=(ListedOffer(id="spring", text="10% off your next order.", percent=10, until=ends),)
    )
    shop.copywriter = Offering(brand())
    assert shop.ask().status == "queued"
    [row] = shop.all(emails)
    assert row.last_day == ends


def test_it_knows_what_was_bought_last(shop: Shop) -> None:
    shop.catalogue = Catalogue(items=(Item(sku="SH-7", name="City Loafer", category="shoes"),))
    bought = order("u00001", NOW - 90 * DAY).model_copy(update={"skus": ("unheard-of", "SH-7")})
    shop.store.put_orders([bought], NOW)
    assert shop.ask().status == "queued"
    [row] = shop.all(emails)
    brief = keeping.read(row.provenance).known()
    assert brief is not None
    assert brief.last_items == shop.catalogue.items
