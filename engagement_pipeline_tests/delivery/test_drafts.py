"""From users in the operational store to rows in the ledger, through the real rooms in between."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from engagement_pipeline.cohorts.gate import decide
from engagement_pipeline.copywriting.brief import Brief
from engagement_pipeline.copywriting.copy import Copy, Copywriter
from engagement_pipeline.copywriting.template import TemplateCopywriter
from engagement_pipeline.delivery.drafts import DraftReport, write_drafts
from engagement_pipeline.delivery.outbox import OutboxMailer
from engagement_pipeline.platform.settings import GateSettings, ScoringSettings, Settings
from engagement_pipeline.platform.sql import Database
from engagement_pipeline.scoring.scores import rescore
from engagement_pipeline.users.mirror import pull
from engagement_pipeline_tests.conftest import NOW
from engagement_pipeline_tests.delivery.parts import COPY, SECRET, Parts, brand, order, silent_user

BRAND = brand()


class Rooms:
    """The corridor up to the drafts, as a run goes through it."""

    def __init__(self, con: duckdb.DuckDBPyConnection, database: Database, hold_out_share: float = 0) -> None:
        self.con = con
        self.parts = Parts(database)
        self.gate = GateSettings(hold_out_share=hold_out_share)

    def decide(self, now: datetime, *, full: bool) -> None:
        scoring = ScoringSettings()
        pull(self.con, self.parts.database)
        rescore(self.con, now.date(), scoring, full=full, now=now)
        decide(self.con, now, self.gate, scoring, SECRET, full=full)

    def draft(self, now: datetime, *, full: bool, copywriter: Copywriter | None = None) -> DraftReport:
        writer = copywriter or TemplateCopywriter(BRAND)
        return write_drafts(self.con, self.parts.ledger, writer, BRAND, Settings(), now, full=full)

    def run(self, now: datetime, *, full: bool, copywriter: Copywriter | None = None) -> DraftReport:
        self.decide(now, full=full)
        return self.draft(now, full=full, copywriter=copywriter)


@pytest.fixture
def rooms(con: duckdb.DuckDBPyConnection, tmp_path: Path, database: Database) -> Rooms:
    return Rooms(con, database)


def test_everyone_to_be_mailed_gets_one_draft(rooms: Rooms) -> None:
    rooms.parts.add_users([silent_user(number) for number in range(30)], NOW)
    report = rooms.run(NOW, full=True)
    assert (report.written, report.held_out, report.existing, report.replaced) == (30, 0, 0, 0)
    assert sum(report.by_variant.values()) == 30
    assert len(report.by_variant) > 1
    row = rooms.parts.rows()["u00001"]
    assert (row.status, row.step, row.copywriter, row.decided_at) == ("draft", 1, "template", NOW)
    assert Copy.model_validate(row.copy)
    assert 0 < row.score < 50
    again = rooms.run(NOW, full=True)
    assert (again.written, again.existing) == (0, 30)


def test_only_new_decisions_are_looked_at_in_between(rooms: Rooms) -> None:
    rooms.parts.add_users([silent_user(number) for number in range(30)], NOW)
    rooms.run(NOW, full=True)
    rooms.parts.add_users([silent_user(30)], NOW)
    report = rooms.run(NOW, full=False)
    assert (report.written, report.existing) == (1, 0)


def test_a_crash_before_the_offset_repeats_nothing(rooms: Rooms) -> None:
    rooms.parts.add_users([silent_user(number) for number in range(3)], NOW)
    rooms.run(NOW, full=True)
    rooms.con.execute("DELETE FROM offsets WHERE consumer = 'generated_emails'")
    report = rooms.draft(NOW, full=False)
    assert (report.written, report.existing) == (0, 3)


def test_the_hold_out_is_recorded_at_once_and_rests_like_the_mailed(
    con: duckdb.DuckDBPyConnection, database: Database
) -> None:
    rooms = Rooms(con, database, hold_out_share=0.5)
    rooms.parts.add_users([silent_user(number) for number in range(40)], NOW)
    report = rooms.run(NOW, full=True)
    assert report.held_out + report.written == 40
    assert min(report.held_out, report.written) > 5
    held_out = [row for row in rooms.parts.rows().values() if row.status == "held_out"]
    assert len(held_out) == report.held_out
    assert all(row.variant and row.copy is None and row.copywriter is None for row in held_out)
    user = rooms.parts.store.get_user(held_out[0].user_id)
    assert user is not None
    assert (user.steps, user.last_touch_at, user.last_email_at) == (1, NOW, None)
    tomorrow = rooms.run(NOW + timedelta(days=1), full=True)
    assert (tomorrow.held_out, tomorrow.written) == (0, 0)
    later = rooms.run(NOW + timedelta(days=29), full=True)
    assert later.held_out == report.held_out
    assert later.existing == report.written


def test_the_next_step_comes_after_the_cool_down(rooms: Rooms, tmp_path: Path) -> None:
    rooms.parts.add_users([silent_user(1)], NOW)
    rooms.run(NOW, full=True)
    rooms.parts.sender(OutboxMailer(tmp_path / "outbox")).run(lambda: NOW)
    assert rooms.run(NOW + timedelta(days=27), full=True).written == 0
    assert rooms.run(NOW + timedelta(days=29), full=True).written == 1
    assert rooms.parts.rows()["u00001"].step == 2


def test_a_user_who_ordered_gets_no_draft(rooms: Rooms) -> None:
    rooms.parts.add_users([silent_user(1), silent_user(2)], NOW)
    rooms.parts.store.put_orders([order("u00001", NOW - timedelta(days=2))], NOW)
    rooms.run(NOW, full=True)
    assert set(rooms.parts.statuses()) == {"u00002"}


class Boastful:
    """Promises what nobody has promised."""

    name = "boastful"
    variants = ("loud",)

    def write(self, briefs: Sequence[Brief]) -> list[Copy]:
        return [COPY.model_copy(update={"subject": "90% off everything, only today"}) for _ in briefs]


def test_a_text_that_breaks_the_rules_is_replaced_by_the_templates(rooms: Rooms) -> None:
    rooms.parts.add_users([silent_user(1)], NOW)
    report = rooms.run(NOW, full=True, copywriter=Boastful())
    assert (report.written, report.replaced, report.by_variant) == (1, 1, {"loud": 1})
    row = rooms.parts.rows()["u00001"]
    assert (row.copywriter, row.variant) == ("template", "loud")
    assert "90%" not in row.copy["subject"]
