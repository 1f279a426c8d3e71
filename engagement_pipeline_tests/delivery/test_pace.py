"""The pace of one run: by its turns, within the day, held back and stopped in words, resting when it is refused."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta, timezone

import pytest
import sqlalchemy as sa

from engagement_pipeline.delivery import pace as pacing
from engagement_pipeline.delivery.mailer import Allowance, HeldBackError, PausedError
from engagement_pipeline.delivery.pace import Begun, Clock, Pace
from engagement_pipeline.delivery.tables import send_pace
from engagement_pipeline.platform import clock
from engagement_pipeline.platform.sql import Database

pytestmark = [pytest.mark.integration, pytest.mark.alone]

LAST_SECOND = datetime(2026, 3, 2, 23, 59, 59, 999_000, tzinfo=timezone.utc)


class NoLimits:
    """Allows what it is told to."""

    def __init__(self, cap: int | None = None, reason: str | None = None) -> None:
        self.cap = cap
        self.reason = reason

    def day_cap(self, provider: str, now: datetime) -> int | None:
        return self.cap

    def must_stop(self, now: datetime) -> str | None:
        return self.reason


def pace_of(database: Database, allowance: Allowance, limits: NoLimits | None = None, now: Clock = clock.now) -> Pace:
    return Pace(database, "ses", allowance, limits or NoLimits(), now)


def hand_over(pace: Pace) -> Begun:
    """Go through one message as a lane does."""
    turn = pace.take()
    assert pace.wait_for(turn)
    begun = pace.start(turn)
    assert begun is not None
    return begun


def book_of(database: Database) -> sa.Row[tuple[object, ...]]:
    with database.read() as connection:
        return connection.execute(sa.select(send_pace)).one()


def most_in_any_second(starts: list[float]) -> int:
    starts = sorted(starts)
    return max(sum(start <= later < start + 1 for later in starts[at:]) for at, start in enumerate(starts))


@contextmanager
def other_database(database: Database) -> Iterator[Database]:
    other = Database(database.engine.url.render_as_string(hide_password=False))
    yield other
    other.close()


def test_where_nothing_is_limited_there_is_nothing_to_wait_for(database: Database) -> None:
    pace = pace_of(database, Allowance())
    assert pace.take() is None
    assert pace.seconds_until(None) == 0
    assert pace.start(None) is not None
    assert pace.ahead is None


@pytest.mark.parametrize(("rate", "ahead"), [(50, 750), (1, 15), (0.01, 1)])
def test_little_is_prepared_where_little_goes(database: Database, rate: float, ahead: int) -> None:
    assert pace_of(database, Allowance(per_second=rate)).ahead == ahead


def test_two_runs_share_one_rate(database: Database) -> None:
    with other_database(database) as other:
        paces = [pace_of(each, Allowance(per_second=40)) for each in (database, other)]
        until = time.monotonic() + 3

        def lane(pace: Pace) -> list[float]:
            starts = []
            while time.monotonic() < until:
                starts.append(hand_over(pace).at)
            return starts

        with ThreadPoolExecutor(8) as pool:
            lanes = list(pool.map(lane, paces * 4))
        for pace in paces:
            pace.close()
    starts = sorted(start for lane_starts in lanes for start in lane_starts)
    assert most_in_any_second(starts) <= 40
    assert len(starts) / (starts[-1] - starts[0]) > 0.8 * 40, "much less would mean that turns are lost"
    for own in ([*lanes[0::2]], [*lanes[1::2]]):
        mine = sorted(start for lane_starts in own for start in lane_starts)
        assert len(mine) > len(starts) / 4, "neither starves the other"


def test_a_late_turn_is_given_back_and_not_caught_up_with(database: Database) -> None:
    pace = pace_of(database, Allowance(per_second=100, left_today=1_000))
    hand_over(pace)
    turn = pace.take()
    time.sleep(0.5)
    starts = [pace.start(turn)]
    starts += [hand_over(pace) for _ in range(9)]
    pace.close()
    moments = [start.at for start in starts if start is not None]
    assert moments[-1] - moments[0] >= 9 / 100 - 0.005, "no burst makes up for the half second"
    row = book_of(database)
    assert (row.taken_on_day, row.left_of_quota) == (11, 1_000 - 11), "only what was used counts"


def test_a_message_keeps_its_distance_to_one_that_was_late(database: Database) -> None:
    pace = pace_of(database, Allowance(per_second=10))
    first, second = pace.take(), pace.take()
    assert first is not None
    assert second is not None
    time.sleep(max(0.0, pace.seconds_until(first)) + 0.025)
    begun = [pace.start(first), pace.start(second)]
    at = [each.at for each in begun if each is not None]
    assert at[1] - at[0] >= 0.099


@pytest.mark.parametrize(
    ("allowance", "cap", "words"),
    [
        (Allowance(per_second=1_000, per_day=3), None, "the day's limit of 3 e-mails is reached"),
        (Allowance(per_second=1_000, per_day=1_500), 3, "the day's limit of 3 e-mails is reached"),
        (Allowance(per_day=3), 10, "the day's limit of 3 e-mails is reached"),
        (Allowance(left_today=3), None, "the provider's quota for 24 hours is used up"),
        (Allowance(per_second=1_000, left_today=3), 5, "the provider's quota for 24 hours is used up"),
    ],
)
def test_a_days_limit_holds_back_in_words(
    database: Database, allowance: Allowance, cap: int | None, words: str
) -> None:
    pace = pace_of(database, allowance, NoLimits(cap))
    for _ in range(3):
        hand_over(pace)
    with pytest.raises(HeldBackError) as held_back:
        pace.take()
    assert held_back.value.reason == words


def test_a_cap_of_thousands_reads_well(database: Database) -> None:
    pace = pace_of(database, Allowance(), NoLimits(cap=1_000))
    for _ in range(1_000):
        pace.take()
    with pytest.raises(HeldBackError, match=r"^the day's limit of 1,000 e-mails is reached$"):
        pace.take()


def test_a_call_that_was_refused_does_not_count_against_the_day(database: Database) -> None:
    pace = pace_of(database, Allowance(per_second=1_000, per_day=2))
    for _ in range(5):
        pace.refused(hand_over(pace))
    hand_over(pace)
    hand_over(pace)
    with pytest.raises(HeldBackError):
        pace.take()


def test_turns_in_hand_at_the_end_go_back(database: Database) -> None:
    pace = pace_of(database, Allowance(left_today=100))
    pace.take()
    pace.give_back(pace.take())
    assert book_of(database).left_of_quota == 50, "taken many at once"
    pace.close()
    assert (book_of(database).taken_on_day, book_of(database).left_of_quota) == (1, 99)


def test_turns_left_over_from_yesterday_are_not_used_today(database: Database) -> None:
    moment = LAST_SECOND
    pace = pace_of(database, Allowance(per_day=60), now=lambda: moment)
    assert pace.take() is not None
    moment += timedelta(seconds=2)
    for _ in range(60):
        pace.take()
    with pytest.raises(HeldBackError):
        pace.take()
    pace.close()
    assert book_of(database).taken_on_day == 60


def test_what_must_stop_does_not_begin(database: Database) -> None:
    with pytest.raises(PausedError, match="too many bounced"):
        pace_of(database, Allowance(), NoLimits(reason="too many bounced"))


@pytest.mark.parametrize("allowance", [Allowance(), Allowance(per_second=1_000)])
def test_what_must_stop_stops_within_the_run(
    database: Database, monkeypatch: pytest.MonkeyPatch, allowance: Allowance
) -> None:
    monkeypatch.setattr(pacing, "_LOOK_EVERY_SECONDS", 0.1)
    limits = NoLimits()
    pace = pace_of(database, allowance, limits)
    hand_over(pace)
    limits.reason = "too many bounced"
    hand_over(pace)
    time.sleep(0.11)
    with pytest.raises(PausedError, match="too many bounced") as stopped:
        pace.take()
    assert not isinstance(stopped.value, HeldBackError)


def test_a_cap_that_comes_up_within_the_run_is_heeded(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pacing, "_LOOK_EVERY_SECONDS", 0.05)
    limits = NoLimits()
    pace = pace_of(database, Allowance(per_second=1_000), limits)
    for _ in range(5):
        hand_over(pace)
    limits.cap = 1
    time.sleep(0.06)
    taken = 0
    with suppress(HeldBackError):
        while taken < 500:
            pace.take()
            taken += 1
    assert taken <= 97, "no more than was taken from the store before"


def test_looking_at_the_limits_does_not_hold_up_the_other_lanes(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pacing, "_LOOK_EVERY_SECONDS", 0.1)
    looking, go_on = threading.Event(), threading.Event()

    class Slow(NoLimits):
        def must_stop(self, now: datetime) -> str | None:
            looking.set()
            go_on.wait(10)
            return None

    go_on.set()
    pace = pace_of(database, Allowance(per_second=1_000), Slow())
    go_on.clear()
    looking.clear()
    time.sleep(0.11)
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(pace.take)
        assert looking.wait(10)
        assert pace.take() is not None
        assert not slow.done()
        go_on.set()
        assert slow.result(10) is not None


def test_a_refusal_makes_everybody_rest_where_there_is_no_rate(database: Database) -> None:
    pace = pace_of(database, Allowance())
    # Sixteen lanes are refused at the same time: one rest, not sixteen.
    under_way = [hand_over(pace) for _ in range(16)]
    for begun in under_way:
        pace.refused(begun)
    rest = pace.seconds_until(None)
    assert 0 < rest <= 0.1
    begun = hand_over(pace)
    assert begun.at - under_way[-1].at >= rest - 0.01
    pace.refused(begun)
    assert 0.1 < pace.seconds_until(None) <= 0.2, "longer each time"
    pace.answered()
    pace.refused(hand_over(pace))
    assert pace.seconds_until(None) <= 0.1, "and short again once something was accepted"


def test_a_share_of_refused_calls_makes_nobody_rest_where_there_is_a_rate(database: Database) -> None:
    pace = pace_of(database, Allowance(per_second=1_000))
    for _ in range(3):
        for _ in range(15):
            pace.refused(hand_over(pace))
        assert pace.seconds_until(None) == 0
        pace.answered()
    for _ in range(16):
        pace.refused(hand_over(pace))
    assert pace.seconds_until(None) > 0


def test_who_is_refused_for_ever_stops(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pacing, "_FIRST_REST_SECONDS", 0.0001)
    pace = pace_of(database, Allowance())
    for _ in range(10):
        pace.refused(hand_over(pace))
    with pytest.raises(PausedError, match="the provider refuses every call because they come too fast"):
        pace.refused(hand_over(pace))


def test_a_run_that_is_halted_waits_for_nothing(database: Database) -> None:
    pace = pace_of(database, Allowance(per_second=0.01, left_today=100))
    hand_over(pace)
    turns = [pace.take() for _ in range(3)]
    began = time.monotonic()
    with ThreadPoolExecutor(3) as pool:
        waiting = [pool.submit(pace.wait_for, turns[0]), pool.submit(pace.wait_for, turns[1])]
        starting: Future[Begun | None] = pool.submit(pace.start, turns[2])
        time.sleep(0.1)
        assert not starting.done()
        assert not any(job.done() for job in waiting)
        pace.halt()
        assert [job.result(5) for job in waiting] == [False, False]
        assert starting.result(5) is None
    assert time.monotonic() - began < 5
    pace.close()
    assert book_of(database).left_of_quota == 97, "the turn that was not begun is given back"
