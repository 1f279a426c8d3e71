"""The two arms of the experiment in each segment of a campaign, counted by `counts.sql`."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal, NamedTuple, get_args

import duckdb

from engagement_pipeline.effectiveness.lift import Sums
from engagement_pipeline.platform.warehouse import read_sql

Kind = Literal["campaign", "variant", "band"]
_KINDS: Final[tuple[Kind, ...]] = get_args(Kind)

EVER: Final = datetime.min  # noqa: DTZ901 - naive, as all moments in the warehouse

_COUNTED = """
    campaign, variant, band, arm, HASH(address_key) AS address, is_sent, is_delivered, is_opened, is_clicked,
    is_complete, has_ordered, revenue
"""


class Segment(NamedTuple):
    """A campaign as a whole, or one variant or band of it."""

    campaign: str
    kind: Kind
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


def outcomes() -> str:
    """Return the query for what became of each decision; binds what `outcome_parameters` gives."""
    return read_sql(__package__, "outcomes")


def outcome_parameters(
    as_of: datetime, attribution_days: int, since: datetime = EVER
) -> dict[str, datetime | timedelta]:
    """Return what the query of `outcomes` binds.

    Args:
        as_of: naive UTC; later decisions and orders do not count.
        attribution_days: days after a decision in which an order counts for it.
        since: naive UTC; earlier decisions do not count.
    """
    return {"since": since, "as_of": as_of, "window": timedelta(days=attribution_days)}


def count(con: duckdb.DuckDBPyConnection, as_of: datetime, attribution_days: int) -> dict[Segment, Arms]:
    """Count both arms of every segment.

    A variant for which nobody was held out is compared with the campaign's whole hold-out.

    Args:
        con: the warehouse.
        as_of: naive UTC; later decisions and orders do not count.
        attribution_days: days after a decision in which an order counts for it.
    """
    found: dict[tuple[Segment, str], Arm] = {}
    # Kept for a moment, and looked at once for each kind: all at once would take several times the memory.
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE outcomes AS SELECT {_COUNTED} FROM ({outcomes()})",  # noqa: S608
        outcome_parameters(as_of, attribution_days),
    )
    for kind in _KINDS:
        segments = f"SELECT *, {kind} AS segment FROM outcomes WHERE {kind} IS NOT NULL"  # noqa: S608
        counts = read_sql(__package__, "counts")
        result = con.execute(f"WITH segments AS ({segments}) SELECT * FROM ({counts}) AS counted")  # noqa: S608
        names = [column[0] for column in result.description or ()][3:]
        for campaign, name, arm, *numbers in result.fetchall():
            found[Segment(campaign, kind, name), arm] = Arm(**dict(zip(names, numbers, strict=True)))
    con.execute("DROP TABLE outcomes")
    arms = {}
    for segment in dict.fromkeys(segment for segment, _ in found):
        held_out = found.get((segment, "held_out"))
        if held_out is None and segment.kind == "variant":
            held_out = found.get((Segment(segment.campaign, "campaign", segment.campaign), "held_out"))
        arms[segment] = Arms(found.get((segment, "mailed"), Arm()), held_out or Arm())
    return arms
