"""Who asks for a run that takes what waits in the queue: one of several who look at it, until a run has come.

What is still there when a run has been is asked for anew, so that nothing is forgotten. SQS counts every look, and
every run that fails: neither may ever make a dead letter of a change. Nobody looks, therefore, while a run can still
come, and runs that do not come are asked for more and more seldom.
"""

from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa

from engagement_pipeline.platform.change_claims import change_claims
from engagement_pipeline.platform.sql import Database, insert_or_ignore

_READER: Final = "queued_changes"
# A run that has not come by then has failed: so long for each that was asked for in vain.
UNANSWERED_AFTER: Final = timedelta(minutes=5)
_LONGEST: Final = timedelta(hours=3)

_mine = change_claims.c.reader == _READER


def is_awaited(database: Database, now: datetime) -> bool:
    """Tell whether a run has been asked for that can still come."""
    with database.read() as connection:
        asked = connection.execute(sa.select(change_claims).where(_mine)).one_or_none()
    return asked is not None and _is_awaited(asked, now)


def ask(database: Database, now: datetime, quiet_for: timedelta = timedelta(0)) -> bool:
    """Tell whether to ask for a run now: nobody else has, in vain so far.

    Args:
        database: the operational store.
        now: the moment.
        quiet_for: how long ago the last run must have been asked for.
    """
    never = {"reader": _READER, "seq": 0, "claimed_at": datetime(1970, 1, 1, tzinfo=now.tzinfo), "answered_seq": 0}
    with database.write() as connection:
        insert_or_ignore(connection, change_claims, [never])
        asked = connection.execute(sa.select(change_claims).where(_mine)).one()
        if _is_awaited(asked, now) or (not _in_vain(asked) and asked.claimed_at > now - quiet_for):
            return False
        # Somebody else may have asked meanwhile.
        mine = sa.update(change_claims).where(_mine, change_claims.c.seq == asked.seq)
        return connection.execute(mine.values(seq=asked.seq + 1, claimed_at=now)).rowcount == 1


def answer(database: Database) -> None:
    """Note that a run has taken what there was."""
    with database.write() as connection:
        connection.execute(sa.update(change_claims).where(_mine).values(answered_seq=change_claims.c.seq))


def _is_awaited(asked: "sa.Row[Any]", now: datetime) -> bool:
    times = _in_vain(asked)
    return times > 0 and asked.claimed_at >= now - min(times * UNANSWERED_AFTER, _LONGEST)


def _in_vain(asked: "sa.Row[Any]") -> int:
    return int(asked.seq - asked.answered_seq)
