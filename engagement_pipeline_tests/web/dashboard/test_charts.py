"""Charts: whatever the figures, the drawing keeps within its frame and in proportion."""

from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from engagement_pipeline.web.dashboard import charts
from engagement_pipeline.web.dashboard.charts import SIZE

DAY = date(2026, 3, 2)
BANDS = (("critical", 30.0), ("at_risk", 50.0), ("moderate", 70.0), ("good", 100.0))


def points_of(text: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in (point.split(",") for point in text.split())]


@given(st.floats(min_value=0, max_value=1e12, allow_nan=False))
def test_an_axis_holds_what_is_drawn_in_even_steps_from_zero(largest: float) -> None:
    scale = charts.scale_to(largest)
    assert scale.low == scale.ticks[0] == 0
    assert scale.high == pytest.approx(scale.ticks[-1])
    assert scale.high >= largest * (1 - 1e-6)
    assert 2 <= len(scale.ticks) <= 7
    steps = [after - before for before, after in pairwise(scale.ticks)]
    assert steps == pytest.approx([steps[0]] * len(steps))


@pytest.mark.parametrize(
    ("largest", "ticks"),
    [
        (0, (0, 1)),
        (1, (0, 1)),
        (3, (0, 1, 2, 3)),
        (10, (0, 5, 10)),
        (998_000, (0, 500e3, 1e6)),
        (1_700, (0, 500, 1_000, 1_500, 2_000)),
    ],
)
def test_ticks_are_round(largest: float, ticks: tuple[float, ...]) -> None:
    assert charts.scale_to(largest).ticks == pytest.approx(ticks)


@given(st.lists(st.tuples(st.integers(0, 10**7), st.integers(0, 10**7)), min_size=1, max_size=40))
def test_layers_lie_on_each_other_and_fill_the_width(figures: list[tuple[int, int]]) -> None:
    days = [DAY + timedelta(days=place) for place in range(len(figures))]
    lower, upper = [float(a) for a, _ in figures], [float(b) for _, b in figures]
    drawn = charts.areas(days, {"critical": lower, "good": upper})
    first, second = (points_of(layer.edge) for layer in drawn.layers)
    assert first[0][0] == 0
    assert first[-1][0] == SIZE
    for (_, below), (_, above) in zip(first, second, strict=True):
        assert 0 <= above <= below <= SIZE
    heights = [(SIZE - y) / SIZE * drawn.scale.high for _, y in second]
    totals = [a + b for a, b in zip(lower, upper, strict=True)]
    assert heights[-1] == pytest.approx(totals[-1], abs=drawn.scale.high / 5000)


def test_no_day_and_one_day_can_be_drawn() -> None:
    assert charts.areas([], {"good": []}).layers[0].edge == ""
    assert points_of(charts.areas([DAY], {"good": [4]}).layers[0].edge) == [(0, 0), (SIZE, 0)]


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=60))
def test_bars_stand_beside_each_other_on_the_base(numbers: list[int]) -> None:
    bars = charts.histogram(numbers, BANDS).bars
    for bar, number in zip(bars, numbers, strict=True):
        assert bar.top + bar.height == pytest.approx(SIZE)
        assert (bar.height > 0) or number < max(numbers) / 1000 or number == 0
    for left, right in pairwise(bars):
        assert left.left + left.width <= right.left
    assert bars[-1].left + bars[-1].width <= SIZE


def test_a_bar_has_the_colour_of_the_band_that_it_lies_in() -> None:
    names = [bar.name for bar in charts.histogram([1] * 10, BANDS).bars]
    assert names == ["critical"] * 3 + ["at_risk"] * 2 + ["moderate"] * 2 + ["good"] * 3


@given(st.dictionaries(st.text(max_size=5), st.integers(0, 10**6), max_size=6))
def test_the_parts_of_a_bar_are_its_whole(numbers: dict[str, int]) -> None:
    parts = charts.split(numbers)
    assert [part.name for part in parts] == [name for name, number in numbers.items() if number]
    if parts:
        assert sum(part.share for part in parts) == pytest.approx(1)
        assert parts[-1].left + parts[-1].width == pytest.approx(SIZE, abs=0.01)


def test_a_curve_keeps_the_distances_of_its_days() -> None:
    scale = charts.Scale(0, 100, (0, 50, 100))
    points = [(DAY, 100.0), (DAY + timedelta(days=1), 50.0), (DAY + timedelta(days=10), 0.0)]
    drawn = charts.curve(points, scale, marks=[DAY - timedelta(days=1), DAY + timedelta(days=5)])
    assert drawn is not None
    assert points_of(drawn.points) == [(0, 0), (10, 50), (100, 100)]
    assert drawn.marks == (50,)
    assert drawn.last == (100, 100)
    assert charts.curve([], scale) is None


@given(
    st.lists(
        st.tuples(st.floats(-50, 50), st.floats(0, 20), st.floats(0, 20)).map(
            lambda e: (e[0] - e[1], e[0], e[0] + e[2])
        ),
        max_size=5,
    )
)
@example([(0.0, 0.0, 5e-324)])
def test_intervals_share_one_axis_with_zero_on_it(estimates: list[tuple[float, float, float]]) -> None:
    drawn = charts.intervals(estimates)
    for interval in drawn:
        assert 0 <= interval.low <= interval.middle <= interval.high <= SIZE
        assert 0 < interval.zero < SIZE
    assert len({interval.zero for interval in drawn}) <= 1
