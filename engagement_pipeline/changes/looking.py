"""Looking at the queue until something is there to be taken, and asking for a run that takes it, once."""

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from engagement_pipeline.changes import asking
from engagement_pipeline.changes.queue import ChangeQueue, Waiting
from engagement_pipeline.platform import clock
from engagement_pipeline.platform.settings import Settings
from engagement_pipeline.platform.sql import Database

# What the system has done itself is taken over now and then: it is for those who look, and nobody reacts to it.
QUIET_FOR: Final = timedelta(seconds=30)

_AGAIN_SECONDS: Final = 1.0
_LONGEST_POLL_SECONDS: Final = 20


def wait_for_messages(
    settings: Settings, database: Database, wait_seconds: float, now: Callable[[], datetime] = clock.now
) -> Waiting | None:
    """Wait until messages are there that nobody has asked to be taken; from then on, the caller has.

    Args:
        settings: name the queue.
        database: the operational store.
        wait_seconds: at most.
        now: tells the time, timezone-aware.

    Returns:
        What a look has shown; None where nothing came in that time, or nothing urgent that was not asked for.

    Raises:
        botocore.exceptions.BotoCoreError, ClientError: SQS does not answer.
    """
    until = clock.monotonic() + wait_seconds
    with ChangeQueue(settings) as queue:
        while True:
            left = until - clock.monotonic()
            is_awaited = asking.is_awaited(database, now())
            waiting = None if is_awaited else queue.look(min(_LONGEST_POLL_SECONDS, max(0, int(left))))
            if waiting is not None:
                quiet_for = timedelta(0) if waiting.is_urgent else QUIET_FOR
                if asking.ask(database, now(), quiet_for):
                    return waiting
            if clock.monotonic() + _AGAIN_SECONDS >= until:
                return None
            if is_awaited or waiting is not None:
                # A run has been asked for that has not come yet, or what there is can wait.
                time.sleep(_AGAIN_SECONDS)
