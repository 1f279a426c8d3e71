"""A domain grows by what it has shown, one tier at a time."""

from dataclasses import replace
from datetime import date, datetime, timedelta, timezone
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engagement_pipeline.delivery.reputation import SendingDay, sending_days
from engagement_pipeline.delivery.warm_up import TIERS, cap_after, current_cap, day_cap
from engagement_pipeline.platform.sql import Database
from engagement_pipeline_tests.conftest import NOW
from engagement_pipeline_tests.delivery.sent_emails import add_events, add_sent

START = date(2026, 1, 1)
END = START + timedelta(days=400)


def on(offset: int, sent: int, hard_bounces: int = 0, complaints: int = 0) -> SendingDay:
    return SendingDay(START + timedelta(days=offset), sent, hard_bounces, complaints)


@st.composite
def histories(draw: st.DrawFn, spread: int = 60) -> list[SendingDay]:
    offsets = draw(st.lists(st.integers(0, spread), unique=True, max_size=30))
    sizes = st.one_of(
        st.sampled_from([size // 2 + offset for size in TIERS for offset in (-1, 0)]), st.integers(0, 400)
    )
    history = []
    for offset in offsets:
        sent = draw(sizes)
        few = st.integers(0, max(sent // 40, 0))
        history.append(on(offset, sent, draw(few), draw(st.integers(0, sent // 800))))
    return history


def steady(days: int, bounces_one_in: int = 0, complaints_one_in: int = 0) -> list[SendingDay]:
    """A domain that uses what it is given."""
    history: list[SendingDay] = []
    for offset in range(days):
        cap = cap_after(history, START + timedelta(days=offset))
        history.append(
            on(offset, cap, *(-(-cap // one_in) if one_in else 0 for one_in in (bounces_one_in, complaints_one_in)))
        )
    return history


def test_two_days_of_use_earn_each_tier() -> None:
    assert [day.sent for day in steady(18)] == [*(tier for tier in TIERS for _ in range(2)), TIERS[-1], TIERS[-1]]


@pytest.mark.parametrize(
    ("history", "cap"),
    [
        ([], 100),
        ([on(0, 50)], 100),
        ([on(0, 50), on(9, 50)], 1_000),
        ([on(0, 50), on(1, 49)], 100),
        # What was sent before the tier was in force does not earn the next one.
        ([on(0, 5_000), on(1, 5_000)], 1_000),
        # Half of the hundred bounced, but a hundred say nothing.
        ([on(0, 50, 25), on(1, 50, 25)], 1_000),
        ([on(0, 100, 2), on(1, 100, 2)], 100),
        ([on(0, 100, 2), on(1, 100, 1)], 1_000),
        ([on(0, 50), on(1, 50), on(2, 499, 0, 9), on(3, 400)], 1_000),
        ([on(0, 50), on(1, 50), on(2, 500), on(3, 500, 0, 1)], 3_000),
        ([on(0, 50), on(1, 50), on(2, 500), on(3, 500, 0, 2)], 1_000),
        # Bad days are forgotten after thirty.
        ([on(0, 200, 100), on(1, 50), on(29, 50)], 100),
        ([on(0, 200, 100), on(1, 50), on(30, 50)], 1_000),
    ],
)
def test_what_earns_a_tier(history: list[SendingDay], cap: int) -> None:
    assert cap_after(history, END) == cap


@pytest.mark.parametrize("rates", [{"bounces_one_in": 50}, {"complaints_one_in": 1_000}])
def test_a_domain_with_bad_rates_never_gets_far(rates: dict[str, int]) -> None:
    assert cap_after(steady(300, **rates), END) <= 1_000


@given(histories())
def test_a_cap_is_a_tier(history: list[SendingDay]) -> None:
    assert cap_after(history, END) in TIERS


@given(histories())
def test_no_day_skips_a_tier(history: list[SendingDay]) -> None:
    caps = [cap_after(history, START + timedelta(days=offset)) for offset in range(70)]
    places = [TIERS.index(cap) for cap in caps]
    assert caps[0] == TIERS[0]
    assert all(0 <= after - before <= 1 for before, after in pairwise(places))


@given(histories(), st.randoms(use_true_random=False))
def test_order_does_not_matter(history: list[SendingDay], random: object) -> None:
    shuffled = [*history]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert cap_after(shuffled, END) == cap_after(history, END)


@given(histories(), st.integers(0, 60))
def test_today_and_the_future_earn_nothing(history: list[SendingDay], offset: int) -> None:
    today = START + timedelta(days=offset)
    assert cap_after(history, today) == cap_after([day for day in history if day.day < today], today)


@given(histories(), st.sets(st.integers(0, 399)))
def test_idle_days_change_nothing(history: list[SendingDay], offsets: set[int]) -> None:
    known = {day.day for day in history}
    idle = [on(offset, 0) for offset in offsets if START + timedelta(days=offset) not in known]
    assert cap_after([*history, *idle], END) == cap_after(history, END)


@given(histories(), st.data())
def test_worse_news_never_raises_the_cap(history: list[SendingDay], data: st.DataObject) -> None:
    worse = [
        replace(
            day,
            hard_bounces=day.hard_bounces + data.draw(st.integers(0, 20)),
            complaints=day.complaints + data.draw(st.integers(0, 5)),
        )
        for day in history
    ]
    assert cap_after(worse, END) <= cap_after(history, END)


@given(histories(), st.data())
def test_more_e_mails_that_all_arrive_never_lower_the_cap(history: list[SendingDay], data: st.DataObject) -> None:
    clean = [replace(day, hard_bounces=0, complaints=0) for day in history]
    more = [replace(day, sent=day.sent + data.draw(st.integers(0, 500))) for day in clean]
    assert cap_after(more, END) >= cap_after(clean, END)


def test_the_ledger_tells_the_days(database: Database) -> None:
    late = datetime(2026, 2, 27, 23, 59, 59, tzinfo=timezone.utc)
    add_sent(database, 3, late)
    add_sent(database, 2, late + timedelta(seconds=1), "unknown")
    bounced = add_sent(database, 2, late, "bounced")
    complained = add_sent(database, 2, late, "complained")
    add_events(database, [*bounced, complained[0]], "hard_bounce", NOW)
    add_events(database, complained, "complaint", NOW)
    # Not this provider's, not handed over, or of today.
    add_sent(database, 5, late, provider="outbox")
    add_sent(database, 5, late, "failed")
    add_sent(database, 5, None, "queued")
    add_sent(database, 5, NOW)
    with database.read() as connection:
        days = sending_days(connection, "ses", NOW.replace(hour=0))
    assert days == [SendingDay(date(2026, 2, 27), 7, 3, 2), SendingDay(date(2026, 2, 28), 2, 0, 0)]


def test_the_cap_is_worked_out_once_a_day_and_per_provider(database: Database) -> None:
    def caps(now: datetime) -> tuple[int, int]:
        with database.write() as connection:
            return day_cap(connection, "ses", now), day_cap(connection, "smtp", now)

    assert caps(NOW) == (100, 100)
    for days in (1, 2):
        add_sent(database, 50, NOW - timedelta(days=days))
    assert caps(NOW) == (100, 100)
    tomorrow = NOW + timedelta(days=1)
    with database.read() as connection:
        assert current_cap(connection, "ses", tomorrow) == 1_000
    assert caps(tomorrow) == (1_000, 100)


def test_what_goes_today_earns_nothing_today(database: Database) -> None:
    add_sent(database, 100, NOW - timedelta(days=1))
    add_sent(database, 100, NOW)
    with database.write() as connection:
        assert day_cap(connection, "ses", NOW) == 100
