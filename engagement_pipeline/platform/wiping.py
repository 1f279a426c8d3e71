"""Takes care that what was deleted from SQLite is gone from its files as well, not only from its tables.

SQLite overwrites what it deletes (`secure_delete`, see `sql.py`). But where it split or merged pages before, copies of
rows that moved on can lie in what these pages do not use, and the write-ahead log holds pages as they were. Only a file
that is written anew holds nothing else; as that takes the longer the larger it is, the file is looked through first.

PostgreSQL reuses the place of deleted rows by its own vacuum; its log and its backups are its operator's matter.
"""

import sqlite3
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Final

from engagement_pipeline.platform.sql import Database

_CHUNK: Final = 4 * 1024 * 1024


def wipe(database: Database, traces: Collection[bytes] | None, at_most: int | None = None) -> bool:
    """Leave no copy of what was deleted in the store's files; tell whether that is done.

    Args:
        database: the operational store; nothing else of this process may be reading it for long.
        traces: what the deleted rows can be recognised by, in any case of ASCII letters; None where nobody knows any
            more: then the file is written anew without looking.
        at_most: a file of more bytes is not written anew: who writes meanwhile has to wait.

    Returns:
        False where it is to be tried again: somebody was reading or writing for longer than one waits, or the file is
        larger than `at_most`.
    """
    path = _path(database)
    if path is None:
        return True
    try:
        if not _empty_the_log(database):
            return False
        if traces is not None and not _holds(path, traces):
            return True
        if at_most is not None and path.stat().st_size > at_most:
            return False
        database.maintain("VACUUM")
        return _empty_the_log(database)
    except sqlite3.OperationalError:
        return False


def _path(database: Database) -> Path | None:
    name = database.engine.url.database
    return Path(name) if database.is_sqlite and name and name != ":memory:" else None


def _empty_the_log(database: Database) -> bool:
    """Bring everything from the write-ahead log to the file, and cut the log to nothing."""
    answer = database.maintain("PRAGMA wal_checkpoint(TRUNCATE)")
    return answer is not None and answer[0] == 0


def _holds(path: Path, traces: Collection[bytes]) -> bool:
    wanted = [trace.lower() for trace in traces if trace]
    log = path.with_name(f"{path.name}-wal")
    return any(trace in chunk for file in (path, log) for chunk in _chunks(file, wanted) for trace in wanted)


def _chunks(file: Path, wanted: Collection[bytes]) -> Iterator[bytes]:
    """Read a file piece by piece, in small letters; pieces overlap, so that nothing is cut in two."""
    if not wanted or not file.exists():
        return
    overlap = max(map(len, wanted)) - 1
    with file.open("rb") as stream:
        end = b""
        while chunk := stream.read(_CHUNK):
            piece = end + chunk.lower()
            yield piece
            end = piece[-overlap:] if overlap else b""
