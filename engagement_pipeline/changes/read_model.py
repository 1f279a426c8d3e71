"""The operational store's tables as a copy of the items on DynamoDB, for everybody who reads lists or many at once.

Each batch is one transaction, with the number of the newest change that it has seen of each item: whatever comes in
whatever order, and however often, the rows end as the items are.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from engagement_pipeline.changes import address_rows, audit_rows, email_rows, order_rows, user_rows
from engagement_pipeline.changes.events import Entity
from engagement_pipeline.changes.order_rows import LookUp
from engagement_pipeline.changes.reading import Reading, newest
from engagement_pipeline.changes.sequences import Sequences
from engagement_pipeline.platform import change_log
from engagement_pipeline.users.keys import check_secret_key


@dataclass(frozen=True)
class ReadModel:
    """Writes the copy.

    Args:
        secret_key: keys the address hashes, as in the tables.
        look_up: reads orders as they are now.
        refresh: brings the aggregates of users' items in line with orders that others than we may have written.
    """

    secret_key: str
    look_up: LookUp
    refresh: Callable[[Sequence[str], datetime], object]

    def apply(self, connection: sa.Connection, readings: Iterable[Reading[Any]], now: datetime) -> int:
        """Bring rows in line with what events say, in a writing transaction, and log what changes by that.

        Returns:
            How many items have moved on.

        Raises:
            SecretKeyChangedError: the store was made with another secret key.
        """
        change_log.lock(connection)
        check_secret_key(connection, self.secret_key)
        return self._write(connection, self._fresh(connection, readings, now), now)

    def load(
        self, connection: sa.Connection, readings: Iterable[Reading[Any]], now: datetime, begun: datetime | None
    ) -> int:
        """Bring rows in line with items as they were read from the tables, in a writing transaction.

        Those that events have told of since then are left alone: what is to be known of them has come, or is on its
        way. What was told before, the tables know as well, and perhaps more.

        Args:
            connection: a writing transaction.
            readings: the items.
            now: the moment.
            begun: a moment before the first of them was read; None: nobody knows, and whatever was told stands.

        Returns:
            How many items were none of these.

        Raises:
            SecretKeyChangedError: the store was made with another secret key.
        """
        change_log.lock(connection)
        check_secret_key(connection, self.secret_key)
        latest = newest(readings)
        told = Sequences(self.secret_key).applied(connection, latest, begun)
        return self._write(connection, [reading for key, reading in latest.items() if key not in told], now)

    def _write(self, connection: sa.Connection, fresh: Sequence[Reading[Any]], now: datetime) -> int:
        orders = order_rows.write(connection, _of(fresh, "order"), self.look_up, now)
        owners = {change.user_id for change in orders if change.user_id is not None}
        users = user_rows.write(connection, _of(fresh, "user"), owners)
        if users.doubtful:
            self.refresh(sorted(users.doubtful), now)
        changes = orders + users.changes
        changes += email_rows.write(connection, _of(fresh, "email"))
        changes += address_rows.write(connection, _of(fresh, "address"))
        audit_rows.write(connection, _of(fresh, "audit"))
        change_log.append(connection, changes, now)
        return len(fresh)

    def _fresh(
        self, connection: sa.Connection, readings: Iterable[Reading[Any]], now: datetime
    ) -> Sequence[Reading[Any]]:
        sequences = Sequences(self.secret_key)
        latest = newest(readings)
        applied = sequences.applied(connection, latest)
        fresh = {key: reading for key, reading in latest.items() if reading.event.sequence > applied.get(key, -1)}
        sequences.note(connection, [(key, reading.event.sequence) for key, reading in fresh.items()], now)
        return list(fresh.values())


def _of(readings: Sequence[Reading[Any]], entity: Entity) -> list[Reading[Any]]:
    return [reading for reading in readings if reading.event.entity == entity]
