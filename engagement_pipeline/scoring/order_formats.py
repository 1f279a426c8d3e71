"""What DuckDB must know of an order file's format: the query that reads its records as text, one column per field."""

import gzip
from collections.abc import Sequence
from dataclasses import dataclass
from io import BufferedIOBase
from pathlib import Path

import duckdb

from engagement_pipeline.platform.errors import BadInputError

LONGEST_LINE = 1_000_000
_DELIMITERS = (",", ";", "\t", "|")
_FIELDS = ("user_id", "ordered_at", "total_value")


class OrderFileError(BadInputError):
    """The file as a whole cannot be used; the message is one sentence for whoever supplied it."""


@dataclass(frozen=True)
class OrderColumns:
    """What the columns of an order file are called.

    Attributes:
        user_id: whose order it is.
        ordered_at: a date or moment, ISO 8601 unless `date_format` says otherwise; without an offset it is UTC.
        total_value: a number of 0 or more.
        status: where the file has such a column, orders that are cancelled or returned do not count.
        date_format: as in strptime, e.g. `%d/%m/%Y`.
    """

    user_id: str = "user_id"
    ordered_at: str = "ordered_at"
    total_value: str = "total_value"
    status: str = "status"
    date_format: str | None = None

    def name(self, field: str) -> str:
        """Return the file's name of one of our fields."""
        return str(getattr(self, field))


@dataclass(frozen=True)
class Records:
    """A query for the columns user_id, ordered_at, total_value, status (text) and problem, and what it binds."""

    query: str
    values: dict[str, object]


def records(con: duckdb.DuckDBPyConnection, path: Path, columns: OrderColumns) -> Records:
    """Return how to read the file.

    Raises:
        OrderFileError: the format is unknown, or a needed column is missing.
    """
    suffix = next((suffix for suffix in reversed(path.suffixes) if suffix != ".gz"), "").lower()
    if suffix in (".csv", ".tsv", ".txt"):
        return _csv(path, columns)
    if suffix in (".jsonl", ".ndjson"):
        return _json_lines(path, columns)
    if suffix == ".parquet":
        return _parquet(con, path, columns)
    raise OrderFileError(f"{path.name} is none of .csv, .parquet and .jsonl (.csv and .jsonl may be gzipped)")


def open_bytes(path: Path) -> BufferedIOBase:
    """Open a text file that may be gzipped."""
    return gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")


def _csv(path: Path, columns: OrderColumns) -> Records:
    header = _header(path)
    # The delimiter that finds most of the columns we need, not the most frequent character.
    delimiter = max(_DELIMITERS, key=lambda each: sum(columns.name(field) in _names(header, each) for field in _FIELDS))
    names = _names(header, delimiter)
    if len(set(names)) < len(names):
        raise OrderFileError(f"{path.name} has two columns of the same name")
    query = f"""
        {_selection(path, columns, names)}
        FROM read_csv(
            $path, auto_detect = false, header = true, delim = $delimiter, quote = '"', escape = '"',
            columns = $columns, store_rejects = true, max_line_size = {LONGEST_LINE}
        )
    """
    return Records(query, {"path": str(path), "delimiter": delimiter, "columns": dict.fromkeys(names, "VARCHAR")})


def _header(path: Path) -> str:
    try:
        with open_bytes(path) as file:
            header = file.readline(LONGEST_LINE).decode("utf-8-sig").strip()
    except UnicodeDecodeError as error:
        raise OrderFileError(f"{path.name} is not UTF-8 text") from error
    except OSError as error:
        raise OrderFileError(f"{path.name} cannot be read: {error}") from error
    if not header:
        raise OrderFileError(f"{path.name} is empty")
    return header


def _names(header: str, delimiter: str) -> list[str]:
    return [name.strip().strip('"') for name in header.split(delimiter)]


def _json_lines(path: Path, columns: OrderColumns) -> Records:
    query = """
        SELECT
            json ->> $user_id AS user_id,
            json ->> $ordered_at AS ordered_at,
            json ->> $total_value AS total_value,
            json ->> $status AS status,
            CASE WHEN json IS NULL OR json_type(json) <> 'OBJECT' THEN ': is not a JSON object' END AS problem
        FROM read_ndjson_objects($path, ignore_errors = true)
    """
    return Records(query, {"path": str(path), **{name: columns.name(name) for name in (*_FIELDS, "status")}})


def _parquet(con: duckdb.DuckDBPyConnection, path: Path, columns: OrderColumns) -> Records:
    try:
        names = [row[0] for row in con.execute("DESCRIBE FROM read_parquet(?)", [str(path)]).fetchall()]
    except duckdb.Error as error:
        raise OrderFileError(f"{path.name} is not a Parquet file that can be read") from error
    return Records(f"{_selection(path, columns, names)} FROM read_parquet($path)", {"path": str(path)})


def _selection(path: Path, columns: OrderColumns, names: Sequence[str]) -> str:
    missing = [columns.name(field) for field in _FIELDS if columns.name(field) not in names]
    if missing:
        raise OrderFileError(f"{path.name} has no column {' or '.join(missing)}; its columns are: {', '.join(names)}")
    selected = [f"CAST({_quoted(columns.name(field))} AS VARCHAR) AS {field}" for field in _FIELDS]
    status = f"CAST({_quoted(columns.status)} AS VARCHAR)" if columns.status in names else "CAST(NULL AS VARCHAR)"
    return f"SELECT {', '.join(selected)}, {status} AS status, CAST(NULL AS VARCHAR) AS problem"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
