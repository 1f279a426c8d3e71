"""Who asks for a run that takes what waits in the queue: one of several who look at it, until a run has come.

Looks at the queue go on, so that nothing is forgotten: what is still there when a run has been is asked for anew.
"""

from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa

from engagement_pipeline.platform.change_claims import change_claims
from engagement_pipeline.platform.sql import Database, insert_or_ignore

_READER: Final = "queued_changes"
# A run that has not come by then has failed.
UNANSWERED_AFTER: Final = timedelta(minutes=5)

_mine = change_claims.c.reader == _READER
_answered = change_claims.c.seq == change_claims.c.answered_seq


def ask(database: Database, now: datetime, quiet_for: timedelta = timedelta(0)) -> bool:
    """Tell whether to ask for a run now: nobody else has, in vain so far.

    Args:
        database: the operational store.
        now: the moment.
        quiet_for: how long ago the last run must have been asked for.
    """
    due = sa.and_(_answered, change_claims.c.claimed_at <= now - quiet_for)
    overdue = change_claims.c.claimed_at < now - UNANSWERED_AFTER
    asked = sa.update(change_claims).where(_mine, sa.or_(due, overdue))
    never = {"reader": _READER, "seq": 0, "claimed_at": datetime(1970, 1, 1, tzinfo=now.tzinfo), "answered_seq": 0}
    with database.write() as connection:
        insert_or_ignore(connection, change_claims, [never])
        return connection.execute(asked.values(seq=change_claims.c.seq + 1, claimed_at=now)).rowcount == 1


def answer(database: Database) -> None:
    """Note that a run has taken what there was."""
    with database.write() as connection:
        connection.execute(sa.update(change_claims).where(_mine).values(answered_seq=change_claims.c.seq))
