"""Records that failed validation: what was wrong, where, and the text itself, so that nothing is dropped silently."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import sqlalchemy as sa

from engagement_pipeline.platform import change_log
from engagement_pipeline.platform.change_log import Change
from engagement_pipeline.platform.sql import insert_or_ignore
from engagement_pipeline.users.derived import chunks
from engagement_pipeline.users.tables import rejected_records

Entity = Literal["user", "order", "suppression", "event", "change"]

MAX_ORIGINAL = 10_000


@dataclass(frozen=True)
class Reject:
    """A record that was not taken.

    Attributes:
        file: the file's name, or its path within the imported folder.
        line: the line on which the record begins, from 1; in Parquet the row.
        field: the first field at fault; None where the record as a whole is.
        reason: a short code.
        message: all faults, for people; never repeats what the record says.
        original: the record's text, cut after `MAX_ORIGINAL` characters.
    """

    entity: Entity
    file: str
    line: int
    field: str | None
    reason: str
    message: str
    original: str

    @property
    def key(self) -> str:
        """The same for the same fault of the same line, so that importing twice records it once."""
        parts = (self.entity, self.file, str(self.line), self.field or "", self.reason, self.original)
        return hashlib.sha256("\x00".join(parts).encode()).hexdigest()


def storable(text: str, length: int | None = None) -> str:
    """Return a text as it is kept: without what no database holds, and cut, saying so, where it is huge.

    Args:
        text: the text, or only its beginning.
        length: how long the whole text is, where that is not what is given.
    """
    whole = len(text) if length is None else length
    kept = text[:MAX_ORIGINAL].replace("\x00", "\\x00").encode(errors="backslashreplace").decode()
    return kept if whole <= MAX_ORIGINAL else f"{kept} … [cut: {whole:,} characters in all]"


def record(connection: sa.Connection, rejects: Sequence[Reject], now: datetime) -> int:
    """Record rejects in the caller's writing transaction; return how many were not known yet."""
    change_log.lock(connection)
    rows = {reject.key: reject for reject in rejects}
    for key in _known(connection, list(rows)):
        del rows[key]
    values = [
        {
            "record_key": key,
            "entity": reject.entity,
            "file": storable(reject.file)[-512:],
            "line": reject.line,
            "field": reject.field,
            "reason": reject.reason,
            "message": reject.message,
            "original": reject.original,
            "rejected_at": now,
        }
        for key, reject in rows.items()
    ]
    insert_or_ignore(connection, rejected_records, values)
    change_log.append(connection, [Change("rejected", key, None, "created") for key in rows], now)
    return len(rows)


def list_rejected(connection: sa.Connection, limit: int = 100) -> list[sa.Row[tuple[object, ...]]]:
    """Return the newest rejected records, newest first."""
    newest_first = (rejected_records.c.rejected_at.desc(), rejected_records.c.file, rejected_records.c.line)
    return list(connection.execute(sa.select(rejected_records).order_by(*newest_first).limit(limit)))


def count_by_reason(connection: sa.Connection) -> dict[str, int]:
    """Return how many records were rejected for each reason, most frequent first."""
    count = sa.func.count().label("number")
    query = sa.select(rejected_records.c.reason, count).group_by(rejected_records.c.reason)
    return {row.reason: row.number for row in connection.execute(query.order_by(count.desc(), "reason"))}


def _known(connection: sa.Connection, keys: list[str]) -> list[str]:
    known: list[str] = []
    for chunk in chunks(keys):
        query = sa.select(rejected_records.c.record_key).where(rejected_records.c.record_key.in_(chunk))
        known.extend(connection.execute(query).scalars())
    return known
