"""Calls side by side: in order, stopping where one fails."""

import threading
import time

import pytest

from engagement_pipeline.platform.side_by_side import each


def test_results_come_in_the_order_of_the_values() -> None:
    both_in = threading.Barrier(2, timeout=10)

    def call(value: int) -> int:
        if value < 2:
            both_in.wait()
        return -value

    assert each(call, range(40), threads=4) == [-value for value in range(40)]
    assert each(call, []) == []


def test_what_fails_is_raised_and_the_rest_is_left_out() -> None:
    called: list[int] = []

    def call(value: int) -> None:
        called.append(value)
        if value == 0:
            raise LookupError("the first")
        time.sleep(0.001)

    with pytest.raises(LookupError, match="the first"):
        each(call, range(10_000), threads=2)
    assert len(called) < 10_000
