"""Messages that are being handed over: what nobody can take back, but wait for."""

import time
from contextlib import closing
from datetime import datetime
from typing import Final

from engagement_pipeline.delivery.assembly import mailer_for
from engagement_pipeline.delivery.ledger import Ledger
from engagement_pipeline.platform import clock
from engagement_pipeline.platform.settings import Settings

_POLL_SECONDS: Final = 0.05


def is_in_flight(ledger: Ledger, user_id: str) -> bool:
    """Tell whether a message to a user is in a sender's hands."""
    return any(row.status == "sending" for row in ledger.emails_of(user_id))


def wait_for_senders(ledger: Ledger, settings: Settings, user_id: str, now: datetime, patience_seconds: float) -> bool:
    """Wait until no message to a user is being handed over; ask the mailer where its sender is gone.

    Args:
        ledger: tells.
        settings: choose the mailer.
        user_id: whose messages.
        now: the moment by which a sender counts as gone.
        patience_seconds: how long to wait.

    Returns:
        False where one still is.
    """
    deadline = clock.monotonic() + patience_seconds
    while is_in_flight(ledger, user_id):
        if ledger.has_leftovers(now) and (mailer := mailer_for(settings)) is not None:
            with closing(mailer):
                ledger.recover(mailer, now)
        if clock.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True
