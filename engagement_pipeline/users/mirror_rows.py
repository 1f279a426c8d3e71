"""Which columns of the operational store the warehouse sees, and how rows get there."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
import sqlalchemy as sa

from engagement_pipeline.platform.warehouse import insert_columns
from engagement_pipeline.users.tables import orders, rejected_records, users


@dataclass(frozen=True)
class Mirrored:
    """A warehouse table and the query that fills it; the first column is the key, the columns have the same names.

    Attributes:
        table: the warehouse table.
        query: the operational store's rows.
        with_seq: whether the table ends with `changed_seq`.
    """

    table: str
    query: sa.Select[Any]
    with_seq: bool = True


def _mirrored(table: str, columns: Sequence[sa.Column[Any]], *, with_seq: bool = True) -> Mirrored:
    return Mirrored(table, sa.select(*columns), with_seq)


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
        orders.c.skus,
        orders.c.status,
    ],
)
# What was refused, and why; what the record says stays in the operational store.
REJECTED = _mirrored(
    "rejected_records", [column for column in rejected_records.c if column.name != "original"], with_seq=False
)
TABLES = (USERS, ORDERS, REJECTED)


def insert(con: duckdb.DuckDBPyConnection, mirrored: Mirrored, rows: Sequence[Any], seqs: Sequence[int]) -> None:
    """Append rows of the query to the warehouse table, with the sequence number of each row's newest change."""
    if not rows:
        return
    names = [column.name for column in mirrored.query.selected_columns]
    columns: dict[str, Sequence[Any]] = dict(zip(names, zip(*rows, strict=True), strict=True))
    if mirrored.with_seq:
        columns["changed_seq"] = seqs
    insert_columns(con, mirrored.table, columns)
