"""Which columns of the operational store the warehouse sees, and how rows get there."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

import duckdb
import sqlalchemy as sa

from engagement_pipeline.users.tables import orders, rejected_records, users

# Up to here bound parameters are as quick as Arrow and spare a short run its import (0.15 s).
_FEW = 500


@dataclass(frozen=True)
class Mirrored:
    """A warehouse table and the query that fills it; the first column is the key, the columns have the same names.

    Attributes:
        table: the warehouse table.
        query: the operational store's rows.
        types: the DuckDB type of each column of the query.
        with_seq: whether the table ends with `changed_seq`.
    """

    table: str
    query: sa.Select[Any]
    types: tuple[str, ...]
    with_seq: bool = True


_TYPES = {
    "preferred_categories": "VARCHAR[]",
    "consent": "BOOLEAN",
    "order_count": "INTEGER",
    "order_days": "INTEGER",
    "average_order_value": "DOUBLE",
    "touches_since_order": "INTEGER",
    "steps": "INTEGER",
    "total_value": "DOUBLE",
    "item_count": "INTEGER",
    "line": "INTEGER",
}


def _mirrored(table: str, columns: Sequence[sa.Column[Any]], *, with_seq: bool = True) -> Mirrored:
    types = tuple(
        "TIMESTAMP" if column.name.endswith("_at") else _TYPES.get(column.name, "VARCHAR") for column in columns
    )
    return Mirrored(table, sa.select(*columns), types, with_seq)


USERS = _mirrored(
    "raw_users",
    [
        users.c.user_id,
        users.c.address_key,
        users.c.preferred_categories,
        users.c.consent,
        users.c.time_zone,
        users.c.order_count,
        users.c.order_days,
        users.c.average_order_value,
        users.c.first_order_at,
        users.c.last_order_at,
        users.c.last_email_at,
        users.c.last_touch_at,
        users.c.touches_since_order,
        users.c.steps,
        users.c.created_at,
        users.c.updated_at,
    ],
)
ORDERS = _mirrored(
    "raw_orders",
    [
        orders.c.order_id,
        orders.c.user_id,
        orders.c.ordered_at,
        orders.c.total_value,
        orders.c.item_count,
        orders.c.status,
    ],
)
REJECTED = _mirrored("rejected_records", list(rejected_records.c), with_seq=False)
TABLES = (USERS, ORDERS, REJECTED)


def insert(con: duckdb.DuckDBPyConnection, mirrored: Mirrored, rows: Sequence[Any], seqs: Sequence[int]) -> None:
    """Append rows of the query to the warehouse table, with the sequence number of each row's newest change."""
    if not rows:
        return
    names = [column.name for column in mirrored.query.selected_columns]
    columns = dict(zip(names, map(_naive, zip(*rows, strict=True)), strict=True))
    types = dict(zip(names, mirrored.types, strict=True))
    if mirrored.with_seq:
        columns["changed_seq"] = list(seqs)
        types["changed_seq"] = "BIGINT"
    if len(rows) <= _FEW:
        values = ", ".join(f"unnest(${name}::{types[name]}[])" for name in columns)
        con.execute(f"INSERT INTO {mirrored.table} ({', '.join(columns)}) SELECT {values}", columns)
    else:
        _insert_arrow(con, mirrored.table, columns)


def _insert_arrow(con: duckdb.DuckDBPyConnection, table: str, columns: dict[str, list[Any]]) -> None:
    import pyarrow as pa

    con.register("incoming_rows", pa.table(columns))
    try:
        con.execute(f"INSERT INTO {table} BY NAME SELECT * FROM incoming_rows")  # noqa: S608
    finally:
        con.unregister("incoming_rows")


def _naive(values: Sequence[Any]) -> list[Any]:
    """The warehouse's moments are naive, in UTC."""
    return [
        value.astimezone(timezone.utc).replace(tzinfo=None) if isinstance(value, datetime) else value
        for value in values
    ]
