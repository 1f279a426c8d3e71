"""Charts as geometry: pure functions from figures to the points of a drawing 100 units wide and 100 high.

The templates draw them as SVG that stretches with its frame; words stand beside the drawing as HTML, so that they keep
their size on a phone. The ordinate grows downwards, as in SVG.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

SIZE: Final = 100.0

_STEPS: Final = (1.0, 2.0, 5.0, 10.0)
_LEAST_WIDTH: Final = 1e-9


@dataclass(frozen=True)
class Scale:
    """An axis from `low` to `high` with evenly spaced ticks, the ends among them."""

    low: float
    high: float
    ticks: tuple[float, ...]

    def place(self, value: float) -> float:
        """Return where a value lies, from 0 at the low end to 100 at the high end; beyond them at the end."""
        share = (value - self.low) / (self.high - self.low)
        return round(SIZE * min(max(share, 0.0), 1.0), 2)

    def height(self, value: float) -> float:
        """Return the ordinate of a value in a drawing that grows upwards."""
        return round(SIZE - self.place(value), 2)


@dataclass(frozen=True)
class Area:
    """One layer of a stacked chart: its polygon, and the line along its upper edge, as SVG points."""

    name: str
    polygon: str
    edge: str


@dataclass(frozen=True)
class Areas:
    """A stacked chart over days."""

    layers: tuple[Area, ...]
    scale: Scale
    days: tuple[date, ...]


@dataclass(frozen=True)
class Bar:
    """A bar of a histogram: `left` to `left + width`, from `top` down to the base."""

    left: float
    width: float
    top: float
    height: float
    name: str
    label: str


@dataclass(frozen=True)
class Histogram:
    """How often values lie in each of some ranges."""

    bars: tuple[Bar, ...]
    scale: Scale


@dataclass(frozen=True)
class Part:
    """A stretch of a bar that is split by shares."""

    name: str
    left: float
    width: float
    number: float
    share: float


@dataclass(frozen=True)
class Curve:
    """A line over days, its marks, and its last point."""

    points: str
    marks: tuple[float, ...]
    last: tuple[float, float]
    days: tuple[date, ...]


@dataclass(frozen=True)
class Interval:
    """An estimate with its uncertainty, and where zero lies."""

    low: float
    middle: float
    high: float
    zero: float


def scale_to(largest: float, ticks: int = 4) -> Scale:
    """Return an axis from 0 that holds `largest`, with about so many steps of a round length, never less than 1."""
    largest = max(largest, 1.0)
    rough = largest / ticks
    unit = 10.0 ** math.floor(math.log10(rough))
    step = max(next(unit * each for each in _STEPS if unit * each >= rough * (1 - 1e-9)), 1.0)
    number = math.ceil(largest / step - 1e-9)
    return Scale(0.0, step * number, tuple(step * place for place in range(number + 1)))


def areas(days: Sequence[date], series: Mapping[str, Sequence[float]]) -> Areas:
    """Stack series of figures per day, the first at the bottom. One day alone is drawn as a level."""
    if len(days) == 1:
        days = [days[0], days[0]]
        series = {name: [*values, *values] for name, values in series.items()}
    totals = [sum(values) for values in zip(*series.values(), strict=True)] or [0.0]
    scale = scale_to(max(totals))
    below = [0.0] * len(days)
    layers = []
    for name, values in series.items():
        above = [lower + value for lower, value in zip(below, values, strict=True)]
        upper = [f"{_across(place, len(days))},{scale.height(y)}" for place, y in enumerate(above)]
        lower_edge = [f"{_across(place, len(days))},{scale.height(y)}" for place, y in enumerate(below)]
        layers.append(Area(name, " ".join((*upper, *reversed(lower_edge))), " ".join(upper)))
        below = above
    return Areas(tuple(layers), scale, tuple(days))


def histogram(numbers: Sequence[int], bands: Sequence[tuple[str, float]], largest_value: float = 100.0) -> Histogram:
    """Draw how many values lie in each of equally wide ranges from 0 to `largest_value`.

    Args:
        numbers: one for each range.
        bands: name and upper end of each band, rising; a bar belongs to the band that its middle lies in.
        largest_value: the upper end of the last range.
    """
    scale = scale_to(max(numbers, default=0))
    width = SIZE / max(len(numbers), 1)
    step = largest_value / max(len(numbers), 1)
    bars = []
    for place, number in enumerate(numbers):
        middle = (place + 0.5) * step
        name = next((band for band, end in bands if middle < end), bands[-1][0])
        top = scale.height(number)
        label = f"{place * step:g} to {(place + 1) * step:g}: {number:,}"
        left = round(place * width, 3)
        bars.append(Bar(left, round(width * 0.86, 3), top, round(SIZE - top, 2), name, label))
    return Histogram(tuple(bars), scale)


def split(numbers: Mapping[str, float]) -> tuple[Part, ...]:
    """Split one bar by the share of each; those without anything are left out."""
    total = sum(numbers.values())
    parts = []
    left = 0.0
    for name, number in numbers.items():
        if number > 0:
            width = SIZE * number / total
            parts.append(Part(name, round(left, 3), round(width, 3), number, number / total))
            left += width
    return tuple(parts)


def curve(points: Sequence[tuple[date, float]], scale: Scale, marks: Sequence[date] = ()) -> Curve | None:
    """Draw values over days at the days' true distances; None without a point.

    Args:
        points: in the order of their days.
        scale: of the values.
        marks: days to point out; those outside of the curve are left out.
    """
    if not points:
        return None
    first, last = points[0][0], points[-1][0]
    span = max((last - first).days, 1)

    def across(day: date) -> float:
        return round(SIZE * (day - first).days / span, 2)

    drawn = [(across(day) if first != last else SIZE, scale.height(value)) for day, value in points]
    return Curve(
        points=" ".join(f"{x},{y}" for x, y in drawn),
        marks=tuple(across(day) for day in marks if first <= day <= last),
        last=drawn[-1],
        days=(first, last),
    )


def intervals(estimates: Sequence[tuple[float, float, float]]) -> tuple[Interval, ...]:
    """Draw estimates (low, middle, high) on one axis that holds all of them, and zero with some room around it."""
    ends = [0.0, *(end for low, _, high in estimates for end in (low, high))]
    width = max(ends) - min(ends)
    # Of what is all but nothing a share would be nothing.
    room = (width if width > _LEAST_WIDTH else 1.0) * 0.06
    scale = Scale(min(ends) - room, max(ends) + room, ())
    return tuple(
        Interval(scale.place(low), scale.place(middle), scale.place(high), scale.place(0.0))
        for low, middle, high in estimates
    )


def _across(place: int, number: int) -> float:
    return round(SIZE * place / max(number - 1, 1), 2)
