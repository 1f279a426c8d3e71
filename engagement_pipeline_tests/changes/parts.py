"""Tables that only remember what was written to them, as events say it, and the read model that follows."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from pydantic import SecretStr

from engagement_pipeline.changes.events import ChangeEvent, Entity, parse
from engagement_pipeline.changes.item_reader import ItemReader
from engagement_pipeline.changes.read_model import ReadModel
from engagement_pipeline.platform.change_log import change_log
from engagement_pipeline.platform.settings import Settings
from engagement_pipeline.platform.settings_groups import DynamoSettings
from engagement_pipeline.platform.sql import Database
from engagement_pipeline.users.dynamodb.items import readable_orders
from engagement_pipeline.users.models import Order
from engagement_pipeline_tests.aws_server import REGION
from engagement_pipeline_tests.conftest import NOW
from engagement_pipeline_tests.delivery.parts import SECRET

Item = dict[str, Any]

TABLES = DynamoSettings(
    users_table="Users",
    orders_table="Orders",
    order_owners_table="OrderOwners",
    emails_table="Emails",
    addresses_table="Addresses",
    audit_table="Audit",
)
# Of a server that is not there: whoever asks it has made a mistake.
SETTINGS = Settings(
    aws_region=REGION, aws_endpoint_url="http://127.0.0.1:1", secret_key=SecretStr(SECRET), dynamodb=TABLES
)


def user_item(user_id: str, **values: Any) -> Item:
    """An item as the earlier deployment has it, with consent."""
    item = {
        "userId": user_id,
        "email": f"{user_id}@example.com",
        "name": f"{user_id.title()} Example",
        "consent": True,
        "createdAt": "2026-01-01T00:00:00Z",
        "updatedAt": "2026-01-01T00:00:00Z",
    }
    return {name: value for name, value in {**item, **values}.items() if value is not None}


def order_item(order_id: str, user_id: str, days: int = 10, value: float = 20.0, **values: Any) -> Item:
    item = {
        "orderId": order_id,
        "userId": user_id,
        "orderDate": (NOW - timedelta(days=days)).isoformat(),
        "totalValue": value,
        "itemCount": 1,
        "status": "delivered",
    }
    return {**item, **values}


def email_item(email_id: str, user_id: str, status: str = "draft", **values: Any) -> Item:
    item = {
        "emailId": email_id,
        "userId": user_id,
        "addressKey": "ab" * 32,
        "campaign": "win-back",
        "step": int(email_id[1:]),
        "status": status,
        "engagementScoreAtTime": 40,
        "band": "at_risk",
        "valueAtRisk": 12.5,
        "attempts": 0,
        "decidedAt": "2026-03-02T15:00:00Z",
        "generatedAt": "2026-03-02T15:00:00Z",
        "updatedAt": "2026-03-02T15:00:00Z",
        "copy": json.dumps({"subject": "We miss you, {{first_name}}"}),
    }
    return {**item, **values}


def audit_item(entry_id: str, user_id: str) -> Item:
    return {
        "auditId": entry_id,
        "actor": "cli",
        "action": "user.created",
        "entity": "user",
        "entityId": user_id,
        "details": {"fields": ["email"]},
        "happenedAt": "2026-03-02T15:00:00Z",
    }


_KEYS: Mapping[Entity, tuple[str, ...]] = {
    "user": ("userId",),
    "order": ("userId", "orderId"),
    "email": ("emailId",),
    "address": ("addressKey",),
    "audit": ("auditId",),
}


@dataclass
class Tables:
    """What is, and the events of how it came to be."""

    items: dict[tuple[Entity, tuple[str, ...]], Item] = field(default_factory=dict)
    events: list[str] = field(default_factory=list)

    def put(self, entity: Entity, item: Item) -> str:
        key = entity, tuple(item[name] for name in _KEYS[entity])
        old = self.items.get(key)
        self.items[key] = item
        return self._tell(entity, "created" if old is None else "updated", old, item)

    def remove(self, entity: Entity, *key: str) -> str | None:
        old = self.items.pop((entity, key), None)
        return None if old is None else self._tell(entity, "deleted", old, None)

    def of(self, entity: Entity) -> list[Item]:
        return [item for (kind, _), item in self.items.items() if kind == entity]

    def _tell(self, entity: Entity, operation: str, old: Item | None, new: Item | None) -> str:
        item = new or old or {}
        event = {
            "version": 1,
            "event_id": f"event-{len(self.events)}",
            "entity": entity,
            "operation": operation,
            "entity_id": item[_KEYS[entity][-1]],
            "user_id": item.get("userId"),
            # As long as DynamoDB's own.
            "sequence": str(10**20 + len(self.events)),
            "occurred_at": "2026-03-02T15:00:00Z",
            "new": new,
            "old": old,
            "fetch": False,
        }
        self.events.append(json.dumps(event))
        return self.events[-1]


class Follower:
    """The read model of some tables, without a queue between."""

    def __init__(self, database: Database, tables: Tables) -> None:
        self.database = database
        self.tables = tables
        self.refreshed: list[str] = []
        self._items = ItemReader(SETTINGS, database)
        self._model = ReadModel(SECRET, self._orders_now, self._refresh)

    def take(self, *events: str) -> int:
        readings = [self._items.read(parse(event)) for event in events]
        with self.database.write() as connection:
            return self._model.apply(connection, readings, NOW)

    def read(self, event: ChangeEvent) -> Any:
        return self._items.read(event).row

    def _refresh(self, user_ids: Sequence[str], now: datetime) -> None:
        self.refreshed += user_ids

    def _orders_now(self, keys: Collection[tuple[str, str]]) -> Sequence[Order]:
        return readable_orders(item for key in keys if (item := self.tables.items.get(("order", key))) is not None)


def changes(database: Database) -> list[tuple[str, str, str | None, str]]:
    """What the change log says, in order."""
    log = change_log.c
    query = sa.select(log.entity, log.entity_id, log.user_id, log.operation).order_by(log.seq)
    with database.read() as connection:
        return [tuple(row) for row in connection.execute(query)]
