"""Waiting for a change without a busy loop, and claiming it so that one of several who wait goes on."""

import time
from collections.abc import Callable
from datetime import datetime

from engagement_pipeline.platform import change_claims, change_log, clock
from engagement_pipeline.platform.sql import Database

POLL_SECONDS = 0.05


def wait_for_change(
    database: Database,
    reader: str,
    wait_seconds: float,
    now: Callable[[], datetime] = clock.now,
    sleep: Callable[[float], None] = time.sleep,
    monotonic: Callable[[], float] = time.monotonic,
) -> int | None:
    """Wait until users or orders change or somebody asks for an e-mail, and claim the changes for `reader`.

    Returns:
        The newest claimed sequence number of the change log; None where nothing changed within `wait_seconds`, or
        somebody else who waits under the same name claimed it first.
    """
    deadline = monotonic() + wait_seconds
    with database.read() as connection:
        seen = change_claims.claimed(connection, reader)
    looked_at = -1
    while True:
        with database.read() as connection:
            head = change_log.head(connection)
            newest = change_log.newest(connection, seen) if head > looked_at else None
        looked_at = head
        if newest is not None:
            with database.write() as connection:
                if change_claims.claim(connection, reader, newest, now()):
                    return newest
            seen = newest
        if monotonic() >= deadline:
            return None
        sleep(POLL_SECONDS)
