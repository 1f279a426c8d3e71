"""The DuckDB warehouse: opened by one process at a time, within a bounded wait, and always closed again."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timezone
from importlib.resources import files
from pathlib import Path
from typing import Any

import duckdb

_RETRY_SECONDS = 0.05

# Up to here bound parameters are as quick as Arrow and spare a short run its import (0.15 s).
_FEW = 500


class WarehouseBusyError(RuntimeError):
    """Another process has held the warehouse for longer than we were willing to wait."""


@contextmanager
def connect(
    path: Path | str, *, memory_limit: str = "1GB", wait_seconds: float = 60, read_only: bool = False
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open the warehouse file (or `:memory:`).

    Raises:
        WarehouseBusyError: the file stayed locked for `wait_seconds`.
    """
    if str(path) != ":memory:":
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    connection = _open(str(path), memory_limit, wait_seconds, read_only)
    try:
        yield connection
    finally:
        connection.close()


@contextmanager
def transaction(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Commit at the end, roll back on any exception."""
    connection.begin()
    try:
        yield
    except BaseException:
        connection.rollback()
        raise
    connection.commit()


def read_sql(package: str, name: str) -> str:
    """Return the text of `<package>/<name>.sql`; `package` is a dotted module name."""
    return files(package).joinpath(f"{name}.sql").read_text(encoding="utf-8")


def insert_rows(connection: duckdb.DuckDBPyConnection, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Append rows to a table by column name; all rows have the columns of the first, the table's others become NULL."""
    if rows:
        insert_columns(connection, table, {name: [row[name] for row in rows] for name in rows[0]})


def insert_columns(connection: duckdb.DuckDBPyConnection, table: str, columns: Mapping[str, Sequence[Any]]) -> None:
    """Append columns of equal length to a table by name; moments become naive, in UTC, as they are in the warehouse."""
    values = {name: _naive(column) for name, column in columns.items()}
    if len(next(iter(values.values()))) > _FEW:
        _insert_arrow(connection, table, values)
        return
    types = {row[0]: row[1] for row in connection.execute(f"DESCRIBE {table}").fetchall()}
    selected = ", ".join(f"unnest(${name}::{types[name]}[])" for name in values)
    connection.execute(f"INSERT INTO {table} ({', '.join(values)}) SELECT {selected}", values)


def _insert_arrow(connection: duckdb.DuckDBPyConnection, table: str, columns: Mapping[str, list[Any]]) -> None:
    import pyarrow as pa

    connection.register("incoming_rows", pa.table(columns))
    try:
        connection.execute(f"INSERT INTO {table} BY NAME SELECT * FROM incoming_rows")  # noqa: S608
    finally:
        connection.unregister("incoming_rows")


def _naive(values: Sequence[Any]) -> list[Any]:
    return [
        value.astimezone(timezone.utc).replace(tzinfo=None) if isinstance(value, datetime) and value.tzinfo else value
        for value in values
    ]


def get_offset(connection: duckdb.DuckDBPyConnection, consumer: str) -> int | None:
    """Return how far a consumer has read, or None if it never has."""
    connection.execute("CREATE TABLE IF NOT EXISTS offsets (consumer VARCHAR, seq BIGINT)")
    row = connection.execute("SELECT seq FROM offsets WHERE consumer = ?", [consumer]).fetchone()
    return None if row is None else row[0]


def set_offset(connection: duckdb.DuckDBPyConnection, consumer: str, seq: int) -> None:
    """Record how far a consumer has read, in the caller's transaction."""
    connection.execute("CREATE TABLE IF NOT EXISTS offsets (consumer VARCHAR, seq BIGINT)")
    connection.execute("DELETE FROM offsets WHERE consumer = ?", [consumer])
    connection.execute("INSERT INTO offsets VALUES (?, ?)", [consumer, seq])


def _open(path: str, memory_limit: str, wait_seconds: float, read_only: bool) -> duckdb.DuckDBPyConnection:
    deadline = time.monotonic() + wait_seconds
    config: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": memory_limit,
        "preserve_insertion_order": "false",
    }
    while True:
        try:
            connection = duckdb.connect(path, read_only=read_only, config=config)
        except duckdb.IOException as error:
            if "lock" not in str(error).lower():
                raise
            if time.monotonic() >= deadline:
                message = f"the warehouse is in use by another process; gave up after {wait_seconds:g} s"
                raise WarehouseBusyError(message) from error
            time.sleep(_RETRY_SECONDS)
        else:
            # Belongs to an extension, so it can be set only once the connection is open.
            connection.execute("SET TimeZone = 'UTC'")
            # It would be drawn into the log of every run with a query of more than two seconds.
            connection.execute("SET enable_progress_bar = false")
            return connection
