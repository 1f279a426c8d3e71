"""Ledger rows and events of a person who has been erased: they still count, and lead to nobody any more.

User, address and e-mail get ids that are drawn, not derived: nobody can compute whose they were, not even with the
secret key. What a provider or the web report of such an e-mail later is kept without its original.
"""

import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from engagement_pipeline.copywriting.keeping import without_own_words
from engagement_pipeline.delivery.tables import email_events, emails
from engagement_pipeline.platform import change_log
from engagement_pipeline.platform.change_log import Change
from engagement_pipeline.users.models import PSEUDONYM_PREFIX

NOTHING: Final = "{}"


def new_pseudonym() -> str:
    """Return an id that nobody has had: 39 characters, fit for a user or an address."""
    return f"{PSEUDONYM_PREFIX}{uuid.uuid4().hex}"


def is_pseudonym(some_id: str | None) -> bool:
    return some_id is not None and some_id.startswith(PSEUDONYM_PREFIX)


@dataclass(frozen=True)
class Anonymised:
    """What was made anonymous: rows and events by how many, and the new ids of e-mails by their former ones."""

    email_ids: Mapping[str, str]
    events: int


def email_ids_of(connection: sa.Connection, user_id: str) -> list[str]:
    """Return a user's e-mails, in whatever status."""
    return list(connection.execute(sa.select(emails.c.email_id).where(emails.c.user_id == user_id)).scalars())


def address_keys_of(connection: sa.Connection, user_id: str) -> set[str]:
    """Return the addresses that a user's ledger rows were written for."""
    return set(connection.execute(sa.select(emails.c.address_key).where(emails.c.user_id == user_id)).scalars())


def empty(connection: sa.Connection, event_ids: Collection[str]) -> None:
    """Keep of these events only that they happened."""
    if event_ids:
        of_them = sa.update(email_events).where(email_events.c.event_id.in_(event_ids))
        connection.execute(of_them.values(original=NOTHING, address_key=None))


def anonymise(
    connection: sa.Connection, user_id: str, address_keys: Collection[str], pseudonym: str, now: datetime
) -> Anonymised:
    """Cut the tie between a person and their ledger rows and events.

    Args:
        connection: a writing transaction. The change log's lock is taken first.
        user_id: whose rows; none of them may be in a sender's hands.
        address_keys: of the person: events that nobody could match, but that name one of these, are emptied as well.
        pseudonym: takes the user's place in all rows, so that they are still one person's.
        now: the moment of the change.
    """
    change_log.lock(connection)
    rows = connection.execute(sa.select(emails).where(emails.c.user_id == user_id)).all()
    new_ids = {row.email_id: uuid.uuid4().hex for row in rows}
    # One pseudonym for each address: the effect is measured by address.
    new_keys = {key: new_pseudonym() for key in {row.address_key for row in rows} | set(address_keys)}
    for row in rows:
        _rename(connection, row, new_ids[row.email_id], new_keys[row.address_key], pseudonym, now)
    changes = [Change("email", old, user_id, "deleted") for old in new_ids]
    changes += [Change("email", new, pseudonym, "created") for new in new_ids.values()]
    events = _events(connection, rows, address_keys)
    for event in events:
        changes += _empty(connection, event, new_ids, pseudonym)
    change_log.append(connection, changes, now)
    return Anonymised(new_ids, len(events))


def _rename(
    connection: sa.Connection, row: sa.Row[Any], email_id: str, address_key: str, pseudonym: str, now: datetime
) -> None:
    values = {
        "email_id": email_id,
        "user_id": pseudonym,
        "address_key": address_key,
        "provenance": without_own_words(row.provenance),
        "updated_at": now,
    }
    if row.email_id in (row.provider_message_id or ""):
        values["provider_message_id"] = None
    connection.execute(sa.update(emails).where(emails.c.email_id == row.email_id).values(values))


def _events(
    connection: sa.Connection, rows: Sequence[sa.Row[Any]], address_keys: Collection[str]
) -> Sequence[sa.Row[Any]]:
    """Select what was reported of these e-mails, or of the person's address."""
    event = email_events.c
    own = event.email_id.in_([row.email_id for row in rows])
    named = event.provider_message_id.in_([row.provider_message_id for row in rows if row.provider_message_id])
    # Mail to somebody else that was sent on to this address. What somebody else got at the same address stays theirs.
    sent_on = sa.exists().where(emails.c.email_id == event.email_id, emails.c.address_key != event.address_key)
    at_the_address = sa.and_(event.address_key.in_(address_keys), sa.or_(event.email_id.is_(None), sent_on))
    nobodys = sa.and_(event.email_id.is_(None), named)
    return connection.execute(sa.select(email_events).where(sa.or_(own, at_the_address, nobodys))).all()


def _empty(connection: sa.Connection, event: sa.Row[Any], new_ids: Mapping[str, str], pseudonym: str) -> list[Change]:
    """Leave of an event what happened, when, and to which e-mail; return what changes with that."""
    own_id = event.email_id if event.email_id in new_ids else None
    # A provider's id of an event stays: by it a report that comes again is known. Ours are made of the e-mail's.
    is_made_of_it = own_id is not None and own_id in event.event_id
    event_id = new_pseudonym() if is_made_of_it else event.event_id
    values: dict[str, Any] = {"event_id": event_id, "address_key": None, "original": NOTHING}
    if own_id is not None:
        values["email_id"] = new_ids[own_id]
        if own_id in (event.provider_message_id or ""):
            values["provider_message_id"] = None
    connection.execute(sa.update(email_events).where(email_events.c.event_id == event.event_id).values(values))
    gone = [Change("event", event.event_id, None, "deleted")] if is_made_of_it else []
    return [*gone, Change("event", event_id, None if own_id is None else pseudonym, "updated")]
