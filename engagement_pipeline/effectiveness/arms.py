"""The two arms of the experiment in each segment of a campaign, counted by `counts.sql` in one pass."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

import duckdb

from engagement_pipeline.effectiveness.lift import Sums
from engagement_pipeline.platform.warehouse import read_sql


class Segment(NamedTuple):
    """A campaign as a whole, or one variant or band of it."""

    campaign: str
    kind: Literal["campaign", "variant", "band"]
    name: str


@dataclass(frozen=True)
class Arm:
    """What became of one arm in a segment.

    From `decided` to `revenue_so_far`: all rows. The rest: rows whose attribution window is over, as sums over
    addresses, for `orders` and `revenue`.
    """

    decided: int = 0
    sent: int = 0
    delivered: int = 0
    opened: int = 0
    clicked: int = 0
    ordered_so_far: int = 0
    revenue_so_far: float = 0
    addresses: int = 0
    units: float = 0
    units_squared: float = 0
    ordered: float = 0
    ordered_squared: float = 0
    ordered_units: float = 0
    value: float = 0
    value_squared: float = 0
    value_units: float = 0

    @property
    def orders(self) -> Sums:
        """How many decisions an order followed."""
        return Sums(
            self.addresses, self.units, self.units_squared, self.ordered, self.ordered_squared, self.ordered_units
        )

    @property
    def revenue(self) -> Sums:
        """The value of the orders that followed decisions."""
        return Sums(self.addresses, self.units, self.units_squared, self.value, self.value_squared, self.value_units)


class Arms(NamedTuple):
    """Both arms of a segment."""

    mailed: Arm
    held_out: Arm


def count(con: duckdb.DuckDBPyConnection, as_of: datetime, attribution_days: int) -> dict[Segment, Arms]:
    """Count both arms of every segment.

    A variant for which nobody was held out is compared with the campaign's whole hold-out.

    Args:
        con: the warehouse.
        as_of: naive UTC; later decisions and orders do not count.
        attribution_days: days after a decision in which an order counts for it.
    """
    result = con.execute(read_sql(__package__, "counts"), {"as_of": as_of, "window": timedelta(days=attribution_days)})
    names = [column[0] for column in result.description or ()][4:]
    found: dict[tuple[Segment, str], Arm] = {}
    for campaign, kind, name, arm, *numbers in result.fetchall():
        found[Segment(campaign, kind, name), arm] = Arm(**dict(zip(names, numbers, strict=True)))
    arms = {}
    for segment in dict.fromkeys(segment for segment, _ in found):
        held_out = found.get((segment, "held_out"))
        if held_out is None and segment.kind == "variant":
            held_out = found.get((Segment(segment.campaign, "campaign", segment.campaign), "held_out"))
        arms[segment] = Arms(found.get((segment, "mailed"), Arm()), held_out or Arm())
    return arms
