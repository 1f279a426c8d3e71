"""Turns are handed out once, never closer than their interval, never more than a day or a quota allows."""

import itertools
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engagement_pipeline.delivery.tables import send_pace
from engagement_pipeline.delivery.turns import TurnBook, Turns, day_of
from engagement_pipeline.migrations import upgrade
from engagement_pipeline.platform.sql import Database
from engagement_pipeline_tests.conftest import NOW

INTERVAL = timedelta(milliseconds=20)
MIDNIGHT = datetime(2026, 3, 3, tzinfo=timezone.utc)

TakeTurns = Callable[[TurnBook], Turns]


@pytest.fixture
def book(database: Database) -> TurnBook:
    return TurnBook(database, "ses")


def take_by_many(database: Database, take: TakeTurns, takers: int = 4, times: int = 12) -> list[Turns]:
    """Take turns in threads, each pair of which has a Database of its own, as processes would."""
    url = database.engine.url.render_as_string(hide_password=False)
    databases = [Database(url) for _ in range(takers // 2)]
    start = threading.Barrier(takers)

    def run(number: int) -> list[Turns]:
        mine = TurnBook(databases[number % len(databases)], "ses")
        start.wait()
        return [take(mine) for _ in range(times)]

    try:
        with ThreadPoolExecutor(takers) as pool:
            return [turns for taken in pool.map(run, range(takers)) for turns in taken]
    finally:
        for other in databases:
            other.close()


def moments(taken: list[Turns]) -> list[datetime]:
    return sorted(moment for turns in taken for moment in turns.at)


def test_turns_follow_one_another(book: TurnBook) -> None:
    assert book.take(2, INTERVAL, None, NOW) == Turns((NOW, NOW + INTERVAL))
    assert book.take(1, INTERVAL, None, NOW) == Turns((NOW + 2 * INTERVAL,))
    later = NOW + timedelta(hours=1)
    assert book.take(1, INTERVAL, None, later) == Turns((later,)), "what went by unused is not caught up with"


def test_providers_do_not_share_their_turns(database: Database, book: TurnBook) -> None:
    book.take(5, INTERVAL, 5, NOW)
    assert TurnBook(database, "smtp").take(1, INTERVAL, 5, NOW) == Turns((NOW,))


def test_many_takers_never_get_one_turn_twice_or_two_too_close(database: Database) -> None:
    taken = moments(take_by_many(database, lambda book: book.take(3, INTERVAL, None, NOW)))
    assert taken == [NOW + number * INTERVAL for number in range(4 * 12 * 3)]


def test_many_takers_never_get_more_than_a_day_allows(database: Database) -> None:
    taken = take_by_many(database, lambda book: book.take(7, INTERVAL, 100, NOW))
    assert len(moments(taken)) == 100
    assert {turns.used_up for turns in taken if not turns.at} == {"the day's limit of 100 e-mails is reached"}


def test_many_takers_never_get_more_than_the_quota(database: Database, book: TurnBook) -> None:
    book.set_quota(100, NOW)
    taken = take_by_many(database, lambda book: book.take(7, INTERVAL, None, NOW))
    assert len(moments(taken)) == 100
    assert {turns.used_up for turns in taken if not turns.at} == {"the provider's quota for 24 hours is used up"}


def test_turns_given_back_may_be_taken_again_but_not_their_moments(book: TurnBook) -> None:
    book.set_quota(4, NOW)
    first = book.take(4, INTERVAL, 4, NOW)
    assert book.take(1, INTERVAL, 4, NOW).used_up
    book.give_back(first.at[2:], NOW)
    assert book.take(4, INTERVAL, 4, NOW).at == (NOW + 4 * INTERVAL, NOW + 5 * INTERVAL)
    assert book.take(1, INTERVAL, 4, NOW).used_up


def test_a_clock_that_is_wrong_makes_nobody_else_wait_for_long(book: TurnBook) -> None:
    book.take(1, INTERVAL, None, NOW + timedelta(hours=1))
    assert book.take(1, INTERVAL, None, NOW).at == (NOW + timedelta(minutes=5),)


def test_a_new_day_begins_at_midnight_utc(book: TurnBook) -> None:
    evening = datetime(2026, 3, 2, 23, 0, tzinfo=timezone.utc)
    assert len(book.take(10, INTERVAL, 10, evening).at) == 10
    tokyo = timezone(timedelta(hours=9))
    assert book.take(1, INTERVAL, 10, evening.astimezone(tokyo)).used_up, "the day is the same, seen from elsewhere"
    assert len(book.take(20, INTERVAL, 10, MIDNIGHT).at) == 10
    assert book.take(1, INTERVAL, 10, MIDNIGHT).used_up


def test_turns_of_one_day_do_not_count_against_the_next(book: TurnBook) -> None:
    before = MIDNIGHT - 3 * INTERVAL + timedelta(microseconds=1)
    evening = book.take(10, INTERVAL, 100, before)
    assert len(evening.at) == 3, "no more than there is room for before midnight"
    morning = book.take(10, INTERVAL, 10, before)
    assert [day_of(turn) for turn in morning.at] == [MIDNIGHT.date()] * 10
    book.give_back(evening.at, MIDNIGHT)
    assert book.take(1, INTERVAL, 10, MIDNIGHT).used_up, "what is given back of yesterday adds nothing to today"


def test_the_quota_is_what_the_provider_says_once_nothing_is_on_its_way(book: TurnBook) -> None:
    book.set_quota(10, NOW)
    book.take(6, INTERVAL, None, NOW)
    # Another sender begins: the provider has not yet counted the last two of the six.
    book.set_quota(6, NOW + timedelta(seconds=1))
    assert len(book.take(10, INTERVAL, None, NOW + timedelta(seconds=1)).at) == 4
    much_later = NOW + timedelta(minutes=5)
    book.set_quota(50, much_later)
    assert len(book.take(100, INTERVAL, None, much_later).at) == 50


def test_a_quota_that_was_lifted_holds_nobody_back(book: TurnBook) -> None:
    book.set_quota(0, NOW)
    assert book.take(1, INTERVAL, None, NOW).used_up
    book.set_quota(None, NOW)
    assert book.take(1, INTERVAL, None, NOW).at


def test_the_first_turn_of_all_is_taken_by_many_at_once(database: Database) -> None:
    taken = moments(take_by_many(database, lambda book: book.take(1, INTERVAL, None, NOW), takers=8, times=1))
    assert taken == [NOW + number * INTERVAL for number in range(8)]


@pytest.fixture(scope="module")
def quick_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    database = Database(f"sqlite:///{Path(tmp_path_factory.mktemp('turns')) / 'engagement.db'}")
    upgrade(database)
    yield database
    database.close()


STEPS = st.one_of(
    st.tuples(st.just("take"), st.integers(1, 30)),
    st.tuples(st.just("give_back"), st.integers(0, 10)),
    st.tuples(st.just("later"), st.integers(0, 6 * 3600)),
    st.tuples(st.just("quota"), st.integers(0, 60)),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    # Fewer turns than a sender can be ahead by.
    steps=st.lists(STEPS, max_size=30),
    cap=st.none() | st.integers(0, 50),
    interval_ms=st.sampled_from([0, 1, 20, 997, 3_600_000]),
)
def test_whatever_is_taken_and_given_back(
    quick_store: Database, steps: list[tuple[str, int]], cap: int | None, interval_ms: int
) -> None:
    with quick_store.write() as connection:
        connection.execute(sa.delete(send_pace))
    book, now, interval = TurnBook(quick_store, "ses"), NOW, timedelta(milliseconds=interval_ms)
    handed_out: list[datetime] = []
    kept: list[datetime] = []
    quota: int | None = None
    for step, number in steps:
        if step == "take":
            turns = book.take(number, interval, cap, now).at
            assert not handed_out or not turns or turns[0] >= handed_out[-1] + interval
            assert all(turn >= now for turn in turns)
            assert all(late - early == interval for early, late in itertools.pairwise(turns))
            handed_out += turns
            kept += turns
            quota = None if quota is None else quota - len(turns)
        elif step == "give_back":
            book.give_back(kept[len(kept) - number :] if number else [], now)
            given = min(number, len(kept))
            kept = kept[: len(kept) - given]
            quota = None if quota is None else quota + given
        elif step == "quota":
            recent = bool(handed_out) and handed_out[-1] + interval > now - timedelta(minutes=1)
            quota = min(number, quota) if recent and quota is not None else number
            book.set_quota(number, now)
        else:
            now += timedelta(seconds=number)
        assert quota is None or quota >= 0
        assert cap is None or all([day_of(turn) for turn in kept].count(day) <= cap for day in set(map(day_of, kept)))
