"""Short ways to make users, orders and stores."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from engagement_pipeline.platform.change_log import change_log
from engagement_pipeline.platform.sql import Database, metadata
from engagement_pipeline.users.models import Order, User
from engagement_pipeline.users.store import SqlUserStore
from engagement_pipeline_tests.conftest import NOW

SECRET = "a key that only the tests use"


def user(user_id: str = "u1", **values: Any) -> User:
    return User(**({"user_id": user_id, "email": f"{user_id}@example.com", "name": "Ada Test"} | values))


def order(order_id: str, user_id: str = "u1", days_ago: float = 10, value: float = 20.0, **values: Any) -> Order:
    given: dict[str, Any] = {"ordered_at": NOW - timedelta(days=days_ago), "total_value": value}
    return Order(**({"order_id": order_id, "user_id": user_id} | given | values))


def store_of(database: Database) -> SqlUserStore:
    return SqlUserStore(database, SECRET)


@contextmanager
def scratch_database(folder: Path | None = None) -> Iterator[Database]:
    """A store in memory, or in a file where several threads need it, without the cost of migrations."""
    database = Database("sqlite://" if folder is None else f"sqlite:///{folder / 'scratch.db'}")
    metadata.create_all(database.engine)
    try:
        yield database
    finally:
        database.close()


def log_of(database: Database, after: int = 0) -> list[tuple[str, str, str | None, str]]:
    columns = (change_log.c.entity, change_log.c.entity_id, change_log.c.user_id, change_log.c.operation)
    with database.read() as connection:
        query = sa.select(*columns).where(change_log.c.seq > after).order_by(change_log.c.seq)
        return [(row[0], row[1], row[2], row[3]) for row in connection.execute(query)]


def newest_seq(database: Database) -> int:
    with database.read() as connection:
        return connection.execute(sa.select(sa.func.max(change_log.c.seq))).scalar_one() or 0


def later(hours: float) -> datetime:
    return NOW + timedelta(hours=hours)
