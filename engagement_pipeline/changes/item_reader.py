"""What items are in our words: the same that the stores on DynamoDB would say of them.

A message that is no event is poison. An item that is no proper user or order is a bad record of the table, which the
stores pass over too: it is recorded as rejected, as that of a file would be, and mended where it stands.
"""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from functools import cached_property
from typing import Any, Final

import sqlalchemy as sa

from engagement_pipeline.changes.email_rows import EmailColumns
from engagement_pipeline.changes.events import BadChangeError, ChangeEvent, Entity, Item
from engagement_pipeline.changes.fitting import fits, misfit
from engagement_pipeline.changes.reading import Reading
from engagement_pipeline.changes.sequences import ItemKey
from engagement_pipeline.delivery.dynamodb.items import BadEmailError, as_moment, columns_of
from engagement_pipeline.delivery.suppressions import Suppression
from engagement_pipeline.delivery.tables import emails, suppressions
from engagement_pipeline.platform.audit import AuditEntry, audit_log
from engagement_pipeline.platform.dynamodb import Dynamo, connect
from engagement_pipeline.platform.dynamodb_tables import ADDRESSES, AUDIT, EMAILS, ORDERS, USERS, Table
from engagement_pipeline.platform.settings import Settings
from engagement_pipeline.platform.sql import Database
from engagement_pipeline.users.dynamodb.items import (
    BadItemError,
    order_of,
    readable_orders,
    stored_user_of,
    user_of,
)
from engagement_pipeline.users.dynamodb.store import DynamoUserStore
from engagement_pipeline.users.models import Order
from engagement_pipeline.users.rejects import Reject, storable
from engagement_pipeline.users.rows import StoredUser
from engagement_pipeline.users.tables import users

TABLES: Final[dict[Entity, Table]] = {
    "user": USERS,
    "order": ORDERS,
    "email": EMAILS,
    "address": ADDRESSES,
    "audit": AUDIT,
}


class ItemReader:
    """Reads items as settings say.

    Args:
        settings: name the tables; say who has agreed where a table says nothing of it.
        database: the operational store.
    """

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings = settings
        self._database = database
        self._secret_key = settings.secret_key.get_secret_value()
        self._consent = settings.dynamodb.consent_when_missing
        self._rows: Mapping[Entity, Callable[[Item], Any]] = {
            "user": self._user,
            "order": _order,
            "email": _email,
            "address": _suppression,
            "audit": _audit_entry,
        }

    @cached_property
    def _tables(self) -> Dynamo:
        # Most messages say all that there is to know.
        return connect(self._settings)

    def look_up(self, events: Collection[ChangeEvent]) -> list[ChangeEvent]:
        """Return events with their items as they are now; deleted where there is none any more.

        Raises:
            UnavailableError: DynamoDB does not answer.
        """
        found: dict[tuple[Table, tuple[str, ...]], Item] = {}
        for table in {TABLES[event.entity] for event in events}:
            keys = {_key(event) for event in events if TABLES[event.entity] is table}
            for item in self._tables.get_many(table, keys):
                found[table, tuple(item[name] for name in table.key.attributes)] = item
        return [_with(event, found.get((TABLES[event.entity], _key(event)))) for event in events]

    def there(self, events: Collection[ChangeEvent]) -> set[ItemKey]:
        """Return which of the items that events speak of there are now.

        Of one that is gone nothing is to be mended, and nothing may be recorded: it may be somebody who was erased.
        """
        return {event.key for event in self.look_up(events) if event.new is not None}

    def orders_now(self, keys: Collection[tuple[str, str]]) -> Sequence[Order]:
        """Return those of these orders, by user and id, that there are now; of one id the one that is written last."""
        items = self._tables.get_many(ORDERS, keys)
        return readable_orders(sorted(items, key=lambda item: str(item.get("updatedAt", ""))))

    def refresh(self, user_ids: Sequence[str], now: datetime) -> None:
        """Bring the aggregates of users' items in line with orders that others than we may have written.

        Raises:
            UnavailableError: DynamoDB does not answer.
        """
        store = DynamoUserStore(self._tables, self._database, self._secret_key, consent_when_missing=self._consent)
        store.refresh_aggregates(user_ids, now)

    def read(self, event: ChangeEvent) -> Reading[Any]:
        """Return what an event says, its item not having to be looked up any more.

        Raises:
            BadChangeError: the item cannot be read.
        """
        if event.new is None:
            return Reading(event, None)
        try:
            return Reading(event, self._rows[event.entity](event.new))
        except BadChangeError:
            raise
        except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
            # Its text could quote what the item holds.
            raise BadChangeError("new", "bad_item", f"cannot be read ({type(error).__name__})") from None

    def faults(self, events: Collection[ChangeEvent], now: datetime) -> list[Reject]:
        """Return what is wrong with items that are there and no proper users or orders, unless it was so before.

        Args:
            events: say what the items are and were.
            now: moments more than a day after it are no proper ones.

        Raises:
            UnavailableError: DynamoDB does not answer.
        """
        faulty = [(event, reject) for event in events if (reject := self._reject(event, now)) is not None]
        there = self.there([event for event, _ in faulty])
        return [reject for event, reject in faulty if event.key in there]

    def _reject(self, event: ChangeEvent, now: datetime) -> Reject | None:
        found = self._faults(event.entity, event.new, now)
        if found is None or (event.old is not None and str(self._faults(event.entity, event.old, now)) == str(found)):
            return None
        return Reject(
            entity="user" if event.entity == "user" else "order",
            file=self._settings.dynamodb.tables[TABLES[event.entity].name],
            line=0,
            field=found.faults[0].field,
            reason=found.faults[0].reason,
            message=str(found),
            original=storable(_text(event.new)),
        )

    def _faults(self, entity: Entity, item: Item | None, now: datetime) -> BadItemError | None:
        if item is None or entity not in ("user", "order"):
            return None
        try:
            if entity == "user":
                user_of(item, now, consent_when_missing=self._consent)
            else:
                order_of(item, now)
        except BadItemError as error:
            return error
        return None

    def _user(self, item: Item) -> StoredUser:
        # What else cannot be read of a user is taken as missing.
        if not fits(users.c.user_id, item["userId"]):
            raise BadChangeError("new", "bad_item", "has an id that users.user_id cannot hold")
        return stored_user_of(item, self._secret_key, consent_when_missing=self._consent)


def as_told(item: Item) -> Item:
    """Return an item as an event tells of it: JSON has no sets."""
    return {name: sorted(value, key=str) if isinstance(value, set) else value for name, value in item.items()}


def _order(item: Item) -> Order | None:
    found = readable_orders([item])
    return found[0] if found else None


def _email(item: Item) -> EmailColumns | None:
    try:
        row = columns_of(item)
    except BadEmailError as error:
        raise BadChangeError("new", "bad_email", str(error)) from None
    return None if row is None else _fitting(emails, row)


def _suppression(item: Item) -> Suppression | None:
    if item.get("reason") is None:
        return None
    entry = Suppression(item["addressKey"], item["reason"], item["source"], as_moment(item["suppressedAt"]))
    _fitting(suppressions, asdict(entry))
    return entry


def _audit_entry(item: Item) -> AuditEntry:
    details = item.get("details") or {}
    entry = AuditEntry(
        actor=item["actor"],
        action=item["action"],
        entity=item["entity"],
        entity_id=item["entityId"],
        details=json.loads(details) if isinstance(details, str) else details,
        happened_at=as_moment(item["happenedAt"]),
        request_id=item.get("requestId"),
    )
    _fitting(audit_log, asdict(entry))
    return entry


def _fitting(table: sa.Table, row: dict[str, Any]) -> dict[str, Any]:
    if column := misfit(table, row):
        raise BadChangeError("new", "bad_item", f"has a value that {table.name}.{column} cannot hold")
    return row


def _key(event: ChangeEvent) -> tuple[str, ...]:
    return (event.user_id or "", event.entity_id) if event.entity == "order" else (event.entity_id,)


def _with(event: ChangeEvent, item: Item | None) -> ChangeEvent:
    if item is None:
        return event.model_copy(update={"operation": "deleted", "new": None, "fetch": False})
    return event.model_copy(update={"new": as_told(item), "fetch": False})


def _text(item: Item | None) -> str:
    return json.dumps(item, ensure_ascii=False, sort_keys=True, default=str)
