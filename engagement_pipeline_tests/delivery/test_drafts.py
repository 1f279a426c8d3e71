"""From users in the operational store to rows in the ledger, through the real rooms in between."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from engagement_pipeline.cohorts.gate import decide
from engagement_pipeline.copywriting import keeping
from engagement_pipeline.copywriting.approvals import Approval
from engagement_pipeline.copywriting.brief import Brief
from engagement_pipeline.copywriting.copy import Copy, Copywriter, Spending, Text, text_number
from engagement_pipeline.copywriting.edition import edition_of
from engagement_pipeline.copywriting.template import TemplateCopywriter
from engagement_pipeline.delivery.drafts import DraftReport, write_drafts
from engagement_pipeline.delivery.outbox import OutboxMailer
from engagement_pipeline.platform.settings import Settings
from engagement_pipeline.platform.settings_groups import GateSettings, ScoringSettings
from engagement_pipeline.platform.sql import Database
from engagement_pipeline.scoring.scores import rescore
from engagement_pipeline.users.mirror import pull
from engagement_pipeline.users.models import User
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
    brief = keeping.read(row.provenance).known()
    assert brief is not None
    assert (brief.silence, brief.categories, brief.variant) == ("about_a_season", ("dresses",), row.variant)
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
    wording = "loud words"
    texts_per_brief = 1
    spent = Spending(answers=1, cost_usd=0.5)

    def plan(self, wanted: Iterable[tuple[Brief, int]]) -> None:
        pass

    def in_hand(self, briefs: Sequence[Brief], numbers: Sequence[int]) -> list[bool]:
        return [True] * len(briefs)

    def awaited(self, briefs: Sequence[Brief], numbers: Sequence[int]) -> list[bool]:
        return [False] * len(briefs)

    def write(self, briefs: Sequence[Brief], numbers: Sequence[int] | None = None) -> list[Text]:
        return [Text(COPY.model_copy(update={"subject": "90% off everything, only today"}), self.name) for _ in briefs]


def test_a_text_that_breaks_the_rules_is_replaced_by_the_templates(rooms: Rooms) -> None:
    rooms.parts.add_users([silent_user(1)], NOW)
    report = rooms.run(NOW, full=True, copywriter=Boastful())
    assert (report.written, report.replaced, report.by_variant) == (1, 1, {"loud": 1})
    row = rooms.parts.rows()["u00001"]
    assert (row.copywriter, row.variant) == ("template", "loud")
    assert "90%" not in row.copy["subject"]
    assert report.failures.keys() >= {"percentage", "urgency"}
    assert set(row.provenance["failures"]) == set(report.failures)
    assert report.spent.cost_usd == 0.5


class Tired:
    """Writes so many texts, and leaves the others to a later run."""

    name = "tired"
    variants = ("note",)
    wording = "few words"
    spent = Spending()

    def __init__(self, strength: int, texts_per_brief: int = 1) -> None:
        self.strength = strength
        self.texts_per_brief = texts_per_brief
        self.planned: list[tuple[str, int]] = []
        self.asked: list[tuple[str, int]] = []
        self.written: set[tuple[str, int]] = set()
        # Interests: what is about them is awaited.
        self.in_batch: set[str] = set()

    def plan(self, wanted: Iterable[tuple[Brief, int]]) -> None:
        assert self.asked == []
        self.planned += [(brief.fingerprint, number) for brief, number in wanted]

    def in_hand(self, briefs: Sequence[Brief], numbers: Sequence[int]) -> list[bool]:
        return [(brief.fingerprint, number) in self.written for brief, number in zip(briefs, numbers, strict=True)]

    def awaited(self, briefs: Sequence[Brief], numbers: Sequence[int]) -> list[bool]:
        return [not self.in_batch.isdisjoint((*brief.categories, *brief.other_interests)) for brief in briefs]

    def write(self, briefs: Sequence[Brief], numbers: Sequence[int] | None = None) -> list[Text | None]:
        keys = [(brief.fingerprint, number) for brief, number in zip(briefs, numbers or [0] * len(briefs), strict=True)]
        self.asked += keys
        texts = TemplateCopywriter(BRAND).write(briefs)
        written = [text if place < self.strength else None for place, text in enumerate(texts)]
        self.written.update(keys[: self.strength])
        self.strength = max(0, self.strength - len(texts))
        return written


def interested_user(number: int, hobby: int | None = None) -> User:
    return silent_user(number, preferred_categories=(f"hobby {number if hobby is None else hobby}",))


@pytest.mark.parametrize("full", [True, False])
def test_those_whose_text_has_to_wait_are_the_next_full_runs(rooms: Rooms, full: bool) -> None:
    rooms.parts.add_users([interested_user(number) for number in range(10)], NOW)
    first = rooms.run(NOW, full=full, copywriter=Tired(4))
    assert (first.written, first.postponed, first.existing) == (4, 6, 0)
    # An ordinary reaction to something else, later, does not spend on what was left over.
    rooms.parts.add_users([interested_user(10)], NOW)
    writer = Tired(100)
    second = rooms.run(NOW, full=False, copywriter=writer)
    assert (second.written, second.postponed, len(writer.asked)) == (1, 0, 1)
    third = rooms.draft(NOW, full=True, copywriter=Tired(100))
    assert (third.written, third.postponed, third.existing) == (6, 0, 5)
    assert len(rooms.parts.rows()) == 11


def test_one_text_that_has_to_wait_holds_up_nobody_else(rooms: Rooms) -> None:
    rooms.parts.add_users([interested_user(number) for number in range(10)], NOW)
    writer = Tired(1)
    rooms.run(NOW, full=True, copywriter=writer)
    patient = Tired(0)
    patient.write = lambda briefs, numbers=None: [  # type: ignore[method-assign]
        None if place == 3 else text for place, text in enumerate(TemplateCopywriter(BRAND).write(briefs))
    ]
    second = rooms.draft(NOW, full=True, copywriter=patient)
    assert (second.written, second.postponed) == (8, 1)
    assert "u00004" not in rooms.parts.rows()


def test_a_long_run_says_beforehand_which_texts_it_will_want(rooms: Rooms, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engagement_pipeline.delivery.drafts.BATCH", 7)
    rooms.parts.add_users([interested_user(number, number % 5) for number in range(20)], NOW)
    rooms.run(NOW, full=False, copywriter=(short := Tired(100)))
    assert short.planned == []
    rooms.parts.add_users([interested_user(number) for number in range(20, 30)], NOW)
    rooms.run(NOW, full=True, copywriter=(long := Tired(100)))
    # Those who have their row are passed over.
    assert len(long.asked) == 10
    assert set(long.planned) == set(long.asked)


def held_out_and_mailed(rooms: Rooms, count: int) -> tuple[list[str], list[str]]:
    """Users in the order of the decisions, by arm."""
    rooms.parts.add_users([interested_user(number, number % 10) for number in range(count)], NOW)
    rooms.decide(NOW, full=True)
    # All are worth the same, and go by their ids.
    decided = rooms.con.execute("SELECT user_id, decision FROM at_risk_cohorts ORDER BY user_id").fetchall()
    arms = [[user_id for user_id, decision in decided if decision == arm] for arm in ("hold_out", "mail")]
    return arms[0], arms[1]


def test_the_hold_out_waits_with_those_whose_text_has_to_wait(
    con: duckdb.DuckDBPyConnection, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the arms would differ: who comes back while a text is waiting would be missing among the mailed."""
    monkeypatch.setattr("engagement_pipeline.delivery.drafts.BATCH", 10)
    rooms = Rooms(con, database, hold_out_share=0.5)
    held_out, mailed = held_out_and_mailed(rooms, 60)
    writer = Tired(4)
    first = rooms.draft(NOW, full=True, copywriter=writer)
    rows = rooms.parts.rows()
    waits_from = next(user_id for user_id in mailed if user_id not in rows)
    keys = {user_id: int(user_id[1:]) % 10 for user_id in [*held_out, *mailed]}
    in_hand = {keys[user_id] for user_id in mailed if user_id in rows}
    assert len(in_hand) == 4
    assert {user_id for user_id in held_out if user_id in rows} == {
        user_id for user_id in held_out if user_id < waits_from or keys[user_id] in in_hand
    }
    assert first.written + first.held_out + first.postponed == 60
    assert 0 < first.held_out < len(held_out)
    # A reaction in between records none of those who wait.
    assert rooms.draft(NOW, full=False).held_out == 0
    second = rooms.draft(NOW, full=True, copywriter=Tired(100))
    assert (second.written + second.held_out, second.postponed) == (first.postponed, 0)


def test_who_is_held_out_waits_for_a_batch_as_the_mailed_would_though_no_mailed_user_does(
    con: duckdb.DuckDBPyConnection, database: Database
) -> None:
    """In a reaction, most often the only one: whoever else would get the same text must wait for it."""
    rooms = Rooms(con, database, hold_out_share=0.5)
    held_out, _ = held_out_and_mailed(rooms, 40)
    rooms.con.execute("DELETE FROM at_risk_cohorts WHERE decision = 'mail'")
    wait = {user_id for user_id in held_out if user_id.endswith("3")}
    writer = Tired(0)
    writer.in_batch = {"hobby 3"}
    first = rooms.draft(NOW, full=False, copywriter=writer)
    assert first.postponed == len(wait) > 0
    assert set(rooms.parts.rows()) == {*held_out} - wait
    second = rooms.draft(NOW, full=True, copywriter=Tired(0))
    assert (second.held_out, second.postponed) == (len(wait), 0)


def test_nobody_held_out_waits_where_nobody_mailed_has_to(con: duckdb.DuckDBPyConnection, database: Database) -> None:
    rooms = Rooms(con, database, hold_out_share=0.5)
    held_out, mailed = held_out_and_mailed(rooms, 40)
    report = rooms.draft(NOW, full=True, copywriter=Tired(100))
    assert (report.held_out, report.written, report.postponed) == (len(held_out), len(mailed), 0)


def test_users_with_equal_briefs_share_a_few_texts(rooms: Rooms) -> None:
    rooms.parts.add_users([silent_user(number) for number in range(60)], NOW)
    writer = Tired(100, texts_per_brief=3)
    assert rooms.run(NOW, full=True, copywriter=writer).written == 60
    assert len(writer.asked) == len(set(writer.asked)) == 3
    assert {number for _, number in writer.asked} == {0, 1, 2}


def test_a_user_gets_the_same_text_every_time_and_all_texts_are_used_alike() -> None:
    numbers = [text_number(f"u{user}", "win-back", 4) for user in range(2_000)]
    assert numbers == [text_number(f"u{user}", "win-back", 4) for user in range(2_000)]
    assert all(400 < numbers.count(number) < 600 for number in range(4))


def test_what_was_rejected_is_not_written_again_until_it_says_something_else(rooms: Rooms) -> None:
    rooms.gate = GateSettings(hold_out_share=0.3)
    rooms.parts.add_users([silent_user(number) for number in range(30)], NOW)
    edition = edition_of(TemplateCopywriter(BRAND), None)
    rooms.parts.ledger.decide(Approval("win-back", edition, "rejected", "Ada", "", NOW))
    asked: list[Brief] = []

    class Asked(TemplateCopywriter):
        def write(self, briefs: Sequence[Brief], numbers: Sequence[int] | None = None) -> list[Text]:
            asked.extend(briefs)
            return super().write(briefs, numbers)

    report = rooms.run(NOW, full=True, copywriter=Asked(BRAND))
    assert (report.edition, report.is_rejected, report.postponed) == (edition, True, 30)
    # Nobody is paid for words that may not be sent, and the hold-out waits with those who would get them.
    assert asked == []
    assert rooms.parts.rows() == {}
    other = TemplateCopywriter(BRAND.model_copy(update={"signature": "Somebody else"}))
    report = rooms.draft(NOW, full=True, copywriter=other)
    assert not report.is_rejected
    assert report.written + report.held_out == 30
    assert report.held_out > 0
    assert {row.edition for row in rooms.parts.rows().values() if row.status == "draft"} == {report.edition}
