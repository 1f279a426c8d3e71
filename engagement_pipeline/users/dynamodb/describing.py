"""Writes what the shop says of users, one at a time: each change is decided on what the item holds when it is made."""

from datetime import datetime
from typing import Literal

from engagement_pipeline.platform.audit import AuditEntry
from engagement_pipeline.platform.dynamodb_audit import audit_puts
from engagement_pipeline.platform.dynamodb_tables import USERS
from engagement_pipeline.platform.dynamodb_values import Item
from engagement_pipeline.platform.dynamodb_words import absent
from engagement_pipeline.platform.dynamodb_writes import Put, Update, Write
from engagement_pipeline.users.dynamodb.attributes import after, described, new_user
from engagement_pipeline.users.dynamodb.items import version_of
from engagement_pipeline.users.dynamodb.reading import DynamoUserReader
from engagement_pipeline.users.models import User
from engagement_pipeline.users.rows import StoredUser, is_described_by
from engagement_pipeline.users.writing import AlreadyThereError, ChangedMeanwhileError, NotThereError

_TRIES = 40
_CROWDED = "a user is changed all the time"

Done = Literal["created", "updated", "unchanged"]


def describe(reader: DynamoUserReader, user: User, seen: Item | None, now: datetime) -> Done:
    """Make a user's item say what the shop says now; tell what that took.

    Args:
        reader: the tables.
        user: what the shop says.
        seen: the user's item as it was read before; None where there was none.
        now: the moment of the change.
    """
    wanted: Item | None = None
    done: Done = "unchanged"
    for _ in reader.dynamo.tries(_CROWDED, _TRIES):
        if seen is not None and seen == wanted:
            # It was made, and only the answer was lost.
            break
        if seen is not None and _says(reader.stored(seen), seen, user):
            return "unchanged"
        write = _write(reader, user, seen, now)
        wanted = write.item if isinstance(write, Put) else after(write, seen or {})
        done = "created" if seen is None else "updated"
        refused = reader.dynamo.write(write)
        if refused is None:
            break
        seen = refused.item
    return done


def create(reader: DynamoUserReader, user: User, now: datetime, audit: AuditEntry | None) -> StoredUser:
    """Write a new user, with the entry.

    Raises:
        AlreadyThereError: there is one of this id; nothing was written.
    """
    item = new_user(user, reader.counted(user.user_id), reader.secret_key, now)
    writes: list[Write] = [Put(USERS, item, absent("userId")), *audit_puts(audit)]
    if reader.dynamo.transact(writes):
        raise AlreadyThereError
    return reader.stored(item)


def change(reader: DynamoUserReader, user: User, version: int, now: datetime, audit: AuditEntry | None) -> StoredUser:
    """Replace what the shop says of a user, with the entry, where that says something new.

    Raises:
        NotThereError: there is no such user.
        ChangedMeanwhileError: it is of another version by now.
    """
    for _ in reader.dynamo.tries(_CROWDED, _TRIES):
        seen = reader.dynamo.get(USERS, user.user_id)
        if seen is None:
            raise NotThereError
        if version_of(seen) != version:
            raise ChangedMeanwhileError
        stored = reader.stored(seen)
        if _says(stored, seen, user):
            break
        update = described(user, seen, reader.counted(user.user_id), reader.secret_key, now)
        if not reader.dynamo.transact([update, *audit_puts(audit)]):
            stored = reader.stored(after(update, seen))
            break
    return stored


def _write(reader: DynamoUserReader, user: User, seen: Item | None, now: datetime) -> Put | Update:
    counted = reader.counted(user.user_id)
    if seen is None:
        return Put(USERS, new_user(user, counted, reader.secret_key, now), absent("userId"))
    return described(user, seen, counted, reader.secret_key, now)


def _says(stored: StoredUser, seen: Item, user: User) -> bool:
    # Consent that only a setting lends is written down once somebody has really given it.
    return is_described_by(stored, user) and "consent" in seen
