"""Ledger rows and events of a person who has been erased: they still count, and lead to nobody any more.

User, address and e-mail get ids that nobody can compute, not even with the secret key. What a provider or the web
report of such an e-mail later is kept without its original.
"""

import hashlib
import hmac
import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from engagement_pipeline.copywriting.keeping import without_own_words
from engagement_pipeline.delivery.entries import StoredEmail
from engagement_pipeline.delivery.tables import email_events, emails
from engagement_pipeline.platform import change_log
from engagement_pipeline.platform.change_log import Change
from engagement_pipeline.users.models import PSEUDONYM_PREFIX

NOTHING: Final = "{}"

_RENAMED: Final = ("email_id", "user_id", "address_key", "provider_message_id", "provenance", "updated_at")


def is_pseudonym(some_id: str | None) -> bool:
    return some_id is not None and some_id.startswith(PSEUDONYM_PREFIX)


@dataclass(frozen=True)
class Pseudonyms:
    """The new ids of one person, all made of a seed that is drawn for one erasure and forgotten at its end.

    So an erasure that is taken up again after a crash finds the ids that it has given before, and once it is finished
    nobody can tell whose they were.
    """

    seed: str = field(repr=False)

    @property
    def user_id(self) -> str:
        """39 characters; the same in all rows, so that they are still one person's."""
        return f"{PSEUDONYM_PREFIX}{self._made_of('user', '')}"

    def email_id(self, former: str) -> str:
        return self._made_of("email", former)

    def address_key(self, former: str) -> str:
        """39 characters; one for each address, as the effect is measured by address."""
        return f"{PSEUDONYM_PREFIX}{self._made_of('address', former)}"

    def renamed(self, row: StoredEmail, now: datetime) -> StoredEmail:
        """Return what stays of a row: it counts as before, and leads to nobody.

        What the provider calls the e-mail goes where that is made of our former id; so do words of the user's own.
        """
        kept = row.provider_message_id
        return replace(
            row,
            email_id=self.email_id(row.email_id),
            user_id=self.user_id,
            address_key=self.address_key(row.address_key),
            provider_message_id=None if kept is not None and row.email_id in kept else kept,
            provenance=without_own_words(row.provenance),
            updated_at=now,
        )

    def _made_of(self, what: str, former: str) -> str:
        return hmac.new(self.seed.encode(), f"{what}\0{former}".encode(), hashlib.sha256).hexdigest()[:32]


def empty(connection: sa.Connection, event_ids: Collection[str]) -> None:
    """Keep of these events only that they happened."""
    if event_ids:
        of_them = sa.update(email_events).where(email_events.c.event_id.in_(event_ids))
        connection.execute(of_them.values(original=NOTHING, address_key=None))


def rename_rows(connection: sa.Connection, rows: Sequence[StoredEmail], names: Pseudonyms, now: datetime) -> None:
    """Give a person's ledger rows, none of which is in a sender's hands, their new ids, in a writing transaction."""
    change_log.lock(connection)
    renamed = [names.renamed(row, now) for row in rows]
    for before, after in zip(rows, renamed, strict=True):
        values = {column: getattr(after, column) for column in _RENAMED}
        connection.execute(sa.update(emails).where(emails.c.email_id == before.email_id).values(values))
    changes = [Change("email", row.email_id, row.user_id, "deleted") for row in rows]
    changes += [Change("email", row.email_id, row.user_id, "created") for row in renamed]
    change_log.append(connection, changes, now)


def anonymise_events(
    connection: sa.Connection,
    rows: Sequence[StoredEmail],
    address_keys: Collection[str],
    names: Pseudonyms,
    now: datetime,
) -> int:
    """Leave of what was reported of a person's e-mails what happened, when, and to which e-mail, by its new id.

    Args:
        connection: a writing transaction. The change log's lock is taken first.
        rows: the person's, as they were before they got new ids.
        address_keys: of the person: events that nobody could match, but that name one of these, are emptied as well.
        names: the new ids.
        now: the moment of the change.

    Returns:
        How many events it concerned; those that were made anonymous before are not found again.
    """
    change_log.lock(connection)
    own = {row.email_id for row in rows}
    changes: list[Change] = []
    events = _events(connection, rows, address_keys)
    for event in events:
        changes += _empty(connection, event, own, names)
    change_log.append(connection, changes, now)
    return len(events)


def _events(
    connection: sa.Connection, rows: Sequence[StoredEmail], address_keys: Collection[str]
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


def _empty(connection: sa.Connection, event: sa.Row[Any], own: Collection[str], names: Pseudonyms) -> list[Change]:
    """Leave of an event what happened, when, and to which e-mail; return what changes with that."""
    own_id = event.email_id if event.email_id in own else None
    # A provider's id of an event stays: by it a report that comes again is known. Ours are made of the e-mail's.
    is_made_of_it = own_id is not None and own_id in event.event_id
    event_id = f"{PSEUDONYM_PREFIX}{uuid.uuid4().hex}" if is_made_of_it else event.event_id
    values: dict[str, Any] = {"event_id": event_id, "address_key": None, "original": NOTHING}
    if own_id is not None:
        values["email_id"] = names.email_id(own_id)
        if own_id in (event.provider_message_id or ""):
            values["provider_message_id"] = None
    connection.execute(sa.update(email_events).where(email_events.c.event_id == event.event_id).values(values))
    gone = [Change("event", event.event_id, None, "deleted")] if is_made_of_it else []
    return [*gone, Change("event", event_id, None if own_id is None else names.user_id, "updated")]
