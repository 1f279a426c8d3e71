"""Brings users' steps and touches in line with their closed rows."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from engagement_pipeline.delivery.dynamodb.items import EARLIER
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
from engagement_pipeline.users.dynamodb.items import moment_of, version_of
from engagement_pipeline.users.dynamodb.items import touches_of as touches_told
from engagement_pipeline.users.store import Touches

_WRITTEN: Final = ("touchedAt", "lastTouchAt", "lastEmailDate", "steps")
_TRIES: Final = 30
# About a second, in which the index catches up.
_TRIES_FOR_INDEX: Final = 7
_SAME_EMAIL: Final = timedelta(days=1)


def touch_users(dynamo: Dynamo, rows: Rows, changed: Collection[StoredEmail], now: datetime) -> None:
    """Write what follows from rows for the users that they belong to, where it is not what their items say already.

    A user is read before the rows, and written only while unchanged: of two who do this at once, neither can write what
    the other knew better. Where the item tells of more than the rows that are found, the index is given time.

    Args:
        dynamo: the tables.
        rows: the ledger's.
        changed: rows that were closed, opened again or created; the index may not have them yet.
        now: the moment of the change.
    """
    left = {row.user_id for row in changed}
    for tried in dynamo.tries("a user is changed again and again", _TRIES):
        users = dynamo.get_many(USERS, [(user_id,) for user_id in left], ("userId", "version", *_WRITTEN))
        known = [row for row in changed if row.user_id in left]
        found = rows.of_users([user["userId"] for user in users], known) if users else {}
        pairs = [(user, found.get(user["userId"], [])) for user in users]
        lacking = {user["userId"] for user, mine in pairs if tried < _TRIES_FOR_INDEX and _lacks(user, mine, known)}
        pairs = [(user, mine) for user, mine in pairs if user["userId"] not in lacking]
        refused = each(lambda pair: _is_refused(dynamo, *pair, now), pairs)
        left = lacking | {user["userId"] for (user, _), is_refused in zip(pairs, refused, strict=True) if is_refused}
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


def _lacks(user: Item, rows: Collection[StoredEmail], changed: Iterable[StoredEmail]) -> bool:
    """Tell whether an item tells of rows that were not found, where none of the changed ones is the reason."""
    touches = touches_of(user["userId"], rows)
    lost = set(touches_told(user)) - {*touches.touched_at, *_from_before(user, rows)}
    taken_back = sum(row.user_id == user["userId"] and row.status == "failed" for row in changed)
    steps = user.get("steps")
    return len(lost) > taken_back or (isinstance(steps, int) and touches.steps < steps)


def _from_before(user: Item, rows: Collection[StoredEmail]) -> set[datetime]:
    """Return touches from before all rows of ours: an earlier deployment's, of which there may be no rows."""
    began = min((min(row.decided_at, row.created_at) for row in rows if row.campaign != EARLIER), default=None)
    known = _moments(row for row in rows if row.campaign == EARLIER and row.status in TOUCHES)
    return {
        moment
        for moment in touches_told(user)
        if (began is None or moment < began) and all(abs(moment - other) > _SAME_EMAIL for other in known)
    }


def _is_refused(dynamo: Dynamo, user: Item, rows: Collection[StoredEmail], now: datetime) -> bool:
    before = _from_before(user, rows)
    touches = touches_of(user["userId"], rows)
    mailed = (touches.last_email_at, *({moment_of(user.get("lastEmailDate"))} & before))
    last_email_at = max((moment for moment in mailed if moment is not None), default=None)
    touches = replace(touches, touched_at=[*touches.touched_at, *before], last_email_at=last_email_at)
    update = touched(touches, now)
    if all(user.get(name) == update.sets.get(name) for name in _WRITTEN):
        return False
    # Counted up by what was read, which may be a text.
    sets = {**update.sets, "version": version_of(user) + 1}
    as_it_was = all_of(exists("userId"), unchanged(user, ("version",)))
    return dynamo.write(replace(update, sets=sets, adds={}, condition=as_it_was)) is not None
