"""A budget that holds while many spend from it."""

import asyncio
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engagement_pipeline.copywriting.openai.answers import Usage
from engagement_pipeline.copywriting.openai.budget import Budget
from engagement_pipeline.platform.settings_groups import CopywritingSettings


def budget(**settings: float) -> Budget:
    prices = {"price_per_million_input": 1.0, "price_per_million_output": 4.0}
    return Budget(CopywritingSettings.model_validate(prices | settings))


def test_tokens_cost_what_the_settings_say() -> None:
    assert budget().cost(Usage(1_000_000, 500_000)) == pytest.approx(3.0)


def test_without_a_budget_everything_is_allowed_and_counted() -> None:
    async def spend() -> Budget:
        purse = budget()
        for _ in range(10):
            assert await purse.reserve(Usage(100, 100))
            purse.settle(Usage(100, 100), Usage(90, 30))
        return purse

    purse = asyncio.run(spend())
    assert (purse.answers, purse.spent, purse.mean_tokens) == (10, Usage(900, 300), 120)


@pytest.mark.parametrize("limit", [{"budget_tokens": 10_000}, {"budget_usd": 0.02}])
@settings(deadline=None)
@given(worst=st.integers(1, 900), actual=st.floats(0, 1), lanes=st.integers(1, 20), seed=st.integers())
def test_it_is_never_exceeded_and_never_left_lying(
    limit: dict[str, float], worst: int, actual: float, lanes: int, seed: int
) -> None:
    most = Usage(300, worst)
    used = Usage(300, int(worst * actual))
    order = random.Random(seed)

    async def spend() -> Budget:
        purse = budget(**limit)

        async def lane() -> None:
            while await purse.reserve(most):
                for _ in range(order.randrange(3)):
                    await asyncio.sleep(0)
                purse.settle(most, used)

        await asyncio.gather(*(lane() for _ in range(lanes)))
        return purse

    purse = asyncio.run(spend())
    assert purse.is_used_up
    if "budget_tokens" in limit:
        assert 10_000 - sum(most) < sum(purse.spent) <= 10_000
    else:
        assert 0.02 - purse.cost(most) - 1e-9 < purse.cost(purse.spent) <= 0.02 + 1e-9


def test_a_call_without_an_answer_costs_nothing() -> None:
    async def spend() -> Budget:
        purse = budget(budget_tokens=250)
        for _ in range(5):
            assert await purse.reserve(Usage(100, 100))
            purse.settle(Usage(100, 100), None)
        return purse

    purse = asyncio.run(spend())
    assert (purse.answers, purse.spent, purse.is_used_up) == (0, Usage(0, 0), False)


def test_what_batches_may_cost_is_set_aside_at_half_the_price_for_the_whole_run() -> None:
    async def spend() -> Budget:
        purse = budget(budget_usd=0.0101)
        # 0.0005 each, at half the price.
        assert [purse.set_aside(Usage(200, 200)) for _ in range(18)] == [True] * 18
        assert await purse.reserve(Usage(200, 200))
        assert not purse.set_aside(Usage(200, 200))
        purse.settle(Usage(200, 200), Usage(200, 50))
        assert purse.set_aside(Usage(200, 200))
        # Nobody waits for a batch within a run.
        assert not await purse.reserve(Usage(200, 200))
        return purse

    purse = asyncio.run(spend())
    assert (purse.answers, purse.spent) == (1, Usage(200, 50))
    assert purse.spent_usd == pytest.approx(0.0004)
    assert purse.is_used_up


def test_what_was_set_aside_counts_in_tokens_and_can_be_freed() -> None:
    purse = budget(budget_tokens=1_000)
    assert purse.set_aside(Usage(300, 300))
    assert not purse.set_aside(Usage(300, 300))
    purse.free_what_was_set_aside()
    assert purse.set_aside(Usage(500, 500))


def test_what_batches_have_cost_counts_against_the_run_that_brings_it_in() -> None:
    purse = budget(budget_usd=0.0101)
    purse.count(10, Usage(4_000, 2_000), 0.006)
    assert (purse.answers, purse.spent, purse.spent_usd) == (10, Usage(4_000, 2_000), 0.006)
    assert purse.set_aside(Usage(0, 2_000))
    assert not purse.set_aside(Usage(0, 100))


def test_a_budget_is_limited_where_either_limit_is_set() -> None:
    assert [budget(**limit).is_limited for limit in ({}, {"budget_usd": 1}, {"budget_tokens": 1})] == [
        False,
        True,
        True,
    ]
