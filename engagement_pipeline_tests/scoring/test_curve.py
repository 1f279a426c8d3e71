"""The curve: each of its points is the score that the user had on that day, the last one the score of today."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engagement_pipeline.scoring.curve import Crossing, Point, crossings, score_curve, thinned
from engagement_pipeline.scoring.explain import explain
from engagement_pipeline.users.aggregates import Aggregates, CountedOrder, Stated, aggregate
from engagement_pipeline.users.rows import StoredUser
from engagement_pipeline_tests.scoring.facts import AS_OF, POPULATION, SETTINGS, days_ago

NOTHING_STATED = Stated()

MOMENTS = st.builds(days_ago, st.integers(0, 30), hour=st.integers(0, 23))
ORDERS = st.lists(st.builds(CountedOrder, MOMENTS, st.floats(0, 300).map(lambda value: round(value, 2))), max_size=8)
STATED = st.just(NOTHING_STATED) | st.builds(
    Stated, st.integers(1, 6), st.floats(0, 300).map(lambda value: round(value, 2)), st.none(), MOMENTS
)


def known(stated: Stated, orders: Sequence[CountedOrder], emailed_at: Sequence[datetime]) -> StoredUser:
    """The user as the store holds him, once it has all of this."""
    found = aggregate(stated, orders)
    return stored(found, stated, last_email_at=max(emailed_at, default=None))


def stored(found: Aggregates, stated: Stated = NOTHING_STATED, **values: Any) -> StoredUser:
    return StoredUser(
        **{
            "user_id": "u1",
            "email": None,
            "address_key": None,
            "name": None,
            "preferred_categories": (),
            "consent": True,
            "time_zone": "UTC",
            "stated_order_count": stated.order_count,
            "stated_average_order_value": stated.average_order_value,
            "stated_first_order_at": stated.first_order_at,
            "stated_last_order_at": stated.last_order_at,
            **found._asdict(),
            "touched_at": (),
            "steps": 0,
            "last_email_at": None,
            "last_touch_at": None,
            "touches_since_order": 0,
            "version": 1,
            "created_at": days_ago(400),
            "updated_at": days_ago(0),
            **values,
        }
    )


def curve_of(
    orders: Sequence[CountedOrder] = (),
    stated: Stated = NOTHING_STATED,
    emailed_at: Sequence[datetime] = (),
    as_of: date = AS_OF,
    days: int = 365,
) -> list[Point]:
    user = known(stated, orders, emailed_at)
    return score_curve(user, orders, emailed_at, POPULATION, SETTINGS, as_of, days)


@settings(max_examples=40, deadline=None)
@given(ORDERS, STATED, st.lists(MOMENTS, max_size=4))
def test_the_last_point_is_the_score(orders: list[CountedOrder], stated: Stated, emailed_at: list[datetime]) -> None:
    today = explain(known(stated, orders, emailed_at), POPULATION, SETTINGS, AS_OF)
    assert curve_of(orders, stated, emailed_at)[-1] == (AS_OF, today.score, today.band)


@settings(max_examples=40, deadline=None)
@given(ORDERS, st.lists(MOMENTS, max_size=4))
def test_each_point_is_the_score_that_the_user_had_on_that_day(
    orders: list[CountedOrder], emailed_at: list[datetime]
) -> None:
    points = curve_of(orders, emailed_at=emailed_at)
    assert [point.day for point in points] == [AS_OF - timedelta(days=days) for days in range(len(points) - 1, -1, -1)]
    if orders:
        assert points[0].day == min(order.ordered_at for order in orders).date()
    for point in points:
        then = [order for order in orders if order.ordered_at.date() <= point.day]
        emailed = [moment for moment in emailed_at if moment.date() <= point.day]
        expected = explain(known(NOTHING_STATED, then, emailed), POPULATION, SETTINGS, point.day)
        assert (point.score, point.band) == (expected.score, expected.band)


@settings(max_examples=40, deadline=None)
@given(ORDERS, STATED.filter(lambda stated: stated is not NOTHING_STATED))
def test_what_is_only_stated_is_known_from_its_last_order_on(orders: list[CountedOrder], stated: Stated) -> None:
    assert stated.last_order_at is not None
    for point in curve_of(orders, stated):
        if point.day < stated.last_order_at.date():
            # The orders alone tell: as many are known as were stated.
            assert known(stated, orders, ()).order_count == len(orders)
            continue
        then = [order for order in orders if order.ordered_at.date() <= point.day]
        assert point.score == explain(known(stated, then, ()), POPULATION, SETTINGS, point.day).score


def test_it_goes_back_no_further_than_asked() -> None:
    points = curve_of([CountedOrder(days_ago(500), 20)], days=30)
    assert len(points) == 31
    assert points[0].day == AS_OF - timedelta(days=30)


def test_without_an_order_there_is_only_today() -> None:
    assert curve_of() == [Point(AS_OF, 0.0, "critical")]


def test_an_order_that_bears_a_later_date_counts_today_as_it_does_everywhere() -> None:
    orders = [CountedOrder(days_ago(40), 20), CountedOrder(days_ago(-3), 20)]
    points = curve_of(orders)
    assert points[-1].score > points[-2].score
    assert points[-1].score == explain(known(NOTHING_STATED, orders, ()), POPULATION, SETTINGS, AS_OF).score


def test_bands_are_crossed_both_ways() -> None:
    orders = [CountedOrder(days_ago(300), 25), CountedOrder(days_ago(290), 25), CountedOrder(days_ago(3), 25)]
    found = crossings(curve_of(orders))
    assert [(crossing.before, crossing.after) for crossing in found] == [
        ("at_risk", "moderate"),
        ("moderate", "at_risk"),
        ("at_risk", "critical"),
        ("critical", "moderate"),
    ]
    assert found[0].day == AS_OF - timedelta(days=290)
    assert found[-1] == Crossing(AS_OF - timedelta(days=3), found[-1].score, "critical", "moderate")


@pytest.mark.parametrize("days", [0, 1, 6, 7, 8, 100])
def test_a_drawing_has_a_point_a_week_and_both_ends(days: int) -> None:
    points = [Point(AS_OF + timedelta(days=day), 50.0, "moderate") for day in range(days + 1)]
    drawn = thinned(points)
    assert drawn[0] == points[0]
    assert drawn[-1] == points[-1]
    assert len(drawn) == len({0, *range(days, -1, -7)})


def test_a_drawing_keeps_both_sides_of_a_jump() -> None:
    points = curve_of([CountedOrder(days_ago(200), 25), CountedOrder(days_ago(101), 25)], emailed_at=[days_ago(151)])
    drawn = {(AS_OF - point.day).days for point in thinned(points)}
    # The order, the e-mail, and the end of what the e-mail takes.
    assert drawn == {200, *range(0, 200, 7), 102, 101, 152, 151, 145, 144}
