"""Generated texts, kept for ever under what they were made from: the first that is stored stands."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from engagement_pipeline.copywriting.copy import Copy
from engagement_pipeline.copywriting.openai.answers import Usage
from engagement_pipeline.copywriting.tables import copy_requests, copy_texts
from engagement_pipeline.platform.sql import Database, Prepared

_AT_ONCE: Final = 500
# Once for each answer, on the thread that all calls in flight share.
_KEEP_SQLITE: Final = Prepared(sqlite.insert(copy_texts).on_conflict_do_nothing())
_KEEP_POSTGRESQL: Final = Prepared(postgresql.insert(copy_texts).on_conflict_do_nothing())
_FORGET: Final = Prepared(
    sa.delete(copy_requests).where(
        *(column == sa.bindparam(f"p_{column.name}") for column in copy_requests.primary_key.columns),
        # One that a batch has taken up meanwhile is the batch's: its answer is paid for, and has to be counted.
        copy_requests.c.batch_key.is_(None),
    )
)


class TextKey(NamedTuple):
    """What a text is made from: with an equal key it is the same text."""

    fingerprint: str
    prompt_version: str
    model: str
    number: int


@dataclass(frozen=True)
class StoredText:
    """A text that was paid for; without a copy where the model failed at it, with the codes of what was wrong."""

    key: TextKey
    copy: Copy | None
    failures: tuple[str, ...]
    usage: Usage
    cost_usd: float


class TextStore:
    """The texts in the operational store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, keys: Iterable[TextKey]) -> dict[TextKey, StoredText]:
        """Return those that exist."""
        wanted = set(keys)
        texts = (_text(row) for row in self._rows(wanted, *copy_texts.c))
        return {text.key: text for text in texts if text.key in wanted}

    def which_exist(self, keys: Iterable[TextKey]) -> set[TextKey]:
        """Tell which exist: quicker than to `find` them."""
        wanted = set(keys)
        return wanted & {TextKey(*row) for row in self._rows(wanted, *copy_texts.primary_key.columns)}

    def _rows(self, keys: Collection[TextKey], *columns: sa.Column[Any]) -> Iterator[sa.Row[Any]]:
        fingerprints = sorted({key.fingerprint for key in keys})
        with self._database.read() as connection:
            for first in range(0, len(fingerprints), _AT_ONCE):
                chunk = fingerprints[first : first + _AT_ONCE]
                yield from connection.execute(sa.select(*columns).where(copy_texts.c.fingerprint.in_(chunk)))

    def keep(self, text: StoredText, now: datetime, *, was_requested: bool = False) -> StoredText:
        """Store a text unless there is one under its key; return the one that stands.

        Args:
            text: what is to be kept.
            now: the moment of writing.
            was_requested: whether it has a row in `copy_requests`, which has served its purpose then.
        """
        with self._database.write_lean() as lean:
            is_new = lean.execute(_KEEP_SQLITE if lean.is_sqlite else _KEEP_POSTGRESQL, row_of(text, now))
            if was_requested:
                lean.execute(_FORGET, {f"p_{name}": value for name, value in text.key._asdict().items()})
        return text if is_new else self.find([text.key])[text.key]


def row_of(text: StoredText, now: datetime) -> dict[str, Any]:
    """Return a text as a row of `copy_texts`."""
    return {
        **text.key._asdict(),
        "copy": None if text.copy is None else text.copy.model_dump(mode="json"),
        "failures": list(text.failures),
        **text.usage._asdict(),
        "cost_usd": text.cost_usd,
        "written_at": now,
    }


def _text(row: sa.Row[Any]) -> StoredText:
    return StoredText(
        key=TextKey(row.fingerprint, row.prompt_version, row.model, row.number),
        copy=None if row.copy is None else Copy.model_validate(row.copy),
        failures=tuple(row.failures),
        usage=Usage(row.input_tokens, row.output_tokens),
        cost_usd=row.cost_usd,
    )
