"""The DuckDB warehouse: opened by one process at a time, within a bounded wait, and always closed again."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any

import duckdb

_RETRY_SECONDS = 0.05


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


def insert_rows(connection: duckdb.DuckDBPyConnection, table: str, rows: Sequence[dict[str, Any]]) -> None:
    """Append dictionaries to an existing table by column name; absent columns become NULL."""
    if not rows:
        return
    import pyarrow as pa

    incoming = pa.Table.from_pylist(list(rows))
    connection.register("incoming_rows", incoming)
    try:
        connection.execute(f"INSERT INTO {table} BY NAME SELECT * FROM incoming_rows")  # noqa: S608
    finally:
        connection.unregister("incoming_rows")


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
            return connection
