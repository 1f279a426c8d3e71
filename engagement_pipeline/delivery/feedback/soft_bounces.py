"""When soft bounces have become a habit: a pure rule over what is known of one address, in whatever order it came.

A run is what lies between two signs of life. It counts e-mails, not events: a provider may report one bounce twice.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Final, NamedTuple

from engagement_pipeline.delivery.events import Kind

# The address takes mail: whatever bounced before was not a habit. A scanner's click needs a delivered e-mail too.
SIGNS_OF_LIFE: Final[frozenset[Kind]] = frozenset(
    {"delivery", "open", "click", "machine_open", "machine_click", "complaint", "unsubscribe"}
)
TELLING: Final[frozenset[Kind]] = SIGNS_OF_LIFE | {"soft_bounce"}


class Report(NamedTuple):
    """One event at one address; sorts by the time at which it happened. `email` is whatever names its e-mail."""

    occurred_at: datetime
    event_id: str
    kind: str
    email: str


def runs(history: Iterable[Report], least: int) -> list[list[Report]]:
    """Return the runs of soft bounces that concern at least so many e-mails, the oldest first."""
    found: list[list[Report]] = [[]]
    for report in sorted(history):
        if report.kind == "soft_bounce":
            found[-1].append(report)
        elif report.kind in SIGNS_OF_LIFE:
            found.append([])
    return [run for run in found if len({report.email for report in run}) >= least]
