"""The only place that reads the clock. Everything else takes the time as a parameter."""

import time
from datetime import date, datetime, timezone


def now() -> datetime:
    """Return the current time, timezone-aware, in UTC."""
    return datetime.now(timezone.utc)


def today() -> date:
    """Return the current day in UTC: the day that scores are computed as of."""
    return now().date()


def monotonic() -> float:
    """Return seconds that only ever grow, for measuring how long something takes."""
    return time.monotonic()
