"""The buckets: so many a second on the whole, whoever asks how."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engagement_pipeline.web.security import rate
from engagement_pipeline.web.security.rate import Buckets


class Time:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@given(st.lists(st.floats(min_value=0, max_value=3), max_size=100), st.integers(1, 20))
def test_never_more_than_the_burst_and_the_rate(pauses: list[float], per_second: int) -> None:
    time = Time()
    buckets = Buckets(per_second, monotonic=time)
    taken = 0
    for pause in pauses:
        time.now += pause
        wait = buckets.take("a")
        taken += wait == 0
        assert taken <= per_second * (2 + time.now) + 1e-6
        if wait:
            # After just so long there is one.
            time.now += wait + 1e-9
            assert buckets.take("a") == 0
            taken += 1


def test_each_has_a_bucket_of_its_own() -> None:
    buckets = Buckets(1, burst=1, monotonic=Time())
    assert buckets.take("a") == 0
    assert buckets.take("a") == pytest.approx(1)
    assert buckets.take("b") == 0


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate, "_MOST_KEYS", 3)
    buckets = Buckets(1, burst=1, monotonic=Time())
    for key in "abcd":
        buckets.take(key)
    assert len(buckets._left) == 3
    assert buckets.take("d") > 0
