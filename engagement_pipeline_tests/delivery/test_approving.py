"""What a person decides about the words of a campaign, and what that does to the e-mails that say them."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engagement_pipeline.copywriting import approvals
from engagement_pipeline.copywriting.approvals import UNNAMED, Approval, Verdict
from engagement_pipeline.delivery import approving
from engagement_pipeline.delivery.approving import Decided, count_by_edition
from engagement_pipeline.delivery.entries import Entry, Outcome, Ticket
from engagement_pipeline.delivery.mailer import Receipt
from engagement_pipeline.delivery.message import Message
from engagement_pipeline.delivery.outbox import OutboxMailer
from engagement_pipeline.delivery.overdue import overdue
from engagement_pipeline.platform.change_log import change_log
from engagement_pipeline.platform.errors import BadInputError
from engagement_pipeline.platform.sql import Database
from engagement_pipeline_tests.conftest import NOW
from engagement_pipeline_tests.delivery.parts import CAMPAIGN, Parts, silent_user
from engagement_pipeline_tests.delivery.sql_stores import sql_stores

OURS, OTHER = "aaaaaaaaaaaa", "bbbbbbbbbbbb"
LATER = NOW + timedelta(hours=1)
LEASE = timedelta(minutes=5)
US = "another-host:1:aaaa:1"


def decide(
    database: Database, verdict: Verdict, edition: str = OURS, *, by: str = "Ada", note: str = "", now: datetime = NOW
) -> Decided:
    return approving.decide(database, sql_stores(database).ledger, Approval(CAMPAIGN, edition, verdict, by, note, now))


def written(parts: Parts, numbers: range, edition: str | None = OURS) -> list[str]:
    """Add users with a draft each; return the ids of the e-mails."""
    users = [silent_user(number) for number in numbers]
    parts.add_users(users, NOW)
    return [draft.email_id for draft in parts.add_drafts([user.user_id for user in users], NOW, edition=edition)]


def lease(parts: Parts, worker: str = US) -> list[Entry]:
    return parts.ledger.lease(CAMPAIGN, NOW, 100, None, worker, LEASE)


def mark(parts: Parts, entry: Entry, worker: str = US) -> bool:
    user = parts.store.get_user(entry.user_id)
    assert user is not None
    ticket = Ticket(entry.email_id, entry.user_id, user.version, entry.address_key, NOW, "outbox")
    return parts.ledger.advance(worker, None, ticket, NOW, LEASE)


def send(parts: Parts, folder: Path) -> tuple[int, int]:
    """Return how many e-mails a run sends, and how many wait for approval."""
    report = parts.sender(OutboxMailer(folder / "outbox")).run(lambda: NOW)
    return report.sent, report.unapproved


def test_drafts_wait_until_their_words_are_approved(database: Database, tmp_path: Path) -> None:
    parts = Parts(database, needs_approval=True)
    written(parts, range(3))
    written(parts, range(3, 5), OTHER)
    written(parts, range(5, 6), None)
    assert parts.ledger.due(CAMPAIGN, NOW, 10, None) == []
    assert send(parts, tmp_path) == (0, 6)
    assert parts.sender(None).run(lambda: NOW).waiting == 0
    decided = decide(database, "approved")
    assert (decided.before, decided.waiting, decided.closed, decided.emailed) == (None, 3, 0, 0)
    assert len(parts.ledger.due(CAMPAIGN, NOW, 10, None)) == 3
    dry = parts.sender(None).run(lambda: NOW)
    assert (dry.sent, dry.waiting, dry.unapproved) == (3, 0, 3)
    assert send(parts, tmp_path) == (3, 3)
    decide(database, "approved", UNNAMED)
    assert send(parts, tmp_path) == (1, 2)
    with database.read() as connection:
        assert count_by_edition(connection, CAMPAIGN) == {
            OURS: {"delivered": 3},
            OTHER: {"draft": 2},
            UNNAMED: {"delivered": 1},
        }


def test_another_campaigns_approval_releases_nothing(database: Database) -> None:
    parts = Parts(database, needs_approval=True)
    written(parts, range(1))
    approving.decide(database, sql_stores(database).ledger, Approval("another", OURS, "approved", "Ada", "", NOW))
    assert parts.ledger.queue(CAMPAIGN, NOW) == 0


def test_on_trust_everything_goes_that_nobody_has_rejected(database: Database, tmp_path: Path) -> None:
    parts = Parts(database)
    written(parts, range(2))
    written(parts, range(2, 4), OTHER)
    decided = decide(database, "rejected")
    assert (decided.closed, decided.waiting) == (2, 0)
    assert send(parts, tmp_path) == (2, 0)
    assert sorted(parts.statuses().values()) == ["delivered", "delivered", "skipped", "skipped"]
    # Written after the verdict, by a run that had begun before it.
    written(parts, range(4, 5))
    assert parts.ledger.count_unapproved(CAMPAIGN) == 1
    assert send(parts, tmp_path) == (0, 0)
    assert parts.rows()["u00004"].reason == "copy_rejected"


def test_deciding_the_same_again_leaves_the_first_verdict(database: Database) -> None:
    first = decide(database, "approved", by="Ada", note="reads well")
    again = decide(database, "approved", by="Bob", now=LATER)
    assert (first.is_new, again.is_new) == (True, False)
    assert again.approval == again.before == first.approval
    with database.read() as connection:
        assert approvals.find(connection, CAMPAIGN, OURS) == first.approval
        assert approvals.find(connection, CAMPAIGN, OTHER) is None


def test_a_rejected_email_is_closed_with_all_that_follows(database: Database) -> None:
    parts = Parts(database)
    ids = written(parts, range(2))
    parts.ledger.queue(CAMPAIGN, NOW)
    decide(database, "rejected", now=LATER)
    for row in parts.rows().values():
        assert (row.status, row.reason, row.updated_at) == ("skipped", "copy_rejected", LATER)
    user = parts.store.get_user("u00000")
    assert user is not None
    # Closed, so that the next decision is for the next step; no touch, as nothing was sent.
    assert (user.steps, user.last_touch_at) == (1, None)
    with database.read() as connection:
        changed = sa.select(change_log.c.entity_id).where(
            change_log.c.entity == "email", change_log.c.changed_at == LATER
        )
        assert sorted(connection.execute(changed).scalars()) == sorted(ids)


def test_approving_what_was_rejected_opens_nothing_that_is_closed(database: Database, tmp_path: Path) -> None:
    parts = Parts(database, needs_approval=True)
    written(parts, range(2))
    decide(database, "rejected")
    changed = decide(database, "approved", now=LATER)
    assert changed.before is not None
    assert (changed.is_new, changed.before.verdict, changed.waiting) == (True, "rejected", 0)
    assert send(parts, tmp_path) == (0, 0)
    parts.add_drafts(["u00000"], NOW, edition=OURS)
    assert send(parts, tmp_path) == (1, 0)


def test_rejecting_what_was_approved_stops_what_has_not_gone(database: Database, tmp_path: Path) -> None:
    parts = Parts(database, needs_approval=True)
    written(parts, range(2))
    decide(database, "approved")
    assert send(parts, tmp_path) == (2, 0)
    written(parts, range(2, 5))
    parts.ledger.queue(CAMPAIGN, NOW)
    changed = decide(database, "rejected", now=LATER)
    assert (changed.is_new, changed.closed, changed.emailed) == (True, 3, 2)
    assert send(parts, tmp_path) == (0, 0)


def test_with_approval_switched_on_what_was_queued_before_waits_too(database: Database, tmp_path: Path) -> None:
    written(Parts(database), range(2))
    Parts(database).ledger.queue(CAMPAIGN, NOW)
    careful = Parts(database, needs_approval=True)
    assert careful.ledger.due(CAMPAIGN, NOW, 10, None) == lease(careful) == []
    assert send(careful, tmp_path) == (0, 2)
    decide(database, "approved")
    assert send(careful, tmp_path) == (2, 0)


def test_what_a_sender_holds_is_closed_once_it_gives_it_back(database: Database) -> None:
    parts = Parts(database)
    written(parts, range(3))
    parts.ledger.queue(CAMPAIGN, NOW)
    in_hand, held, _ = entries = lease(parts)
    assert mark(parts, in_hand)
    decided = decide(database, "rejected")
    assert (decided.closed, decided.waiting, decided.emailed) == (0, 2, 0)
    assert not any(mark(parts, entry) for entry in entries)
    parts.ledger.advance(US, Outcome(in_hand.email_id, "sent"), None, NOW, LEASE)
    parts.ledger.release(US)
    assert lease(parts) == []
    assert parts.ledger.queue(CAMPAIGN, NOW) == 0
    rows = {row.email_id: row.status for row in parts.rows().values()}
    assert (rows[in_hand.email_id], rows[held.email_id]) == ("sent", "skipped")
    assert decide(database, "rejected").emailed == 1


def test_what_a_rejection_could_not_finish_the_next_run_does(database: Database) -> None:
    parts = Parts(database)
    written(parts, range(3))
    with database.write() as connection:
        # The process ended between the verdict and what follows from it.
        approvals.put(connection, Approval(CAMPAIGN, OURS, "rejected", "Ada", "", NOW))
    assert parts.ledger.queue(CAMPAIGN, NOW) == 0
    assert set(parts.statuses().values()) == {"skipped"}
    with database.read() as connection:
        assert count_by_edition(connection, CAMPAIGN) == {OURS: {"skipped": 3}}


def test_many_are_closed_in_several_transactions(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(approving, "_AT_ONCE", 2)
    parts = Parts(database)
    written(parts, range(5))
    assert decide(database, "rejected").closed == 5


def test_what_waits_for_approval_is_not_overdue(database: Database) -> None:
    written(Parts(database), range(2))
    with database.read() as connection:
        week_later = NOW + timedelta(days=7)
        assert overdue(connection, week_later).number == 2
        assert overdue(connection, week_later, needs_approval=True).number == 0
    decide(database, "approved")
    with database.read() as connection:
        assert overdue(connection, week_later, needs_approval=True).number == 2


@pytest.mark.parametrize("text", ["ada@example.com", "two\nlines", "x" * 201])
def test_neither_addresses_nor_lines_are_kept_with_a_verdict(text: str) -> None:
    for by, note in ((text, ""), ("Ada", text)):
        with pytest.raises(BadInputError, match="a visible line with no address"):
            Approval(CAMPAIGN, OURS, "approved", by, note, NOW)
    with pytest.raises(BadInputError, match="who decides"):
        Approval(CAMPAIGN, OURS, "approved", "", "", NOW)


class Watched(OutboxMailer):
    """Lets somebody act once so many e-mails have gone, and notes what goes."""

    def __init__(self, folder: Path, after: int) -> None:
        super().__init__(folder)
        self._left = after
        self._noting = threading.Lock()
        self.sent: list[str] = []
        self.enough_sent = threading.Event()

    def send(self, message: Message) -> Receipt:
        with self._noting:
            self.sent.append(message.email_id)
            self._left -= 1
            if self._left == 0:
                self.enough_sent.set()
        return super().send(message)


@contextmanager
def sending(parts: Parts, mailer: OutboxMailer, senders: int, lanes: int) -> Iterator[None]:
    threads = [
        threading.Thread(target=parts.sender(mailer, lanes=lanes).run, args=(lambda: NOW,)) for _ in range(senders)
    ]
    for thread in threads:
        thread.start()
    yield
    for thread in threads:
        thread.join()


@pytest.mark.parametrize("after", [1, 40])
def test_nothing_is_sent_after_a_rejection_stands_but_what_is_in_hand(
    database: Database, tmp_path: Path, after: int
) -> None:
    parts = Parts(database)
    ids = set(written(parts, range(300)))
    mailer = Watched(tmp_path / "outbox", after)
    with sending(parts, mailer, senders=2, lanes=3):
        assert mailer.enough_sent.wait(60)
        decide(database, "rejected")
        in_hand_or_gone = {
            row.email_id for row in parts.rows().values() if row.status not in ("draft", "queued", "skipped")
        }
    assert set(mailer.sent) <= in_hand_or_gone
    assert len(mailer.sent) == len(set(mailer.sent)) < 300
    # What the senders have given back is closed by whoever comes next.
    parts.ledger.queue(CAMPAIGN, NOW)
    statuses = {row.email_id: row.status for row in parts.rows().values()}
    assert statuses == {key: "delivered" if key in set(mailer.sent) else "skipped" for key in ids}


class Story:
    """Anything that can happen to a campaign's words, and what must never follow from it."""

    def __init__(self, database: Database) -> None:
        with database.write() as connection:
            for table in ("emails", "copy_approvals", "users", "orders"):
                connection.execute(sa.text(f"DELETE FROM {table}"))
        self.database = database
        self.parts = Parts(database)
        self.verdicts: dict[str, Verdict] = {}
        self.edition_of: dict[str, str] = {}
        self.held: list[Entry] = []
        self.sent: set[str] = set()

    def decide(self, edition: str, verdict: Verdict) -> None:
        decide(self.database, verdict, edition)
        self.verdicts[edition] = verdict

    def write(self, edition: str | None) -> None:
        number = len(self.edition_of)
        [email_id] = written(self.parts, range(number, number + 1), edition)
        self.edition_of[email_id] = edition or UNNAMED

    def switch(self) -> None:
        self.parts = Parts(self.database, needs_approval=not self.parts.needs_approval)

    def queue(self) -> None:
        self.parts.ledger.queue(CAMPAIGN, NOW)

    def lease(self) -> None:
        self.queue()
        due = {entry.email_id for entry in self.parts.ledger.due(CAMPAIGN, NOW, 100, None)}
        leased = lease(self.parts)
        assert {entry.email_id for entry in leased} <= due
        assert all(self.is_allowed(email_id) for email_id in due)
        self.held += leased

    def mark(self) -> None:
        if self.held:
            entry = self.held.pop()
            marked = mark(self.parts, entry)
            # Approval may have been asked for since; what a sender holds was agreed to under what held then.
            assert marked == (self.verdicts.get(self.edition_of[entry.email_id]) != "rejected")
            self.sent |= {entry.email_id} if marked else set()

    def release(self) -> None:
        self.parts.ledger.release(US)
        self.held.clear()

    def is_allowed(self, email_id: str) -> bool:
        verdict = self.verdicts.get(self.edition_of[email_id])
        return verdict == "approved" if self.parts.needs_approval else verdict != "rejected"

    def end(self) -> None:
        self.release()
        self.queue()
        for row in self.parts.rows().values():
            rejected = self.verdicts.get(self.edition_of[row.email_id]) == "rejected"
            assert (row.status == "sending") == (row.email_id in self.sent)
            assert row.status in ("sending", "skipped") or not rejected
            assert row.status != "skipped" or row.reason == "copy_rejected"
            assert row.status != "draft" or not self.is_allowed(row.email_id)


VERDICTS: tuple[Verdict, ...] = ("approved", "rejected")
HAPPENINGS = st.one_of(
    st.tuples(st.just("decide"), st.sampled_from([OURS, UNNAMED]), st.sampled_from(VERDICTS)),
    st.tuples(st.just("write"), st.sampled_from([OURS, None])),
    *(st.tuples(st.just(name)) for name in ("switch", "queue", "lease", "mark", "mark", "release")),
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(happenings=st.lists(HAPPENINGS, min_size=12, max_size=30))
def test_no_rejected_words_leave_and_no_others_before_their_time(
    database: Database, happenings: list[tuple[str, ...]]
) -> None:
    story = Story(database)
    for name, *arguments in happenings:
        getattr(story, name)(*arguments)
    story.end()
