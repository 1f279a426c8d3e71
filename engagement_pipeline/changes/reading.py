"""What an event says in our own words, and which of many events of one item is the newest."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from engagement_pipeline.changes.events import ChangeEvent
from engagement_pipeline.changes.sequences import ItemKey

Row = TypeVar("Row", covariant=True)


@dataclass(frozen=True)
class Reading(Generic[Row]):
    """An event with the row that its item is since then; None where there is no such row, or no longer."""

    event: ChangeEvent
    row: Row | None = field(repr=False)


def newest(readings: Iterable[Reading[Row]]) -> dict[ItemKey, Reading[Row]]:
    """Return the newest of each item, in whatever order and however often they have come."""
    found: dict[ItemKey, Reading[Row]] = {}
    for reading in readings:
        known = found.get(reading.event.key)
        if known is None or reading.event.sequence > known.event.sequence:
            found[reading.event.key] = reading
    return found
