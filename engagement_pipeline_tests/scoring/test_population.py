"""Facts from orders and the population's parameters from facts."""

from datetime import date
from statistics import median

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engagement_pipeline.platform.warehouse import connect
from engagement_pipeline.scoring.formula import estimate_population, order_facts
from engagement_pipeline_tests.scoring.facts import SETTINGS, UserFacts, days_ago, write_users

ORDERS = """
    SELECT * FROM (VALUES
        ('a', TIMESTAMP '2026-01-01 09:00:00', 10.0, 'delivered'),
        ('a', TIMESTAMP '2026-01-01 21:00:00', 20.0, 'created'),
        ('a', TIMESTAMP '2026-01-11 00:00:00', 60.0, NULL),
        ('a', TIMESTAMP '2026-02-01 00:00:00', 999.0, 'cancelled'),
        ('a', TIMESTAMP '2026-02-02 00:00:00', 999.0, 'returned'),
        ('b', TIMESTAMP '2026-01-20 00:00:00', 50.0, 'shipped'),
        ('c', TIMESTAMP '2026-02-20 00:00:00', 50.0, 'shipped'),
        ('d', TIMESTAMP '2026-01-20 00:00:00', 50.0, 'returned')
    ) AS orders (user_id, ordered_at, total_value, status)
"""
FACTS = "SELECT * FROM raw_users"


def test_orders_become_facts_per_user(con: duckdb.DuckDBPyConnection) -> None:
    facts = con.execute(
        f"SELECT user_id, order_days, order_count, average_order_value, first_order_at, last_order_at"
        f" FROM ({order_facts(ORDERS)}) ORDER BY user_id",
        {"before_day": date(2026, 2, 20)},
    ).fetchall()
    assert facts == [
        ("a", 2, 3, 30.0, date(2026, 1, 1), date(2026, 1, 11)),
        ("b", 1, 1, 50.0, date(2026, 1, 20), date(2026, 1, 20)),
    ]


def test_mean_gap_is_over_all_gaps_and_the_median_over_all_with_orders(con: duckdb.DuckDBPyConnection) -> None:
    write_users(
        con,
        {
            "two": UserFacts(2, 10, days_ago(0), first_order_at=days_ago(10)),
            "four": UserFacts(4, 20, days_ago(0), first_order_at=days_ago(60)),
            "one": UserFacts(1, 90, days_ago(5), first_order_at=days_ago(5)),
            "no dates": UserFacts(9, 40, None),
            "none": UserFacts(0, 0, None),
        },
        seq=1,
    )
    population = estimate_population(con, FACTS, SETTINGS)
    assert population.mean_gap_days == pytest.approx(70 / 4)
    assert population.median_order_value == 30
    assert population.users == 4


@pytest.mark.parametrize("users", [{}, {"one": UserFacts(1, 90, days_ago(5), first_order_at=days_ago(5))}])
def test_default_gap_when_nobody_ordered_twice(con: duckdb.DuckDBPyConnection, users: dict[str, UserFacts]) -> None:
    write_users(con, users, seq=1)
    population = estimate_population(con, FACTS, SETTINGS)
    assert population.mean_gap_days == 45
    assert population.users == len(users)


VALUES = st.lists(st.floats(0, 1e6) | st.sampled_from([0.0, 20.0, 20.01]), min_size=1, max_size=60)


@settings(max_examples=60, deadline=None)
@given(VALUES)
def test_median_is_the_median(values: list[float]) -> None:
    with duckdb.connect() as con:
        write_users(con, {str(number): UserFacts(1, value) for number, value in enumerate(values)}, seq=1)
        assert estimate_population(con, FACTS, SETTINGS).median_order_value == pytest.approx(median(values), rel=1e-12)


@pytest.mark.integration
def test_memory_does_not_grow_with_the_users() -> None:
    facts = """
        SELECT 2 AS order_days, HASH(i) / 1e15 AS average_order_value, TIMESTAMP '2026-01-01' AS first_order_at,
            TIMESTAMP '2026-01-11' AS last_order_at
        FROM RANGE(10_000_000) AS numbers (i)
    """
    with connect(":memory:", memory_limit="60MB") as con:
        population = estimate_population(con, facts, SETTINGS)
    assert (population.mean_gap_days, population.users) == (10, 10_000_000)
    assert population.median_order_value == pytest.approx(2**63 / 1e15, rel=0.001)
