"""What the system itself allows: the caps of a new domain, and nothing at all once the circuit breaker has tripped."""

from datetime import datetime

from engagement_pipeline.delivery import breaker, warm_up
from engagement_pipeline.platform.sql import Database


class SendingLimits:
    """The limits of one store.

    Args:
        database: the operational store.
        warming_up: whether the day's caps of a new domain apply.
    """

    def __init__(self, database: Database, *, warming_up: bool) -> None:
        self._database = database
        self._warming_up = warming_up

    def day_cap(self, provider: str, now: datetime) -> int | None:
        """Return how many e-mails may go today through a provider, or None for any number."""
        if not self._warming_up:
            return None
        with self._database.write() as connection:
            return warm_up.day_cap(connection, provider, now)

    def must_stop(self, now: datetime) -> str | None:
        """Return why nothing may be sent until a person has looked, or None."""
        with self._database.write() as connection:
            return breaker.check(connection, now)
