"""The explanation: its points add up to the score, and the day it names is the right one."""

from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engagement_pipeline.scoring.explain import explain
from engagement_pipeline.scoring.formula import Population
from engagement_pipeline_tests.scoring.facts import (
    AS_OF,
    POPULATION,
    SETTINGS,
    UserFacts,
    days_ago,
    score_all,
)

USERS = st.builds(
    UserFacts,
    order_days=st.integers(1, 30),
    average_order_value=st.floats(0, 500).map(lambda value: round(value, 2)),
    last_order_at=st.integers(0, 400).map(days_ago),
    last_email_at=st.none() | st.integers(0, 20).map(lambda days: days_ago(days, hour=20)),
)


@settings(max_examples=60, deadline=None)
@given(USERS, st.floats(5, 200))
def test_points_add_up_to_the_score_that_everybody_gets(user: UserFacts, gap: float) -> None:
    population = Population(mean_gap_days=gap, median_order_value=25, users=10)
    explanation = explain(user, population, SETTINGS, AS_OF)
    assert (explanation.score, explanation.band) == score_all([user], population)[0][:2]
    points = sum(contribution.points for contribution in explanation.contributions)
    assert explanation.start + points == pytest.approx(explanation.score, abs=0.001)


@settings(max_examples=60, deadline=None)
@given(USERS, st.floats(5, 200))
def test_the_day_named_is_the_one_from_which_it_stays_below(user: UserFacts, gap: float) -> None:
    population = Population(mean_gap_days=gap, median_order_value=25, users=10)
    explanation = explain(user, population, SETTINGS, AS_OF)
    named = explanation.below_from
    assert named is not None
    assert user.last_order_at is not None
    # A later day is the same as an order and an e-mail that lie further back.
    days = [(named - AS_OF).days + step for step in range(-1, 40)]
    before, *after = [score for score, _, _ in score_all([aged(user, day) for day in days], population)]
    assert all(score < 50 for score in after)
    assert before >= 50 or named == user.last_order_at.date()


def aged(user: UserFacts, days: int) -> UserFacts:
    order, emailed, age = user.last_order_at, user.last_email_at, timedelta(days=days)
    assert order is not None
    return user.changed(last_order_at=order - age, last_email_at=None if emailed is None else emailed - age)


def test_in_words() -> None:
    user = UserFacts(5, 61.2, days_ago(40))
    explanation = explain(user, POPULATION, SETTINGS, AS_OF)
    assert explanation.sentences == (
        "Score 60.7 of 100 (moderate): a chance of about 61 % of an order within the next 90 days.",
        "A user with one order of this shop's typical value, placed today, would have 40.0.",
        "Orders on 5 different days: adds 29.0 points.",
        "An average order of 61.20, 2.4 times this shop's typical 25.00: adds 5.5 points.",
        "The last order was 40 days ago: takes 13.8 points.",
        "If nothing happens, it will be below 50 from 2026-04-18, in 47 days.",
    )


def test_an_email_is_named_with_the_last_day_it_counts() -> None:
    user = UserFacts(5, 25, days_ago(40), last_email_at=days_ago(1))
    explanation = explain(user, POPULATION, SETTINGS, AS_OF)
    assert [contribution.factor for contribution in explanation.contributions][-1] == "email"
    assert "which counts until 2026-03-07: takes" in explanation.sentences[-2]
    assert explanation.sentences[-1] == (
        "Only the e-mail keeps it below 50, until 2026-03-07; if nothing happens, it will be below for good from "
        "2026-03-18, in 16 days."
    )


def test_who_is_below_already_learns_since_when() -> None:
    explanation = explain(UserFacts(2, 25, days_ago(100)), POPULATION, SETTINGS, AS_OF)
    assert explanation.below_from == date(2025, 11, 28)
    assert explanation.sentences[-1] == "It has been below 50 since 2025-11-28."


@pytest.mark.parametrize(
    ("user", "reason"),
    [
        (UserFacts(0, 0, None), "no order is known"),
        (UserFacts(3, 40, None), "the date of the last order is not known"),
    ],
)
def test_without_a_dated_order_it_says_so(user: UserFacts, reason: str) -> None:
    explanation = explain(user, POPULATION, SETTINGS, AS_OF)
    assert explanation.score == 0
    assert explanation.sentences == (f"Score 0.0 of 100 (critical): {reason}.",)


def test_a_user_far_above_the_threshold_has_a_day_too() -> None:
    explanation = explain(UserFacts(100_000, 1e9, days_ago(0)), POPULATION, SETTINGS, AS_OF)
    assert explanation.below_from is not None
