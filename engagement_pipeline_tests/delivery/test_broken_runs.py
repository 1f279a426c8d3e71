"""What breaks within a run of several lanes: the run ends at once, says so, and no row is lost or in doubt."""

import itertools
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta

import pytest

from engagement_pipeline.delivery import pace
from engagement_pipeline.delivery.entries import Entry, Outcome, Ticket
from engagement_pipeline.delivery.judging import Judge, Judged
from engagement_pipeline.delivery.limits import SendingLimits
from engagement_pipeline.delivery.mailer import Allowance, PausedError, Receipt, ThrottledError
from engagement_pipeline.delivery.message import Message
from engagement_pipeline.delivery.send_report import SendReport
from engagement_pipeline.delivery.sql_ledger import SqlLedger
from engagement_pipeline.delivery.turns import TurnBook
from engagement_pipeline.platform import clock
from engagement_pipeline.platform.sql import Database
from engagement_pipeline_tests.conftest import NOW
from engagement_pipeline_tests.delivery.parts import CAMPAIGN, Parts, silent_user

pytestmark = [pytest.mark.integration, pytest.mark.alone]


class Provider:
    """Takes every message, unless told otherwise, and cannot be asked afterwards."""

    name = "provider"
    delivers = False

    def __init__(self, allowance: Allowance | None = None) -> None:
        self.taken: list[str] = []
        self.closed = 0
        self._allowance = allowance or Allowance()
        self._calls = itertools.count(1)

    def allowance(self) -> Allowance:
        return self._allowance

    def send(self, message: Message) -> Receipt:
        self.before(next(self._calls))
        self.taken.append(message.email_id)
        return Receipt(message.email_id)

    def before(self, call: int) -> None:
        """Do what a test wishes before the n-th call."""

    def was_accepted(self, email_id: str) -> bool | None:
        return None

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def parts(database: Database) -> Parts:
    parts = Parts(database)
    users = [silent_user(number) for number in range(60)]
    parts.add_users(users, NOW)
    parts.add_drafts([user.user_id for user in users], NOW)
    return parts


def ticking() -> Callable[[], datetime]:
    began = clock.now()
    return lambda: NOW + (clock.now() - began)


def check(parts: Parts, provider: Provider) -> dict[str, int]:
    """Check that nothing is in doubt: rows are sent or queued, free for the next run, and users know of it."""
    rows = parts.rows()
    assert sorted(row.email_id for row in rows.values() if row.status == "sent") == sorted(provider.taken)
    assert {row.status for row in rows.values()} <= {"sent", "queued"}
    assert all(row.claimed_by is None for row in rows.values())
    assert {row.attempts for row in rows.values() if row.status == "queued"} <= {0}
    for user in parts.store.get_users(rows):
        assert user.steps == (rows[user.user_id].status == "sent")
    assert provider.closed == 1
    return {str(status): number for status, number in parts.ledger.count_by_status(CAMPAIGN).items()}


def test_a_preparer_that_breaks_ends_the_run_at_once(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    judge = Judge.judge
    batches = itertools.count(1)

    def break_at_the_third(self: Judge, entries: Sequence[Entry], now: datetime) -> Judged:
        if next(batches) == 3:
            raise RuntimeError("a bug in the gate")
        return judge(self, entries, now)

    monkeypatch.setattr(Judge, "judge", break_at_the_third)
    # Thirty messages are ready by then; at this pace they would keep the lanes busy for a minute.
    provider = Provider(Allowance(per_second=0.5))
    began = time.monotonic()
    with pytest.raises(RuntimeError, match="a bug in the gate"):
        parts.sender(provider, lanes=4).run(ticking())
    assert time.monotonic() - began < 10
    assert check(parts, provider)["queued"] >= 55


def test_one_lane_that_is_paused_stops_those_that_wait(parts: Parts) -> None:
    class Paused(Provider):
        def before(self, call: int) -> None:
            if call == 2:
                raise PausedError("the account is paused")

    provider = Paused(Allowance(per_second=1, left_today=100))
    began = time.monotonic()
    report = parts.sender(provider, lanes=8).run(ticking())
    assert time.monotonic() - began < 6, "the other lanes do not wait for their turns first"
    assert (report.sent, report.waiting, report.stopped) == (1, 59, "the account is paused")
    assert check(parts, provider) == {"sent": 1, "queued": 59}


def test_a_days_limit_lets_those_that_have_their_turn_go(parts: Parts) -> None:
    provider = Provider(Allowance(per_second=20, per_day=15))
    report = parts.sender(provider, lanes=8).run(ticking())
    assert (report.sent, report.waiting) == (15, 45)
    assert report.held_back == "the day's limit of 15 e-mails is reached"
    assert check(parts, provider) == {"sent": 15, "queued": 45}


def test_held_back_after_the_row_was_marked(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    advance = SqlLedger.advance

    def slowly(
        self: SqlLedger,
        worker: str,
        finished: Outcome | None,
        following: Ticket | None,
        now: datetime,
        lease_for: timedelta,
    ) -> bool:
        marked = advance(self, worker, finished, following, now, lease_for)
        if following is not None:
            provider.gone_by(following.email_id)
        return marked

    class Slow(Provider):
        def gone_by(self, email_id: str) -> None:
            if len(self.taken) == 2:
                # The turn goes by, and while we wait others use up the rest of the day.
                time.sleep(0.7)
                book_of_others.take(100, timedelta(), 3, now())

    now = ticking()
    provider = Slow(Allowance(per_second=50, per_day=3))
    book_of_others = TurnBook(parts.database, provider.name)
    monkeypatch.setattr(SqlLedger, "advance", slowly)
    monkeypatch.setattr(pace.Pace, "_return_unused", lambda self: self._unused.clear())
    # On a busy machine other turns go by as well, and here none comes back.
    monkeypatch.setattr(pace, "_IN_TIME", timedelta(seconds=0.6))
    report = parts.sender(provider).run(now)
    assert (report.sent, report.waiting) == (2, 58)
    assert report.held_back == "the day's limit of 3 e-mails is reached"
    assert check(parts, provider) == {"sent": 2, "queued": 58}


@pytest.mark.parametrize("breaks", ["take", "start"])
def test_a_store_that_breaks_while_turns_are_taken(parts: Parts, monkeypatch: pytest.MonkeyPatch, breaks: str) -> None:
    working = getattr(pace.Pace, breaks)
    calls = itertools.count(1)

    def broken(self: pace.Pace, *arguments: object) -> object:
        if next(calls) == 10:
            raise OSError("the store is gone")
        return working(self, *arguments)

    monkeypatch.setattr(pace.Pace, breaks, broken)
    provider = Provider()
    with pytest.raises(OSError, match="the store is gone"):
        parts.sender(provider, lanes=3).run(ticking())
    assert check(parts, provider)["queued"] > 0, "a message that was not handed over is not in doubt"


def test_a_store_that_breaks_once_forgets_no_outcome(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    advance = SqlLedger.advance
    calls = itertools.count(1)

    def breaking(
        self: SqlLedger,
        worker: str,
        finished: Outcome | None,
        following: Ticket | None,
        now: datetime,
        lease_for: timedelta,
    ) -> bool:
        if next(calls) == 10:
            raise OSError("the store is gone")
        return advance(self, worker, finished, following, now, lease_for)

    monkeypatch.setattr(SqlLedger, "advance", breaking)
    provider = Provider()
    with pytest.raises(OSError, match="the store is gone"):
        parts.sender(provider, lanes=3).run(ticking())
    assert check(parts, provider)["sent"] >= 5


def test_whoever_listens_and_breaks_forgets_no_outcome(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engagement_pipeline.delivery.send_report._TELL_EVERY_SECONDS", 0)

    def hang_up(report: SendReport) -> None:
        if report.sent == 5:
            raise BrokenPipeError("nobody reads the progress any more")

    provider = Provider()
    with pytest.raises(BrokenPipeError):
        parts.sender(provider, lanes=2).run(ticking(), hang_up)
    assert check(parts, provider)["sent"] >= 5


@pytest.fixture
def listens_to_ctrl_c() -> Iterator[None]:
    """A process in the background, as in many a CI, ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("listens_to_ctrl_c")
@pytest.mark.parametrize("resting", [False, True])
def test_ctrl_c_ends_the_run_at_once(parts: Parts, resting: bool) -> None:
    class Interrupted(Provider):
        def before(self, call: int) -> None:
            if call == 3:
                threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGINT)).start()
            if resting and call >= 3:
                raise ThrottledError("421 slow down")

    provider = Interrupted(Allowance() if resting else Allowance(per_second=1, left_today=100))
    if not resting:
        provider.before(3)
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        parts.sender(provider, lanes=8).run(ticking())
    assert time.monotonic() - began < 5
    check(parts, provider)


def test_a_provider_that_does_not_answer_is_sent_nothing(parts: Parts) -> None:
    class Silent(Provider):
        def allowance(self) -> Allowance:
            raise PausedError("the SMTP server mail.our-shop.net:587 cannot be reached")

    provider = Silent()
    report = parts.sender(provider, lanes=2).run(ticking())
    assert (report.waiting, report.stopped) == (60, "the SMTP server mail.our-shop.net:587 cannot be reached")
    assert check(parts, provider) == {"queued": 60}


def test_a_bug_in_asking_the_provider_is_told_and_everything_closed(parts: Parts) -> None:
    class Broken(Provider):
        def allowance(self) -> Allowance:
            raise KeyError("SendQuota")

    provider = Broken()
    with pytest.raises(KeyError, match="SendQuota"):
        parts.sender(provider, lanes=2).run(ticking())
    assert check(parts, provider) == {"queued": 60}


@pytest.mark.parametrize("stopped", [None, "the account is paused"])
def test_a_mailer_that_does_not_close_spoils_no_report(parts: Parts, stopped: str | None) -> None:
    class Stuck(Provider):
        def before(self, call: int) -> None:
            if stopped:
                raise PausedError(stopped)

        def close(self) -> None:
            super().close()
            raise OSError("connection reset")

    provider = Stuck()
    report = parts.sender(provider, lanes=2).run(ticking())
    assert (report.sent, report.stopped) == (0 if stopped else 60, stopped)
    check(parts, provider)


def test_a_server_too_busy_for_all_lanes_at_once_is_given_time(parts: Parts) -> None:
    class Busy(Provider):
        until = 0.0

        def before(self, call: int) -> None:
            if call == 1:
                self.until = time.monotonic() + 0.5
            if time.monotonic() < self.until:
                raise ThrottledError("421 too many connections")

    provider = Busy()
    report = parts.sender(provider, lanes=16).run(ticking())
    assert (report.sent, report.stopped) == (60, None)
    assert check(parts, provider) == {"sent": 60}


def test_the_breaker_stops_a_run_that_is_under_way(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "_LOOK_EVERY_SECONDS", 0.05)
    provider = Provider(Allowance(per_second=40))
    monkeypatch.setattr(
        SendingLimits, "must_stop", lambda self, now: "too many bounced" if len(provider.taken) > 5 else None
    )
    report = parts.sender(provider, lanes=4).run(ticking())
    assert report.stopped == "too many bounced"
    assert 5 < report.sent < 30
    assert check(parts, provider) == {"sent": report.sent, "queued": 60 - report.sent}
