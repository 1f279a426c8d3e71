"""The stores of users and orders that must all behave alike, each with what tests need to look into it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pytest
import sqlalchemy as sa

from engagement_pipeline.platform.audit import audit_log
from engagement_pipeline.platform.dynamodb import Dynamo
from engagement_pipeline.platform.dynamodb_tables import AUDIT, ORDERS, USERS
from engagement_pipeline.platform.sql import Database
from engagement_pipeline.users.dynamodb.attributes import touched
from engagement_pipeline.users.dynamodb.store import DynamoUserStore
from engagement_pipeline.users.store import SqlUserStore, StoredUser, Touches, UserStore, record_touches
from engagement_pipeline.users.tables import orders, users
from engagement_pipeline_tests.users.builders import SECRET

KINDS = (
    "sqlite",
    pytest.param("postgresql", marks=pytest.mark.integration),
    pytest.param("dynamodb", marks=pytest.mark.integration),
)


@dataclass(frozen=True)
class Shop:
    """One store, and ways to look at it that no program needs.

    Attributes:
        store: the store.
        with_key: the same one, opened with another secret key.
        touch: writes touches, as the ledger does.
        everything: all that it holds of users and orders, to see whether anything has changed.
        audited: what the audit log says, oldest first: action, entity, id and details.
    """

    store: UserStore
    with_key: Callable[[str], UserStore]
    touch: Callable[[Sequence[Touches], datetime], None]
    everything: Callable[[], Any]
    audited: Callable[[], list[tuple[str, str, str, dict[str, Any]]]]

    def stored(self, user_id: str = "u1") -> StoredUser:
        found = self.store.get_user(user_id)
        assert found is not None
        return found


@pytest.fixture(params=KINDS)
def shop(request: pytest.FixtureRequest) -> Iterator[Shop]:
    """A store of each kind, empty."""
    is_postgres = request.param == "postgresql"
    database = Database(request.getfixturevalue("postgres_url" if is_postgres else "sqlite_url"))
    if request.param == "dynamodb":
        yield dynamodb_shop(request.getfixturevalue("dynamo"), database)
    else:
        yield sql_shop(database)
    database.close()


def sql_shop(database: Database) -> Shop:
    def touch(batch: Sequence[Touches], now: datetime) -> None:
        with database.write() as connection:
            record_touches(connection, batch, now)

    def everything() -> Any:
        with database.read() as connection:
            return [sorted(map(str, connection.execute(sa.select(table)))) for table in (users, orders)]

    def audited() -> list[tuple[str, str, str, dict[str, Any]]]:
        with database.read() as connection:
            rows = connection.execute(sa.select(audit_log).order_by(audit_log.c.audit_id))
            return [(row.action, row.entity, row.entity_id, row.details) for row in rows]

    return Shop(SqlUserStore(database, SECRET), lambda key: SqlUserStore(database, key), touch, everything, audited)


def dynamodb_shop(dynamo: Dynamo, database: Database) -> Shop:
    def everything() -> Any:
        return [
            sorted(map(str, (sorted(item.items()) for item in dynamo.scan(table, 0, 1)))) for table in (USERS, ORDERS)
        ]

    def audited() -> list[tuple[str, str, str, dict[str, Any]]]:
        items = sorted(dynamo.scan(AUDIT, 0, 1), key=lambda item: item["auditId"])
        return [(item["action"], item["entity"], item["entityId"], item["details"]) for item in items]

    def touch(batch: Sequence[Touches], now: datetime) -> None:
        for touches in batch:
            dynamo.write(touched(touches, now))

    store = DynamoUserStore(dynamo, database, SECRET)
    return Shop(store, lambda key: DynamoUserStore(dynamo, database, key), touch, everything, audited)
