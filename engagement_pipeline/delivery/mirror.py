"""Bring the ledger, its events and the suppressions into the warehouse: what changed since the last time, exactly once.

A warehouse that has never read a table, or not since the log was pruned, takes it whole. Rows and offset commit
together, a batch at a time.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import duckdb
import sqlalchemy as sa

from engagement_pipeline.delivery import tables
from engagement_pipeline.platform import warehouse
from engagement_pipeline.platform.change_log import Entity, change_log, pruned_to
from engagement_pipeline.platform.sql import Database

BATCH = 5_000


@dataclass(frozen=True)
class _Mirrored:
    name: str
    entity: Entity
    columns: tuple[sa.Column[Any], ...]

    @property
    def key(self) -> sa.Column[Any]:
        return self.columns[0]


def _columns(table: sa.Table, names: str) -> tuple[sa.Column[Any], ...]:
    return tuple(table.c[name] for name in names.split())


_SUPPRESSIONS: Final = _Mirrored(
    "suppressions", "suppression", _columns(tables.suppressions, "address_key reason suppressed_at")
)
_DELIVERIES: Final = _Mirrored(
    "email_deliveries",
    "email",
    _columns(
        tables.emails,
        "email_id user_id address_key campaign step status reason score band variant copywriter attempts"
        " decided_at created_at sent_at updated_at requested_by",
    ),
)
_EVENTS: Final = _Mirrored(
    "email_events", "event", _columns(tables.email_events, "event_id email_id kind source occurred_at received_at")
)


def ensure_tables(con: duckdb.DuckDBPyConnection) -> None:
    """Create the mirrors where they do not exist."""
    con.execute(warehouse.read_sql(__package__, "schema"))


def pull_suppressions(con: duckdb.DuckDBPyConnection, database: Database) -> int:
    """Bring `suppressions` up to date; return how many rows were written."""
    return _pull(con, database, _SUPPRESSIONS)


def pull_deliveries(con: duckdb.DuckDBPyConnection, database: Database) -> int:
    """Bring `email_deliveries` up to date; return how many rows were written."""
    return _pull(con, database, _DELIVERIES)


def pull_events(con: duckdb.DuckDBPyConnection, database: Database) -> int:
    """Bring `email_events` up to date; return how many rows were written."""
    return _pull(con, database, _EVENTS)


def _pull(con: duckdb.DuckDBPyConnection, database: Database, mirrored: _Mirrored) -> int:
    ensure_tables(con)
    offset = warehouse.get_offset(con, mirrored.name)
    if offset is None or _was_pruned(database, offset):
        return _copy(con, database, mirrored)
    rows = 0
    while True:
        ids, seq = _changed(database, mirrored.entity, offset)
        if seq == offset:
            return rows
        rows += _replace(con, database, mirrored, ids, seq)
        offset = seq


def _was_pruned(database: Database, offset: int) -> bool:
    with database.read() as connection:
        return offset < pruned_to(connection)


def _last_seq(connection: sa.Connection) -> int:
    return connection.execute(sa.select(sa.func.max(change_log.c.seq))).scalar_one() or 0


def _copy(con: duckdb.DuckDBPyConnection, database: Database, mirrored: _Mirrored) -> int:
    # One transaction, because half a table looks like a whole one; the offset is read before the rows, so that what
    # changes meanwhile is read again.
    rows = 0
    with database.read() as connection, warehouse.transaction(con):
        seq = _last_seq(connection)
        con.execute(f"DELETE FROM {mirrored.name}")  # noqa: S608
        for batch in _batches(connection, sa.select(*mirrored.columns)):
            warehouse.insert_rows(con, mirrored.name, batch)
            rows += len(batch)
        warehouse.set_offset(con, mirrored.name, seq)
    return rows


def _changed(database: Database, entity: Entity, offset: int) -> tuple[list[str], int]:
    """Return the next changed ids and how far the log has then been read."""
    query = (
        sa.select(change_log.c.seq, change_log.c.entity_id)
        .where(change_log.c.seq > offset, change_log.c.entity == entity)
        .order_by(change_log.c.seq)
        .limit(BATCH)
    )
    with database.read() as connection:
        newest = _last_seq(connection)
        changes = connection.execute(query).all()
    if len(changes) == BATCH:
        newest = changes[-1].seq
    return sorted({change.entity_id for change in changes}), max(newest, offset)


def _replace(
    con: duckdb.DuckDBPyConnection, database: Database, mirrored: _Mirrored, ids: Sequence[str], seq: int
) -> int:
    with database.read() as connection:
        query = sa.select(*mirrored.columns).where(mirrored.key.in_(ids))
        rows = [dict(row) for row in connection.execute(query).mappings()]
    with warehouse.transaction(con):
        statement = f"DELETE FROM {mirrored.name} WHERE {mirrored.key.name} IN (SELECT UNNEST($ids))"  # noqa: S608
        con.execute(statement, {"ids": ids})
        warehouse.insert_rows(con, mirrored.name, rows)
        warehouse.set_offset(con, mirrored.name, seq)
    return len(rows)


def _batches(connection: sa.Connection, query: sa.Select[Any]) -> Iterator[list[dict[str, Any]]]:
    result = connection.execution_options(yield_per=BATCH).execute(query)
    for partition in result.mappings().partitions():
        yield [dict(row) for row in partition]
