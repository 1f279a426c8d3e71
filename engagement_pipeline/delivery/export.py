"""Everything that is known about a person, for the person (GDPR, articles 15 and 20)."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final

import sqlalchemy as sa
from pydantic import ValidationError

from engagement_pipeline.copywriting import keeping
from engagement_pipeline.copywriting.copy import Copy
from engagement_pipeline.copywriting.names import first_name
from engagement_pipeline.delivery.tables import email_events, emails, suppressions
from engagement_pipeline.platform.audit import audit_log
from engagement_pipeline.platform.sql import Database
from engagement_pipeline.scoring.tables import scores
from engagement_pipeline.users import erasing
from engagement_pipeline.users.person import Person
from engagement_pipeline.users.tables import orders, rejected_records, users

# How we find somebody is nothing about them.
_OURS: Final = frozenset({"search_name", "search_surname", "claimed_by", "claimed_until"})


def export_person(database: Database, user_id: str) -> dict[str, Any] | None:
    """Return everything known about a person, as JSON can hold it; None where nothing is known of this id.

    The parts: `user`; `score`; `orders`, the oldest first; `emails` with what they say and what was reported of them;
    `other_events`, which concern the person's address and no e-mail of ours; `suppression`; `rejected_records`, which
    name the person; `changes`, by whom and when; and `about_this`, which says what the parts are.
    """
    with database.read() as connection:
        user = _one(connection, sa.select(users).where(users.c.user_id == user_id))
        bought = _rows(connection, sa.select(orders).where(orders.c.user_id == user_id), orders.c.ordered_at)
        written = _rows(connection, sa.select(emails).where(emails.c.user_id == user_id), emails.c.created_at)
        if user is None and not bought and not written:
            return None
        known = user or {}
        keys = {key for row in (known, *written) if (key := row.get("address_key")) is not None}
        ids = [row["email_id"] for row in written]
        entity_ids = {"user": [user_id], "email": ids, "order": [row["order_id"] for row in bought]}
        result = {
            "about_this": _ABOUT,
            "user": user,
            "score": _one(connection, sa.select(scores).where(scores.c.user_id == user_id)),
            "orders": bought,
            "emails": [_email(connection, row, known.get("name")) for row in written],
            "other_events": _other_events(connection, keys, ids),
            "suppression": _one(
                connection, sa.select(suppressions).where(suppressions.c.address_key == known.get("address_key"))
            ),
            "changes": _changes(connection, entity_ids),
        }
    person = Person(user_id, known.get("email"), known.get("name"), frozenset(keys))
    exported: dict[str, Any] = _plain({**result, "rejected_records": _rejected(database, person)})
    return exported


_ABOUT: Final = {
    "user": "The record as the shop has given it, with what follows from orders and e-mails.",
    "score": "How likely an order is within the next months, from 0 to 100, computed from orders alone and whether an "
    "e-mail was just sent; it decides, with consent and the time since the last e-mail, whether we write.",
    "emails": "What we wrote or chose not to write (`held_out`), and what came back. `brief` is all that its "
    "writer knew.",
    "suppression": "Why the address is not written to any more.",
    "address_key": "Stands for the address where the address itself is not needed; nobody can compute it without a "
    "secret of the shop's.",
    "changes": "Who has changed or looked at the record through this system.",
}


def _email(connection: sa.Connection, row: Mapping[str, Any], name: str | None) -> dict[str, Any]:
    events = sa.select(email_events).where(email_events.c.email_id == row["email_id"])
    kept = keeping.read(row["provenance"])
    return {
        **row,
        "copy": _as_read(row["copy"], name),
        "brief": kept.brief,
        "provenance": kept.record,
        "events": [_event(event) for event in _rows(connection, events, email_events.c.occurred_at)],
    }


def _as_read(copy: Any, name: str | None) -> Any:
    """Put the name where the person has read it; what is not a copy as we write it is given as it is."""
    try:
        return Copy.model_validate(copy).personalised(first_name(name)).model_dump(mode="json")
    except ValidationError:
        return copy


def _event(event: Mapping[str, Any]) -> dict[str, Any]:
    try:
        original = json.loads(event["original"])
    except ValueError:
        original = event["original"]
    return {**event, "original": original}


def _other_events(connection: sa.Connection, keys: Iterable[str], email_ids: Sequence[str]) -> list[dict[str, Any]]:
    event = email_events.c
    not_ours = sa.or_(event.email_id.is_(None), event.email_id.not_in(email_ids))
    # What somebody else of the same address was sent is theirs.
    others = sa.exists().where(emails.c.email_id == event.email_id, emails.c.address_key == event.address_key)
    found = sa.select(email_events).where(event.address_key.in_(sorted(keys)), not_ours, ~others)
    return [_event(row) for row in _rows(connection, found, event.occurred_at)]


def _changes(connection: sa.Connection, entity_ids: Mapping[str, Sequence[str]]) -> list[dict[str, Any]]:
    about = [
        sa.and_(audit_log.c.entity == entity, audit_log.c.entity_id.in_(found)) for entity, found in entity_ids.items()
    ]
    return _rows(connection, sa.select(audit_log).where(sa.or_(*about)), audit_log.c.audit_id)


def _rejected(database: Database, person: Person) -> list[dict[str, Any]]:
    keys = erasing.rejects_about(database, person)
    with database.read() as connection:
        found = sa.select(rejected_records).where(rejected_records.c.record_key.in_(keys))
        return _rows(connection, found, rejected_records.c.rejected_at)


def _one(connection: sa.Connection, query: sa.Select[Any]) -> dict[str, Any] | None:
    row = connection.execute(query).one_or_none()
    return None if row is None else _without_ours(row)


def _rows(connection: sa.Connection, query: sa.Select[Any], order: sa.Column[Any]) -> list[dict[str, Any]]:
    return [_without_ours(row) for row in connection.execute(query.order_by(order))]


def _without_ours(row: sa.Row[Any]) -> dict[str, Any]:
    return {name: value for name, value in row._mapping.items() if name not in _OURS}


def _plain(value: Any) -> Any:
    """Return a value as JSON can hold it."""
    if isinstance(value, Mapping):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if isinstance(value, datetime | date):
        return value.isoformat()
    return value
