"""What each campaign achieved: a row per campaign, variant and band in `campaign_effectiveness`."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from typing import Literal

import duckdb

import engagement_pipeline.delivery.mirror
import engagement_pipeline.users.mirror
from engagement_pipeline.effectiveness.arms import Arms, Segment, count
from engagement_pipeline.effectiveness.lift import mean_effect, share_effect, shortage
from engagement_pipeline.effectiveness.wording import conclusion, not_enough
from engagement_pipeline.platform.warehouse import insert_rows, read_sql, transaction


@dataclass(frozen=True)
class Effectiveness:
    """A row of campaign_effectiveness.

    Attributes:
        campaign: its name.
        segment_kind: what `segment` is.
        segment: the campaign, or one variant or band of it.
        as_of: the moment of measuring, naive UTC.
        attribution_days: days after a decision in which orders count for it.
        mailed: decisions to write, whatever became of them; up to `revenue` these are counted so far.
        sent: of these, handed over to a mail provider.
        delivered: of these, accepted by the recipient's mail server.
        opened: of these, opened; unreliable, as mail programs open by themselves, or hide that they do.
        clicked: of these, clicked.
        ordered: decisions to write that an order followed, whether or not an e-mail went out.
        revenue: value of those orders, in the shop's currency; an order counts for each decision it follows.
        held_out: decisions to hold out, so far.
        measured_mailed: decisions to write whose window is over: the effect is measured on these,
        measured_held_out: and on these held out.
        mailed_ordered_share: percentage of `measured_mailed` that an order followed.
        held_out_ordered_share: the same of `measured_held_out`.
        lift: the difference in percentage points: what writing changed.
        lift_low: low end of its 95 % interval.
        lift_high: high end of it.
        revenue_lift: what writing changed in revenue per decision, in the shop's currency.
        revenue_lift_low: low end of its 95 % interval.
        revenue_lift_high: high end of it.
        status: `not_enough_data` leaves everything from `mailed_ordered_share` on empty.
        sentence: what this means.
    """

    campaign: str
    segment_kind: Literal["campaign", "variant", "band"]
    segment: str
    as_of: datetime
    attribution_days: int
    mailed: int
    sent: int
    delivered: int
    opened: int
    clicked: int
    ordered: int
    revenue: float
    held_out: int
    measured_mailed: int
    measured_held_out: int
    mailed_ordered_share: float | None
    held_out_ordered_share: float | None
    lift: float | None
    lift_low: float | None
    lift_high: float | None
    revenue_lift: float | None
    revenue_lift_low: float | None
    revenue_lift_high: float | None
    status: Literal["measured", "not_enough_data"]
    sentence: str


@dataclass(frozen=True)
class EffectivenessReport:
    """What stands in campaign_effectiveness after a run."""

    rows: Sequence[Effectiveness]


def ensure_tables(con: duckdb.DuckDBPyConnection) -> None:
    """Create the warehouse tables that the measure reads and writes, where they do not exist."""
    engagement_pipeline.users.mirror.ensure_tables(con)
    engagement_pipeline.delivery.mirror.ensure_tables(con)
    con.execute(read_sql(__package__, "schema"))


def measure(con: duckdb.DuckDBPyConnection, as_of: datetime, attribution_days: int) -> EffectivenessReport:
    """Replace campaign_effectiveness by what is known at a moment.

    Args:
        con: the warehouse.
        as_of: later decisions and orders do not count.
        attribution_days: an order counts for a decision that it follows by at most this many days.

    Raises:
        ValueError: `as_of` has no time zone.
    """
    if as_of.tzinfo is None:
        raise ValueError("a moment without a time zone cannot be measured at")
    moment = as_of.astimezone(timezone.utc).replace(tzinfo=None)
    ensure_tables(con)
    with transaction(con):
        counted = count(con, moment, attribution_days)
        rows = [_row(segment, arms, moment, attribution_days) for segment, arms in counted.items()]
        con.execute("DELETE FROM campaign_effectiveness")
        insert_rows(con, "campaign_effectiveness", [asdict(row) for row in rows])
    return EffectivenessReport(rows)


def _row(segment: Segment, arms: Arms, as_of: datetime, days: int) -> Effectiveness:
    mailed, held_out = arms
    missing = shortage(mailed.orders, held_out.orders)
    lift = share_effect(mailed.orders, held_out.orders) if missing is None else None
    revenue = mean_effect(mailed.revenue, held_out.revenue) if missing is None else None
    return Effectiveness(
        campaign=segment.campaign,
        segment_kind=segment.kind,
        segment=segment.name,
        as_of=as_of,
        attribution_days=days,
        mailed=mailed.decided,
        sent=mailed.sent,
        delivered=mailed.delivered,
        opened=mailed.opened,
        clicked=mailed.clicked,
        ordered=mailed.ordered_so_far,
        revenue=mailed.revenue_so_far,
        held_out=held_out.decided,
        measured_mailed=int(mailed.units),
        measured_held_out=int(held_out.units),
        mailed_ordered_share=100 * mailed.orders.mean if lift else None,
        held_out_ordered_share=100 * held_out.orders.mean if lift else None,
        lift=100 * lift.difference if lift else None,
        lift_low=100 * lift.low if lift else None,
        lift_high=100 * lift.high if lift else None,
        revenue_lift=revenue.difference if revenue else None,
        revenue_lift_low=revenue.low if revenue else None,
        revenue_lift_high=revenue.high if revenue else None,
        status="measured" if lift else "not_enough_data",
        sentence=_sentence(arms, days),
    )


def _sentence(arms: Arms, days: int) -> str:
    mailed, held_out = arms.mailed.orders, arms.held_out.orders
    missing = shortage(mailed, held_out)
    if missing is not None:
        decided = arms.mailed.decided + arms.held_out.decided
        return not_enough(missing, decided - int(mailed.units + held_out.units), days)
    return conclusion(share_effect(mailed, held_out), mailed.mean, held_out.mean, days)
