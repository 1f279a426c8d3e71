"""Brings users' steps and touches in line with their closed rows."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from engagement_pipeline.delivery.dynamodb.moves import touched_at
from engagement_pipeline.delivery.dynamodb.rows import Rows
from engagement_pipeline.delivery.entries import StoredEmail
from engagement_pipeline.delivery.statuses import CLOSED, EMAILED, TOUCHES
from engagement_pipeline.platform.dynamodb import Dynamo
from engagement_pipeline.platform.dynamodb_tables import USERS
from engagement_pipeline.platform.dynamodb_values import Item
from engagement_pipeline.platform.dynamodb_words import all_of, exists, unchanged
from engagement_pipeline.platform.side_by_side import each
from engagement_pipeline.users.dynamodb.attributes import touched
from engagement_pipeline.users.store import Touches

_WRITTEN: Final = ("touchedAt", "lastTouchAt", "lastEmailDate", "steps")
_TRIES: Final = 30


def touch_users(dynamo: Dynamo, rows: Rows, changed: Collection[StoredEmail], now: datetime) -> None:
    """Write what follows from rows for the users that they belong to, where it is not what their items say already.

    A user is read before the rows, and written only while unchanged: of two who do this at once, neither can write what
    the other knew better.

    Args:
        dynamo: the tables.
        rows: the ledger's.
        changed: rows that were closed, opened again or created; the index may not have them yet.
        now: the moment of the change.
    """
    left = {row.user_id for row in changed}
    for _ in dynamo.tries("a user is changed again and again", _TRIES):
        users = dynamo.get_many(USERS, [(user_id,) for user_id in left], ("userId", "version", *_WRITTEN))
        known = [row for row in changed if row.user_id in left]
        closed = rows.of_users([user["userId"] for user in users], known) if users else {}
        pairs = [(user, closed.get(user["userId"], [])) for user in users]
        refused = each(lambda pair: _is_refused(dynamo, *pair, now), pairs)
        left = {user["userId"] for user, is_refused in zip(users, refused, strict=True) if is_refused}
        if not left:
            break


def touches_of(user_id: str, rows: Iterable[StoredEmail]) -> Touches:
    """Return what a user's rows, of any status, say of the user."""
    closed = [row for row in rows if row.status in CLOSED]
    touches = _moments(row for row in closed if row.status in TOUCHES)
    mailed = _moments(row for row in closed if row.status in EMAILED)
    return Touches(user_id, touches, max(mailed, default=None), len(closed))


def _moments(rows: Iterable[StoredEmail]) -> Sequence[datetime]:
    return [moment for row in rows if (moment := touched_at(row)) is not None]


def _is_refused(dynamo: Dynamo, user: Item, rows: Iterable[StoredEmail], now: datetime) -> bool:
    update = touched(touches_of(user["userId"], rows), now)
    if all(user.get(name) == update.sets.get(name) for name in _WRITTEN):
        return False
    as_it_was = all_of(exists("userId"), unchanged(user, ("version",)))
    return dynamo.write(replace(update, condition=as_it_was)) is not None
