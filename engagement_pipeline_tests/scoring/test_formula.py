"""The formula: the numbers it was published with, its shape, and its edges."""

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engagement_pipeline.platform.settings_groups import ScoringSettings
from engagement_pipeline.scoring.formula import Population
from engagement_pipeline_tests.scoring.facts import (
    AS_OF,
    SETTINGS,
    UserFacts,
    days_ago,
    expected_odds,
    score_all,
)

ORDER_DAYS = st.integers(-2, 400)
VALUES = st.floats(-50, 100_000, allow_nan=False)
SILENCES = st.integers(-5, 4000)
POPULATIONS = st.builds(
    Population,
    mean_gap_days=st.floats(0.5, 500),
    median_order_value=st.floats(0.5, 500),
    users=st.just(10),
)


@st.composite
def users(draw: st.DrawFn) -> UserFacts:
    silence = draw(SILENCES)
    emailed = draw(st.none() | st.integers(-2, 60))
    return UserFacts(
        order_days=draw(ORDER_DAYS),
        average_order_value=draw(VALUES),
        last_order_at=days_ago(silence),
        last_email_at=None if emailed is None else days_ago(emailed, hour=13),
    )


def test_one_order_starts_at_40_and_is_always_below_50() -> None:
    scores = score_all([UserFacts(1, 25, days_ago(days)) for days in range(400)])
    assert scores[0][0] == 40
    assert all(score < 50 for score, _, _ in scores)


@pytest.mark.parametrize(("order_days", "crossing"), [(2, 5), (5, 55), (10, 124)])
def test_published_crossing_days(order_days: int, crossing: int) -> None:
    ((_, _, odds),) = score_all([UserFacts(order_days, 25, days_ago(0))])
    assert round(45 * odds - 45) == crossing
    before, after = score_all([UserFacts(order_days, 25, days_ago(crossing + step)) for step in (-1, 1)])
    assert after[0] < 50 <= before[0]


@settings(max_examples=40, deadline=None)
@given(st.lists(users(), min_size=1, max_size=40), POPULATIONS)
def test_equals_its_description(facts: list[UserFacts], population: Population) -> None:
    for user, (score, _, odds) in zip(facts, score_all(facts, population), strict=True):
        assert odds == pytest.approx(expected_odds(user, population, SETTINGS, AS_OF), rel=1e-12)
        assert score == pytest.approx(100 * odds / (1 + odds), abs=0.00501)


@settings(max_examples=40, deadline=None)
@given(users(), POPULATIONS, st.integers(1, 400), st.integers(1, 50), st.floats(0.01, 1000))
def test_monotone(user: UserFacts, population: Population, silence: int, orders: int, value: float) -> None:
    assert user.last_order_at is not None
    quiet = user.changed(last_email_at=None)
    base, silent, frequent, dear = score_all(
        [
            quiet,
            quiet.changed(last_order_at=days_ago((AS_OF - user.last_order_at.date()).days + silence)),
            quiet.changed(order_days=user.order_days + orders),
            quiet.changed(average_order_value=user.average_order_value + value),
        ],
        population,
    )
    assert silent[0] <= base[0] <= frequent[0]
    assert base[0] <= dear[0]
    ((emailed, _, _),) = score_all([user], population)
    assert emailed <= base[0]


@settings(max_examples=30, deadline=None)
@given(st.lists(users(), min_size=1, max_size=40), POPULATIONS)
def test_score_is_rounded_within_range_and_banded_as_shown(facts: list[UserFacts], population: Population) -> None:
    for score, band, _ in score_all(facts, population):
        assert 0 <= score <= 100
        assert score == round(score, 2)
        expected = "critical" if score < 30 else "at_risk" if score < 50 else "moderate" if score < 70 else "good"
        assert band == expected


def test_band_follows_the_rounded_score() -> None:
    # Odds of 0.99995 are 49.99875, shown as 50.00: no longer at risk.
    population = Population(mean_gap_days=30 / 0.99995, median_order_value=25, users=1)
    assert score_all([UserFacts(1, 25, days_ago(0))], population)[0][:2] == (50, "moderate")


@pytest.mark.parametrize(
    "user",
    [
        UserFacts(order_days=0, last_order_at=None),
        UserFacts(order_days=-3, last_order_at=days_ago(1)),
        UserFacts(order_days=3, last_order_at=None),
    ],
)
def test_without_a_dated_order_the_score_is_0(user: UserFacts) -> None:
    assert score_all([user]) == [(0, "critical", 0)]


def test_negative_value_counts_as_none_and_a_future_order_as_today() -> None:
    scores = score_all(
        [
            UserFacts(2, -40, days_ago(3)),
            UserFacts(2, 0, days_ago(3)),
            UserFacts(2, 25, days_ago(-9)),
            UserFacts(2, 25, days_ago(0)),
        ]
    )
    assert scores[0] == scores[1]
    assert scores[2] == scores[3]


def test_without_a_typical_value_baskets_make_no_difference() -> None:
    population = Population(mean_gap_days=45, median_order_value=0, users=10)
    assert score_all([UserFacts(1, 0, days_ago(0)), UserFacts(1, 900, days_ago(0))], population)[1][0] == 40


@pytest.mark.parametrize(("emailed", "counts"), [(0, True), (6, True), (7, False), (-1, False), (40, False)])
def test_an_email_counts_for_seven_days(emailed: int, counts: bool) -> None:
    user = UserFacts(2, 25, days_ago(30), last_email_at=days_ago(emailed))
    (with_email, without) = score_all([user, user.changed(last_email_at=None)])
    assert with_email[2] == pytest.approx(without[2] * (2 / 3 if counts else 1))


def test_an_email_that_an_order_followed_does_not_count() -> None:
    user = UserFacts(2, 25, days_ago(1, hour=18), last_email_at=days_ago(1, hour=9))
    assert score_all([user]) == score_all([user.changed(last_email_at=None)])
    later = user.changed(last_email_at=days_ago(1, hour=19))
    assert score_all([later])[0][0] < score_all([user])[0][0]


def test_horizon_and_bands_are_settings() -> None:
    user = UserFacts(1, 25, days_ago(0))
    monthly = ScoringSettings(horizon_days=30, critical_below=10, at_risk_below=15, moderate_below=18)
    ((score, band, odds),) = score_all([user], settings=monthly)
    assert odds == pytest.approx(10 / 45)
    assert (score, band) == (18.18, "good")


def test_whole_days_count_whatever_the_hour() -> None:
    late, early = UserFacts(3, 25, days_ago(10, hour=23)), UserFacts(3, 25, days_ago(10, hour=0))
    assert score_all([late]) == score_all([early])
    assert score_all([late], as_of=date(2026, 3, 3))[0][0] < score_all([late])[0][0]
