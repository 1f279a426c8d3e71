"""Tokens a minute, on a clock of our own."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from engagement_pipeline.copywriting.openai.limits import TokenRate


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds


def test_without_a_limit_nobody_waits() -> None:
    clock = Clock()
    asyncio.run(TokenRate(None, clock, clock.sleep).take(10**9))
    assert clock.now == 100.0


@given(st.lists(st.integers(1, 5_000), min_size=1, max_size=50))
def test_tokens_are_never_used_faster_than_allowed(sizes: list[int]) -> None:
    clock = Clock()
    rate = TokenRate(60_000, clock, clock.sleep)

    async def use() -> None:
        used = 0
        for size in sizes:
            await rate.take(size)
            used += size
            # A thousand a second, and three seconds' worth at once.
            assert used <= 3_000 + 1_000 * (clock.now - 100) + 1e-6

    asyncio.run(use())


def test_the_whole_rate_is_used_and_what_was_not_needed_is_given_back() -> None:
    clock = Clock()
    rate = TokenRate(60_000, clock, clock.sleep)

    async def use() -> None:
        for _ in range(100):
            await rate.take(1_000)
            rate.give_back(500)

    asyncio.run(use())
    assert 45 <= clock.now - 100 <= 50


def test_whoever_came_first_goes_first() -> None:
    async def use() -> list[int]:
        rate = TokenRate(60_000)
        order = []

        async def one(number: int) -> None:
            await rate.take(1_050)
            order.append(number)

        await asyncio.gather(*(one(number) for number in range(6)))
        return order

    assert asyncio.run(use()) == [0, 1, 2, 3, 4, 5]
