"""Suppressions from and to CSV files, so that the list can come from another tool and go to one.

A line names an address by `email`, by `address_key`, or by both; the address then decides, as a key means nothing to a
store with another secret. Keys of such a store cannot be told from ours: they match nobody.
"""

import csv
import os
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final, TextIO

import sqlalchemy as sa

from engagement_pipeline.delivery import suppressions
from engagement_pipeline.delivery.stores import Stores
from engagement_pipeline.delivery.suppressions import Suppression
from engagement_pipeline.delivery.tables import suppressions as table
from engagement_pipeline.platform.batches import in_batches
from engagement_pipeline.platform.errors import BadInputError
from engagement_pipeline.platform.sql import Database
from engagement_pipeline.users import rejects
from engagement_pipeline.users.addresses import InvalidAddressError, address_key
from engagement_pipeline.users.importing import UnreadableFileError, files
from engagement_pipeline.users.importing.converters import ConversionError, to_moment
from engagement_pipeline.users.importing.csv_file import CsvFile
from engagement_pipeline.users.importing.fields import FUTURE_TOLERANCE
from engagement_pipeline.users.importing.raw import Fault, RawRecord
from engagement_pipeline.users.keys import check_secret_key
from engagement_pipeline.users.rejects import Reject, storable
from engagement_pipeline.users.tables import users

Progress = Callable[[int], None]

COLUMNS: Final = ("address_key", "email", "reason", "source", "suppressed_at")
IMPORTED: Final = "imported"

_BATCH = 5_000
_DELIMITERS = (",", ";", "\t", "|")
# A spreadsheet would take such a text for a formula and run it.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True)
class SuppressionImport:
    """What became of a file's lines: `read = added + known + rejected`.

    Attributes:
        read: lines with content, apart from the header.
        added: addresses that are new on the list.
        known: addresses that were on it already, or stood on an earlier line; they keep their reason, unless it was a
            habit of soft bounces (`suppressions.add_many`).
        rejected: lines that are in `rejected_records` now, from this import or an earlier one of the same file.
        foreign_keys: lines whose key is not that of their address: the file comes from a store with another secret,
            and its lines without an address match nobody here.
    """

    read: int = 0
    added: int = 0
    known: int = 0
    rejected: int = 0
    foreign_keys: int = 0


class CannotWriteError(BadInputError):
    """The file to export to cannot be written."""


def import_suppressions(
    stores: Stores, path: Path, secret_key: str, now: datetime, on_progress: Progress | None = None
) -> SuppressionImport:
    """Put the addresses of a CSV file (also .gz) on the list. Importing it twice changes nothing.

    Each batch of lines is one transaction: killed anywhere, the next import of the same file completes it.

    Args:
        stores: where the list lies, and what is kept of lines that were refused.
        path: has a header with `email` or `address_key`, and may have `reason` (default `imported`), `source`
            (`imported`) and `suppressed_at` (now); further columns are passed over.
        secret_key: keys the address hashes.
        now: moments more than a day after it are rejected.
        on_progress: is called with the number of lines handled since the last call.

    Raises:
        UnreadableFileError: the file is missing, broken or lacks both columns; nothing has been written.
        SecretKeyChangedError: the store was made with another secret key.
    """
    source = _open(path)
    reader = _Reader(secret_key, now)
    read = added = rejected = 0
    for batch in in_batches(source.records(), _BATCH):
        taken: list[Suppression] = []
        refused: list[Reject] = []
        for raw in batch:
            result = raw.fault or reader.read(raw.values)
            if isinstance(result, Fault):
                refused.append(_rejected(source.name, raw, result))
            else:
                taken.append(result)
        with stores.database.write() as connection:
            check_secret_key(connection, secret_key)
            added += stores.suppressions.add(taken, now)
            rejects.record(connection, refused, now)
        read, rejected = read + len(batch), rejected + len(refused)
        if on_progress:
            on_progress(len(batch))
    return SuppressionImport(read, added, read - added - rejected, rejected, reader.foreign_keys)


def export_suppressions(database: Database, path: Path, on_progress: Progress | None = None) -> int:
    """Write the list as CSV, oldest first, wholly or not at all; return how many lines.

    The file holds the addresses of users that are known, so only its owner may read it (mode 0600). An address that
    begins like a formula is left out, as a spreadsheet would run it; its key stands for it.

    Raises:
        CannotWriteError: the folder does not exist or does not let us write.
    """
    # Two users may share an address, in two spellings.
    address = sa.select(sa.func.min(users.c.email)).where(users.c.address_key == table.c.address_key).scalar_subquery()
    query = sa.select(*(address.label("email") if name == "email" else table.c[name] for name in COLUMNS))
    ordered = query.order_by(table.c.suppressed_at, table.c.address_key)
    lines = 0
    with _written_whole(path) as file, database.read() as connection:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for rows in connection.execution_options(yield_per=_BATCH).execute(ordered).partitions():
            writer.writerows(_line(row) for row in rows)
            lines += len(rows)
            if on_progress:
                on_progress(len(rows))
    return lines


class _Reader:
    """Turns lines into suppressions."""

    def __init__(self, secret_key: str, now: datetime) -> None:
        self._secret_key = secret_key
        self._now = now
        self.foreign_keys = 0

    def read(self, values: Mapping[str, Any]) -> Suppression | Fault:
        """Return the suppression, or the first thing that is wrong with the line."""
        key = self._key(values)
        if isinstance(key, Fault):
            return key
        reason = values.get("reason", IMPORTED).lower()
        if not suppressions.REASON.fullmatch(reason):
            return Fault("reason", "not_a_code", "is not a code of at most 32 letters, digits and _")
        source = values.get("source", IMPORTED)
        if not suppressions.SOURCE.fullmatch(source):
            return Fault("source", "not_a_code", "is not a code of at most 64 letters, digits and _.:-")
        try:
            moment = to_moment(values["suppressed_at"]) if "suppressed_at" in values else self._now
        except ConversionError as wrong:
            return Fault("suppressed_at", wrong.reason, str(wrong))
        if moment > self._now + FUTURE_TOLERANCE:
            return Fault("suppressed_at", "future_date", "lies in the future")
        return Suppression(key, reason, source, moment)

    def _key(self, values: Mapping[str, Any]) -> str | Fault:
        given = values.get("address_key", "").lower()
        if given and not suppressions.is_key(given):
            return Fault("address_key", "not_a_key", "is not a key of 64 hexadecimal digits")
        if "email" not in values:
            return given or Fault("email", "missing_value", "is missing, and so is address_key")
        try:
            key = address_key(values["email"], self._secret_key)
        except InvalidAddressError as error:
            return Fault("email", "invalid_address", str(error))
        if given and given != key:
            self.foreign_keys += 1
        return key


def _open(path: Path) -> CsvFile:
    if not path.is_file():
        raise UnreadableFileError(f"{path.name} does not exist")
    files.check_whole(path, path.name)
    header = next(files.read_lines(path, path.name))
    delimiter, names = max(
        ((sign, _names(header.text, sign)) for sign in _DELIMITERS), key=lambda each: len(set(each[1]) & {*COLUMNS})
    )
    columns = {place: name for place, name in enumerate(names) if name in COLUMNS}
    if not {"email", "address_key"} & set(columns.values()):
        raise UnreadableFileError(f"{path.name} cannot be read: its first line names no column email or address_key")
    if len(set(columns.values())) < len(columns):
        raise UnreadableFileError(f"{path.name} cannot be read: its first line names a column more than once")
    return CsvFile(path, path.name, delimiter, len(names), columns)


def _names(header: str, delimiter: str) -> list[str]:
    try:
        return [name.strip().lower() for name in next(csv.reader([header], delimiter=delimiter, strict=True))]
    except csv.Error:
        return []


def _rejected(file: str, raw: RawRecord, fault: Fault) -> Reject:
    original = storable(raw.original, raw.length)
    return Reject("suppression", file, raw.line, fault.field, fault.reason, str(fault), original)


def _line(row: sa.Row[Any]) -> tuple[str, ...]:
    email = row.email if row.email and not row.email.startswith(_FORMULA) else ""
    return row.address_key, email, row.reason, row.source, row.suppressed_at.isoformat()


@contextmanager
def _written_whole(path: Path) -> Iterator[TextIO]:
    """Open a file that takes its name only when it is whole and on the disk."""
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(4)}.unfinished")
    try:
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
                yield file
                file.flush()
                os.fsync(descriptor)
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)
    except OSError as error:
        raise CannotWriteError(f"{path} cannot be written: {error.strerror}") from error
