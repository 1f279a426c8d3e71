"""The arithmetic of the effect: against published numbers, brute force, and what must hold for any counts."""

from collections.abc import Sequence
from math import sqrt

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from engagement_pipeline.effectiveness.lift import Sums, mean_effect, share_effect, shortage

Cluster = tuple[int, float]


def sums(clusters: Sequence[Cluster]) -> Sums:
    """Sum clusters given as (units, total)."""
    return Sums(
        addresses=len(clusters),
        units=sum(n for n, _ in clusters),
        units_squared=sum(n * n for n, _ in clusters),
        total=sum(y for _, y in clusters),
        total_squared=sum(y * y for _, y in clusters),
        total_units=sum(y * n for n, y in clusters),
    )


def independent(ordered: int, units: int) -> Sums:
    """One unit per address."""
    return sums([(1, 1)] * ordered + [(1, 0)] * (units - ordered))


@pytest.mark.parametrize(
    ("mailed", "held_out", "low", "high"),
    # Newcombe, Statistics in Medicine 17 (1998), table II, method 10.
    [
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((5, 56), (0, 29), -0.0381, 0.1926),
        ((10, 10), (0, 20), 0.6791, 1.0),
    ],
)
def test_published_intervals(mailed: tuple[int, int], held_out: tuple[int, int], low: float, high: float) -> None:
    effect = share_effect(independent(*mailed), independent(*held_out))
    # The variance between addresses divides by one less, which widens intervals of so few by a little.
    assert effect.low == pytest.approx(low, abs=0.03)
    assert effect.high == pytest.approx(high, abs=0.03)
    assert effect.difference == pytest.approx(mailed[0] / mailed[1] - held_out[0] / held_out[1])


def test_an_address_counts_once_however_often_it_was_decided_on() -> None:
    once = share_effect(independent(120, 1000), independent(10, 100))
    five_times = share_effect(
        sums([(5, 5)] * 120 + [(5, 0)] * 880),
        sums([(5, 5)] * 10 + [(5, 0)] * 90),
    )
    assert five_times.difference == pytest.approx(once.difference)
    assert (five_times.low, five_times.high) == pytest.approx((once.low, once.high))


def test_mean_effect_of_independent_units_is_welch() -> None:
    mailed, held_out = [0.0, 0.0, 10.0, 30.0], [0.0, 5.0, 1.0]
    effect = mean_effect(sums([(1, y) for y in mailed]), sums([(1, y) for y in held_out]))

    def squared_error(values: list[float]) -> float:
        mean = sum(values) / len(values)
        return sum((y - mean) ** 2 for y in values) / (len(values) - 1) / len(values)

    margin = 1.959964 * sqrt(squared_error(mailed) + squared_error(held_out))
    assert effect.difference == pytest.approx(8)
    assert (effect.low, effect.high) == pytest.approx((8 - margin, 8 + margin))


clusters = st.lists(
    st.integers(1, 4).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n))), min_size=2, max_size=40
)


@given(mailed=clusters, held_out=clusters)
def test_any_shares(mailed: list[Cluster], held_out: list[Cluster]) -> None:
    effect = share_effect(sums(mailed), sums(held_out))
    tolerance = 1e-9
    assert -1 - tolerance <= effect.low <= effect.difference + tolerance
    assert effect.difference - tolerance <= effect.high <= 1 + tolerance
    assert effect.low < effect.high
    mirrored = share_effect(sums(held_out), sums(mailed))
    assert (mirrored.low, mirrored.high) == pytest.approx((-effect.high, -effect.low))


@given(clusters=clusters)
def test_the_variance_is_the_one_of_sums_per_address(clusters: list[Cluster]) -> None:
    arm = sums(clusters)
    residuals = [y - arm.mean * n for n, y in clusters]
    expected = len(clusters) / (len(clusters) - 1) * sum(r * r for r in residuals) / arm.units**2
    assert arm.variance == pytest.approx(expected, abs=1e-12)


@given(mailed=clusters, held_out=clusters)
def test_more_of_the_same_narrows_the_interval(mailed: list[Cluster], held_out: list[Cluster]) -> None:
    assume(len({y / n for n, y in mailed}) > 1)
    few = mean_effect(sums(mailed), sums(held_out))
    many = mean_effect(sums(mailed * 4), sums(held_out * 4))
    assert many.high - many.low < few.high - few.low


@pytest.mark.parametrize(
    ("mailed", "held_out", "missing"),
    [
        ((5, 100), (5, 100), None),
        ((95, 100), (95, 100), None),
        ((5, 99), (5, 100), "99 addresses written to"),
        ((5, 100), (5, 99), "99 addresses held out"),
        ((4, 100), (5, 100), "4 of those written to ordered"),
        ((5, 100), (4, 100), "4 of those held out ordered"),
        ((96, 100), (5, 100), "4 of those written to did not order"),
        ((5, 100), (96, 100), "4 of those held out did not order"),
        ((0, 0), (0, 0), "0 addresses written to"),
    ],
)
def test_when_there_is_enough(mailed: tuple[int, int], held_out: tuple[int, int], missing: str | None) -> None:
    said = shortage(independent(*mailed), independent(*held_out))
    assert said is None if missing is None else said is not None and said.startswith(missing)


def test_addresses_are_what_counts_not_decisions() -> None:
    often = sums([(10, 1)] * 99)
    assert shortage(often, independent(5, 100)) == "99 addresses written to of at least 100"
