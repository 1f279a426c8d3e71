"""Parquet, read in batches."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engagement_pipeline.users.importing.fields import KINDS, columns_by_name, entity_of
from engagement_pipeline.users.importing.raw import RawRecord, UnreadableFileError
from engagement_pipeline.users.rejects import Entity

_BATCH = 5_000


@dataclass(frozen=True)
class ParquetFile:
    """A readable Parquet file."""

    path: Path
    name: str
    columns: Mapping[str, str]

    def records(self) -> Iterator[RawRecord]:
        """Read the file from its beginning."""
        row = 0
        for batch in _batches(self.path, self.name, list(self.columns)):
            lists = [_values(batch.column(name)) for name in self.columns]
            for cells in zip(*lists, strict=True):
                row += 1
                values = {
                    column: cell for column, cell in zip(self.columns.values(), cells, strict=True) if cell is not None
                }
                original = json.dumps(values, default=_legible, ensure_ascii=False)
                yield RawRecord(row, values, original, len(original))


def open_parquet(path: Path, name: str, entity: Entity | None) -> tuple[ParquetFile, Entity]:
    """Recognise the columns, and read the file through once: a broken one must not be found out half-way.

    Raises:
        UnreadableFileError: it is broken or lacks a column.
    """
    names = _column_names(path, name)
    recognised = entity or entity_of(names)
    if recognised is None:
        raise UnreadableFileError(f"{name} cannot be read: its columns are neither those of users nor of orders")
    columns = columns_by_name(names, recognised)
    required = KINDS[recognised].required
    if missing := [column for column in required if column not in columns.values()]:
        raise UnreadableFileError(
            f"{name} cannot be read: it has no column {', '.join(missing)} "
            f"(needed for {recognised}s: {', '.join(required)})"
        )
    for _ in _batches(path, name, list(columns)):
        pass
    return ParquetFile(path, name, columns), recognised


def _column_names(path: Path, name: str) -> list[str]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return list(pq.read_schema(path).names)
    except (pa.ArrowException, OSError) as error:
        raise _broken(name) from error


def _batches(path: Path, name: str, columns: list[str]) -> Iterator[Any]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            yield from file.iter_batches(batch_size=_BATCH, columns=columns)
    except (pa.ArrowException, OSError) as error:
        raise _broken(name) from error


def _broken(name: str) -> UnreadableFileError:
    return UnreadableFileError(f"{name} cannot be read: it is not a Parquet file, or damaged")


def _values(column: Any) -> list[Any]:
    import pyarrow as pa

    if pa.types.is_timestamp(column.type) and column.type.unit == "ns":
        # Python has no nanoseconds.
        column = column.cast(pa.timestamp("us", column.type.tz), safe=False)
    try:
        return list(column.to_pylist())
    except UnicodeDecodeError:
        return list(column.cast(pa.binary()).to_pylist())
    except (ValueError, OverflowError):
        return [_value(scalar) for scalar in column]


def _value(scalar: Any) -> Any:
    try:
        return scalar.as_py()
    except (ValueError, OverflowError):
        # A moment beyond Python's calendar: no date, and rejected as such.
        return f"{scalar.type} {scalar.value}"


def _legible(value: Any) -> str:
    return value.decode(errors="backslashreplace") if isinstance(value, bytes) else str(value)
