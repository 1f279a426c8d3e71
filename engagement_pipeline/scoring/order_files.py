"""Reads anybody's order file (CSV, Parquet or JSON Lines) into a temporary DuckDB table.

Records that cannot be used are counted and left out; the first is named by line, field and reason.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb

from engagement_pipeline.platform.warehouse import connect, read_sql
from engagement_pipeline.scoring.order_formats import (
    LONGEST_LINE,
    OrderColumns,
    OrderFileError,
    Records,
    open_bytes,
    records,
)

ORDERS = "SELECT user_id, ordered_at, total_value, status FROM order_records WHERE problem IS NULL"

_STRUCTURE = {
    "MISSING COLUMNS": "has too few fields",
    "TOO MANY COLUMNS": "has too many fields",
    "INVALID ENCODING": "is not UTF-8 text",
    "UNQUOTED VALUE": "has a quotation mark that is not closed, or text after one",
    "LINE SIZE OVER MAXIMUM": f"is longer than {LONGEST_LINE:,} bytes",
}


@dataclass(frozen=True)
class BadRecord:
    """A record that was left out.

    Attributes:
        line: counts from 1, with the header; in Parquet, which has no lines, the row.
        field: the file's own name of the column, empty if the whole record is at fault.
        reason: continues a sentence about the field or record.
    """

    line: int
    field: str
    reason: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.field} {self.reason}".replace(":  ", ": ")


@dataclass(frozen=True)
class OrderFile:
    """What was read: how many orders, how many records were left out, and the first of those."""

    orders: int
    bad: int
    first_bad: BadRecord | None


@contextmanager
def opened(path: Path, columns: OrderColumns) -> Iterator[tuple[duckdb.DuckDBPyConnection, OrderFile]]:
    """Read an order file into a database that is gone at the end; `ORDERS` selects what was read.

    Raises:
        OrderFileError: the file is missing, unreadable, lacks a needed column or has no usable order.
    """
    # A file rather than memory, so that big input needs no more memory than small input.
    with TemporaryDirectory(prefix="orders-") as folder, connect(Path(folder) / "orders.duckdb") as con:
        yield con, _read(con, path, columns)


def _read(con: duckdb.DuckDBPyConnection, path: Path, columns: OrderColumns) -> OrderFile:
    if not path.is_file():
        raise OrderFileError(f"{path.name} is not a file")
    _load(con, path, records(con, path, columns), columns.date_format)
    orders, bad = con.execute("SELECT COUNT(*) FILTER (problem IS NULL), COUNT(problem) FROM order_records").fetchall()[
        0
    ]
    rejected = _rejected(con)
    first_bad = _first_bad(con, path, columns, rejected)
    if orders == 0:
        raise OrderFileError(f"{path.name} has no usable order" + (f"; {first_bad}" if first_bad else ""))
    return OrderFile(orders=orders, bad=bad + len(rejected), first_bad=first_bad)


def _load(con: duckdb.DuckDBPyConnection, path: Path, source: Records, date_format: str | None) -> None:
    query = f"WITH records AS ({source.query}) SELECT * FROM ({read_sql(__package__, 'order_files')})"  # noqa: S608
    # In order, so that a record's row number is its place in the file.
    con.execute("SET preserve_insertion_order = true")
    try:
        con.execute(f"CREATE TABLE order_records AS {query}", {**source.values, "date_format": date_format})
    except duckdb.Error as error:
        # Its further lines repeat the file's content.
        raise OrderFileError(f"{path.name} cannot be read: {str(error).splitlines()[0][:200]}") from error
    con.execute("SET preserve_insertion_order = false")


def _rejected(con: duckdb.DuckDBPyConnection) -> dict[int, str]:
    """Return the CSV lines that are no records at all, with the reason."""
    exists = con.execute("SELECT 1 FROM duckdb_tables() WHERE table_name = 'reject_errors'").fetchone()
    if exists is None:
        return {}
    rejects = con.execute(
        "SELECT line, MIN(CAST(error_type AS VARCHAR)) FROM reject_errors GROUP BY line ORDER BY line"
    )
    return {line: _STRUCTURE.get(kind, kind.lower()) for line, kind in rejects.fetchall()}


def _first_bad(
    con: duckdb.DuckDBPyConnection, path: Path, columns: OrderColumns, rejected: dict[int, str]
) -> BadRecord | None:
    candidates = [BadRecord(line, "", reason) for line, reason in list(rejected.items())[:1]]
    first = con.execute(
        "SELECT rowid, problem FROM order_records WHERE problem IS NOT NULL ORDER BY rowid LIMIT 1"
    ).fetchone()
    if first is not None:
        field, _, reason = first[1].partition(": ")
        line = _line_of(path, first[0], rejected)
        candidates.append(BadRecord(line, columns.name(field) if field else "", reason))
    return min(candidates, key=lambda bad: bad.line, default=None)


def _line_of(path: Path, record: int, rejected: dict[int, str]) -> int:
    """Return the line of the n-th record read, counting from 0."""
    if path.suffix == ".parquet":
        return record + 1
    has_header = not any(suffix in (".jsonl", ".ndjson") for suffix in path.suffixes)
    seen = -2 if has_header else -1
    with open_bytes(path) as file:
        for number, line in enumerate(file, start=1):
            if line.strip() and number not in rejected:
                seen += 1
            if seen == record:
                return number
    raise RuntimeError(f"{path.name} changed while it was read")
