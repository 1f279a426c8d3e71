"""The operational store's users, orders and rejected records in the warehouse, kept up by the change log.

Each batch of changes is one warehouse transaction that also moves the offset: killed anywhere, the next pull goes on
from where the rows say it stopped. Rows are read in their newest form, so reading a change twice does no harm.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

import duckdb
import sqlalchemy as sa

from engagement_pipeline.platform import change_log, warehouse
from engagement_pipeline.platform.change_log import Entity
from engagement_pipeline.platform.errors import BadInputError
from engagement_pipeline.platform.sql import Database
from engagement_pipeline.users.derived import chunks
from engagement_pipeline.users.mirror_rows import ORDERS, REJECTED, TABLES, USERS, Mirrored, insert
from engagement_pipeline.users.tables import orders, rejected_records, users

OFFSET = "raw"

_ENTITIES: tuple[Entity, ...] = ("user", "order", "touch", "rejected")
_BATCH = 50_000


class ForeignStoreError(BadInputError):
    """The warehouse was filled from another operational store than this one."""


@dataclass(frozen=True)
class PullReport:
    """What a pull brought.

    Attributes:
        users: rows of users written.
        orders: rows of orders written.
        rejected: rows of rejected records written.
        deleted: users deleted.
        seq: how far the change log has been read.
        full: whether the tables were read whole instead of their changes.
    """

    users: int = 0
    orders: int = 0
    rejected: int = 0
    deleted: int = 0
    seq: int = 0
    full: bool = False

    def __add__(self, later: "PullReport") -> "PullReport":
        return PullReport(
            self.users + later.users,
            self.orders + later.orders,
            self.rejected + later.rejected,
            self.deleted + later.deleted,
            later.seq,
            self.full or later.full,
        )


@dataclass
class _Changes:
    """What a stretch of the change log touches, each with its newest sequence number."""

    seq: int
    users: dict[str, int] = field(default_factory=dict)
    orders: dict[str, int] = field(default_factory=dict)
    rejected: dict[str, int] = field(default_factory=dict)
    deleted: set[str] = field(default_factory=set)

    def add(self, seq: int, entity: str, entity_id: str, user_id: str | None, operation: str) -> None:
        self.seq = seq
        if entity == "rejected":
            self.rejected[entity_id] = seq
            return
        if entity == "order":
            self.orders[entity_id] = seq
        if user_id is not None:
            # An order changes its user's aggregates.
            self.users[user_id] = seq
        if entity == "user" and operation == "deleted":
            self.deleted.add(entity_id)


def ensure_tables(con: duckdb.DuckDBPyConnection) -> None:
    """Create this room's warehouse tables where they are missing."""
    con.execute(warehouse.read_sql(__package__, "schema"))


def pull(con: duckdb.DuckDBPyConnection, database: Database, *, batch: int = _BATCH) -> PullReport:
    """Bring raw_users, raw_orders and rejected_records up to date with the operational store.

    A warehouse that has never read, or whose offset is older than what is left of the change log, reads the tables
    whole; otherwise only what changed.

    Args:
        con: the warehouse.
        database: the operational store.
        batch: most change-log entries, or rows of a full read, that are held in memory at once.

    Raises:
        ForeignStoreError: the warehouse has read further than this store's change log reaches.
    """
    ensure_tables(con)
    offset = warehouse.get_offset(con, OFFSET)
    with database.read() as connection:
        newest = connection.execute(sa.select(sa.func.max(change_log.change_log.c.seq))).scalar_one() or 0
        pruned_to = change_log.pruned_to(connection)
    if offset is None or offset < pruned_to:
        report = _load(con, database, newest, batch)
        offset = newest
    elif offset > newest:
        message = (
            f"the warehouse has read {offset} changes, but this operational store has made {newest}: it was filled "
            "from another store; remove the warehouse file, and it is rebuilt from this one"
        )
        raise ForeignStoreError(message)
    else:
        report = PullReport(seq=offset)
    while (changes := _read_changes(database, offset, batch)) is not None:
        report += _apply(con, database, changes)
        offset = changes.seq
    return report


def _read_changes(database: Database, after: int, limit: int) -> _Changes | None:
    log = change_log.change_log
    columns = (log.c.seq, log.c.entity, log.c.entity_id, log.c.user_id, log.c.operation)
    with database.read() as connection:
        rows = connection.execute(sa.select(*columns).where(log.c.seq > after).order_by(log.c.seq).limit(limit)).all()
    if not rows:
        return None
    changes = _Changes(after)
    for seq, entity, entity_id, user_id, operation in rows:
        changes.seq = seq
        if entity in _ENTITIES:
            changes.add(seq, entity, entity_id, user_id, operation)
    return changes


def _apply(con: duckdb.DuckDBPyConnection, database: Database, changes: _Changes) -> PullReport:
    with database.read() as connection, warehouse.transaction(con):
        # Orders go with their user; those placed after a return under the same id come with their own entries.
        _delete(con, "raw_orders", "user_id", changes.deleted)
        written = [
            _replace(con, connection, USERS, users.c.user_id, changes.users),
            _replace(con, connection, ORDERS, orders.c.order_id, changes.orders),
            _replace(con, connection, REJECTED, rejected_records.c.record_key, changes.rejected),
        ]
        warehouse.set_offset(con, OFFSET, changes.seq)
    user_rows, order_rows, rejected_rows = written
    return PullReport(user_rows, order_rows, rejected_rows, deleted=len(changes.deleted), seq=changes.seq)


def _replace(
    con: duckdb.DuckDBPyConnection,
    connection: sa.Connection,
    mirrored: Mirrored,
    key: sa.Column[str],
    changed: dict[str, int],
) -> int:
    """Rewrite the changed rows of one table; those that the store no longer has disappear."""
    _delete(con, mirrored.table, key.name, changed)
    written = 0
    for chunk in chunks(changed):
        rows = connection.execute(mirrored.query.where(key.in_(chunk))).all()
        insert(con, mirrored, rows, [changed[row[0]] for row in rows])
        written += len(rows)
    return written


def _delete(con: duckdb.DuckDBPyConnection, table: str, key: str, ids: Iterable[str]) -> None:
    if found := list(ids):
        con.execute(f"DELETE FROM {table} WHERE {key} IN (SELECT unnest($ids::VARCHAR[]))", {"ids": found})  # noqa: S608


def _load(con: duckdb.DuckDBPyConnection, database: Database, seq: int, batch: int) -> PullReport:
    """Read the tables whole. `seq` was read before them: what changes meanwhile is read again as a change."""
    with warehouse.transaction(con):
        written = [_load_table(con, database, mirrored, seq, batch) for mirrored in TABLES]
        warehouse.set_offset(con, OFFSET, seq)
    user_rows, order_rows, rejected_rows = written
    return PullReport(user_rows, order_rows, rejected_rows, seq=seq, full=True)


def _load_table(con: duckdb.DuckDBPyConnection, database: Database, mirrored: Mirrored, seq: int, batch: int) -> int:
    con.execute(f"DELETE FROM {mirrored.table}")  # noqa: S608
    written = 0
    with database.read() as connection:
        result = connection.execution_options(yield_per=batch).execute(mirrored.query)
        for rows in result.partitions():
            insert(con, mirrored, rows, [seq] * len(rows))
            written += len(rows)
    return written
