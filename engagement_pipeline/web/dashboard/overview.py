"""The figures that assets have published, as the overview and the campaigns' page show them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from engagement_pipeline.metrics.models import (
    BandCounts,
    EmailStatus,
    Funnel,
    ScoreDistribution,
    Segment,
    UsersByBand,
)
from engagement_pipeline.platform.settings_groups import ScoringSettings
from engagement_pipeline.web.dashboard import charts, figures
from engagement_pipeline.web.dashboard.charts import Areas, Histogram, Interval
from engagement_pipeline.web.dashboard.tiles import Tile
from engagement_pipeline.web.dashboard.words import BANDS, STATUSES, readable

_DAYS_IN_TABLE: Final = 31

_STEPS: Final[Mapping[str, tuple[str, str]]] = {
    "below": ("Below the threshold", ""),
    "eligible": ("Eligible", "the gate let them through, the hold-out among them"),
    "written": ("Written to", ""),
    "delivered": ("Delivered", ""),
    "clicked": ("Clicked", ""),
    "ordered": ("Ordered", "whether or not they clicked"),
}


@dataclass(frozen=True)
class Row:
    """A named figure with its share of the largest."""

    words: str
    hint: str
    number: int
    share: float
    code: str = ""


@dataclass(frozen=True)
class Bands:
    """Users by band: today, and over time."""

    by_band: Mapping[str, int]
    total: int
    label: str
    over_time: Areas | None
    over_time_rows: Sequence[tuple[date, Mapping[str, int]]]


def bands(users: UsersByBand) -> Bands:
    """Return users by band; without a second day there is nothing to show over time."""
    by_band = _counts(users.today)
    days = users.over_time
    over_time = None
    if len(days) > 1:
        over_time = charts.areas(
            [each.day for each in days], {band: [getattr(each, band) for each in days] for band in BANDS}
        )
    return Bands(
        by_band,
        sum(by_band.values()),
        ", ".join(f"{BANDS[band]} {figures.number(number)}" for band, number in by_band.items()),
        over_time,
        [(each.day, _counts(each)) for each in reversed(days[-_DAYS_IN_TABLE:])],
    )


def distribution(scores: ScoreDistribution, settings: ScoringSettings) -> Histogram:
    """Return how many users have which score, in the colours of the bands."""
    ends = (settings.critical_below, settings.at_risk_below, settings.moderate_below, 100.0)
    return charts.histogram(scores.bins, list(zip(BANDS, ends, strict=True)))


def steps(funnel: Funnel) -> list[Row]:
    """Return the steps from risk to order."""
    most = max((step.users for step in funnel.steps), default=0) or 1
    return [Row(*_STEPS[step.name], step.users, step.users / most) for step in funnel.steps]


def left_out(funnel: Funnel) -> list[Row]:
    """Return why users got no further, the most frequent reason first."""
    rows = sorted(funnel.left_out, key=lambda each: -each.users)
    most = max((each.users for each in rows), default=0) or 1
    return [Row(readable(each.reason), each.meaning, each.users, each.users / most) for each in rows]


def by_status(status: EmailStatus, campaign: str) -> list[Row]:
    """Return a campaign's e-mails by status, in the order of their lives."""
    counts = {each.status: each.emails for each in status.counts if each.campaign == campaign}
    most = max(counts.values(), default=0) or 1
    known = [code for code in STATUSES if code in counts]
    return [Row(STATUSES[code], "", counts[code], counts[code] / most, code) for code in known]


def drawn(segment: Segment | None) -> Interval | None:
    """Return a measured lift on an axis of its own."""
    found = interval_of(segment)
    return None if found is None else charts.intervals([found])[0]


def interval_of(segment: Segment | None) -> tuple[float, float, float] | None:
    """Return the low end, the estimate and the high end of a lift; None where it is not known."""
    if segment is None or segment.lift is None or segment.lift_low is None or segment.lift_high is None:
        return None
    return segment.lift_low, segment.lift, segment.lift_high


def tiles(
    users: Bands, funnel: Funnel, lift: Segment | None, last_full_run: datetime | None, now: datetime
) -> Sequence[Tile]:
    """Return the four figures that answer the marketer's first questions."""
    at_risk = users.by_band["critical"] + users.by_band["at_risk"]
    reached = {step.name: step.users for step in funnel.steps}
    written, delivered = reached.get("written", 0), reached.get("delivered", 0)
    measured = interval_of(lift)
    return (
        Tile("At risk", figures.number(at_risk), f"{figures.share(at_risk, users.total)} of all users"),
        Tile(
            f"Written to in {funnel.days} days" if funnel.days else "Written to",
            figures.number(written),
            f"{figures.share(delivered, written)} delivered" if written else "nobody yet",
        ),
        Tile(
            "Lift",
            "–" if measured is None else figures.points(measured[1]),
            "not enough data yet" if measured is None else "points more orders than the hold-out",
        ),
        Tile(
            "Last full run",
            figures.ago(last_full_run, now),
            "refresh_engagement" if last_full_run else "run it in Dagster",
        ),
    )


def _counts(counts: BandCounts) -> dict[str, int]:
    return {band: getattr(counts, band) for band in BANDS}
