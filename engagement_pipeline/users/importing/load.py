"""The import itself: check all files, then write batch by batch; a bad record is kept aside, the rest goes on."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from engagement_pipeline.users.importing import files
from engagement_pipeline.users.importing.csv_file import open_csv
from engagement_pipeline.users.importing.fields import Validator
from engagement_pipeline.users.importing.json_file import open_json
from engagement_pipeline.users.importing.parquet_file import open_parquet
from engagement_pipeline.users.importing.raw import Fault, RawRecord, Source, UnreadableFileError
from engagement_pipeline.users.importing.targets import target_for
from engagement_pipeline.users.models import Order, User
from engagement_pipeline.users.rejects import Entity, Reject, storable
from engagement_pipeline.users.store import UnknownUserError, UserStore

Progress = Callable[[int], None]

_BATCH = 5_000
_BATCH_CHARACTERS = 16 * 1024 * 1024
# So many records that differ from what is stored may wait for the end of their file.
_MAX_WAITING = 20_000


@dataclass(frozen=True)
class ImportReport:
    """What became of the records of an import: `read = created + updated + unchanged + rejected`.

    Attributes:
        files: files read.
        read: records found in them.
        created: records of ids that were new.
        updated: records that changed what was stored.
        unchanged: records that were stored already, or that a later one of the same file overtook.
        rejected: records that are in `rejected_records` now, from this import or an earlier one of the same file.
        notes: what the reader should know, such as a file without records.
    """

    files: int = 0
    read: int = 0
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    rejected: int = 0
    notes: tuple[str, ...] = ()

    def __add__(self, other: "ImportReport") -> "ImportReport":
        return ImportReport(
            self.files + other.files,
            self.read + other.read,
            self.created + other.created,
            self.updated + other.updated,
            self.unchanged + other.unchanged,
            self.rejected + other.rejected,
            self.notes + other.notes,
        )


def import_path(
    store: UserStore,
    entity: Entity | None,
    path: Path,
    now: datetime,
    on_progress: Progress | None = None,
    *,
    shift: timedelta = timedelta(),
) -> ImportReport:
    """Import a file, or all files in a folder and those below it, users before orders.

    All files are checked before anything is written. Then each batch is one transaction: killed anywhere, the next
    import of the same files completes it. A record replaces what the store holds of its id; of several with one id in
    a file the last counts.

    Args:
        store: where the records go.
        entity: what the files hold; None: told from the columns of each.
        path: the file or folder.
        now: the moment of the import; dates more than a day after it are rejected.
        on_progress: is called with the number of records handled since the last call.
        shift: is added to every moment in the files.

    Raises:
        UnreadableFileError: a file is missing, empty, broken or lacks a column; nothing has been written.
    """
    opened = [_open(file, name, entity) for file, name in files.find(path)]
    # Orders need their users.
    opened.sort(key=lambda each: each[1] == "order")
    report = ImportReport()
    for source, kind in opened:
        report += _FileImport(store, source, Validator(kind, now, shift), on_progress).run()
    return report


def read_valid(path: Path, entity: Entity, now: datetime) -> Iterator[User | Order]:
    """Read the valid records of a file or folder without writing anything.

    Raises:
        UnreadableFileError: as for `import_path`.
    """
    validator = Validator(entity, now)
    for file, name in files.find(path):
        source, _ = _open(file, name, entity)
        for raw in source.records():
            if raw.fault is None and not isinstance(record := validator.validate(raw.values), list):
                yield record


def _open(path: Path, name: str, entity: Entity | None) -> tuple[Source, Entity]:
    head = files.check_whole(path, name)
    if head.startswith(b"PAR1") or files.plain_suffix(path) == ".parquet":
        return open_parquet(path, name, entity)
    start = head.lstrip()[:1]
    if start == b"[":
        raise UnreadableFileError(f"{name} is one JSON list; JSON Lines, with one object per line, is what is read")
    return open_json(path, name, entity) if start == b"{" else open_csv(path, name, entity)


class _Entry(NamedTuple):
    raw: RawRecord
    record: User | Order


class _FileImport:
    """One file on its way into the store."""

    def __init__(self, store: UserStore, source: Source, validator: Validator, on_progress: Progress | None) -> None:
        self._store = store
        self._source = source
        self._validator = validator
        self._target = target_for(store, validator.entity)
        self._on_progress = on_progress
        # Records that differ from what is stored wait for the end of the file: a later line may restore what is
        # stored, and importing the file a second time must not undo and redo its own changes.
        self._waiting: dict[str, _Entry] = {}
        self._read = self._created = self._updated = self._rejected = 0

    def run(self) -> ImportReport:
        for batch in _batches(self._source.records()):
            self._take(batch)
            if self._on_progress:
                self._on_progress(len(batch))
        self._write_waiting()
        unchanged = self._read - self._created - self._updated - self._rejected
        notes = () if self._read else (f"{self._source.name} holds no records",)
        return ImportReport(1, self._read, self._created, self._updated, unchanged, self._rejected, notes)

    def _take(self, batch: Sequence[RawRecord]) -> None:
        self._read += len(batch)
        valid, rejects = self._validate(batch)
        stored = self._target.stored(valid)
        fresh: list[_Entry] = []
        for key, entry in valid.items():
            if key not in stored:
                fresh.append(entry)
            elif self._target.same(stored[key], entry.record):
                self._waiting.pop(key, None)
            else:
                self._waiting[key] = _Entry(entry.raw.shortened(), entry.record)
        self._write(fresh)
        self._reject(rejects)
        if len(self._waiting) > _MAX_WAITING:
            self._write_waiting()

    def _validate(self, batch: Sequence[RawRecord]) -> tuple[dict[str, _Entry], list[tuple[RawRecord, list[Fault]]]]:
        valid: dict[str, _Entry] = {}
        rejects: list[tuple[RawRecord, list[Fault]]] = []
        for raw in batch:
            result = [raw.fault] if raw.fault else self._validator.validate(raw.values)
            if isinstance(result, list):
                rejects.append((raw, result))
            else:
                valid[self._target.key(result)] = _Entry(raw, result)
        return valid, rejects

    def _write_waiting(self) -> None:
        waiting = list(self._waiting.values())
        for start in range(0, len(waiting), _BATCH):
            self._write(waiting[start : start + _BATCH])
        self._waiting.clear()

    def _write(self, entries: list[_Entry]) -> None:
        while entries:
            try:
                counts = self._target.put([entry.record for entry in entries], self._validator.now)
            except UnknownUserError as unknown:
                fault = Fault("user_id", "unknown_user", "names a user that does not exist; import users first")
                orphans = [entry for entry in entries if entry.record.user_id in unknown.user_ids]
                self._reject([(entry.raw, [fault]) for entry in orphans])
                entries = [entry for entry in entries if entry.record.user_id not in unknown.user_ids]
            else:
                self._created += counts.created
                self._updated += counts.updated
                return

    def _reject(self, rejects: Iterable[tuple[RawRecord, list[Fault]]]) -> None:
        batch = [self._as_reject(raw, faults) for raw, faults in rejects]
        if batch:
            self._rejected += len(batch)
            self._store.record_rejects(batch, self._validator.now)

    def _as_reject(self, raw: RawRecord, faults: list[Fault]) -> Reject:
        return Reject(
            entity=self._validator.entity,
            file=self._source.name,
            line=raw.line,
            field=faults[0].field,
            reason=faults[0].reason,
            message="; ".join(map(str, faults)),
            original=storable(raw.original, raw.length),
        )


def _batches(records: Iterator[RawRecord]) -> Iterator[list[RawRecord]]:
    """Group records so that neither their number nor their size takes much memory."""
    batch: list[RawRecord] = []
    characters = 0
    for record in records:
        batch.append(record)
        characters += len(record.original)
        if len(batch) >= _BATCH or characters >= _BATCH_CHARACTERS:
            yield batch
            batch, characters = [], 0
    if batch:
        yield batch
