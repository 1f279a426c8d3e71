"""What is known of each batch, in the operational store: written down before and after each step that a provider takes.

From `prepared` by `uploaded` to `submitted`, perhaps `cancelling`, and `collected`; or to `given_up` from anywhere.
"""

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, NamedTuple

import sqlalchemy as sa

from engagement_pipeline.copywriting.copy import Copy
from engagement_pipeline.copywriting.openai.answers import Usage, total
from engagement_pipeline.copywriting.openai.requests import FirstAnswer, Request, request_of, up_to
from engagement_pipeline.copywriting.openai.texts import StoredText, row_of
from engagement_pipeline.copywriting.tables import copy_batches, copy_requests, copy_texts
from engagement_pipeline.platform.sql import Database, insert_or_ignore

State = Literal["prepared", "uploaded", "submitted", "cancelling", "collected", "given_up"]
OPEN: Final[tuple[State, ...]] = ("prepared", "uploaded", "submitted", "cancelling")
UNSENT: Final[tuple[State, ...]] = ("prepared", "uploaded")

_REASON_LENGTH: Final = 256


@dataclass(frozen=True)
class Batch:
    """One batch; see `copy_batches`."""

    batch_key: str
    prompt_version: str
    model: str
    state: State
    file_id: str | None
    batch_id: str | None
    requests: int
    answers: int
    wanted_by: datetime
    updated_at: datetime

    @property
    def file_name(self) -> str:
        """The name by which its file can be found again."""
        return f"copy-{self.batch_key}.jsonl"

    @property
    def short_name(self) -> str:
        return f"batch {self.batch_key[:8]}"


@dataclass(frozen=True)
class Judged:
    """One answer of a batch, read: copy, or what the second time of asking begins with; neither: it serves nobody."""

    request: Request
    usage: Usage
    cost_usd: float
    copy: Copy | None
    first_answer: FirstAnswer | None


class Closed(NamedTuple):
    """What is left of a batch that was closed: how many texts without an answer, and its file."""

    texts: int
    file_id: str | None


class BatchStore:
    """The batches in the operational store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def open(self) -> list[Batch]:
        """Return those of which something is still to be had, the oldest first."""
        query = sa.select(copy_batches).where(copy_batches.c.state.in_(OPEN)).order_by(copy_batches.c.created_at)
        with self._database.read() as connection:
            return [_batch(row) for row in connection.execute(query)]

    def has_disappointed(self, prompt_version: str, model: str, since: datetime) -> bool:
        """Tell whether a batch has ended since then without an answer to everything."""
        batches = copy_batches.c
        query = sa.select(batches.batch_key).where(
            batches.prompt_version == prompt_version,
            batches.model == model,
            batches.state.not_in(OPEN),
            batches.updated_at > since,
            batches.answers < batches.requests,
        )
        with self._database.read() as connection:
            return connection.execute(query.limit(1)).first() is not None

    def prepare(self, up_to_key: Request, count: int, wanted_by: datetime, now: datetime) -> Batch:
        """Make a batch of the requests that no batch has yet, up to one in the order of their keys; `count` of them."""
        key = up_to_key.key
        row = {
            "batch_key": uuid.uuid4().hex,
            "prompt_version": key.prompt_version,
            "model": key.model,
            "state": "prepared",
            "requests": count,
            "answers": 0,
            "input_tokens": 0,
            "output_tokens": 0,
            "cost_usd": 0.0,
            "created_at": now,
            "wanted_by": wanted_by,
            "updated_at": now,
        }
        with self._database.write() as connection:
            connection.execute(sa.insert(copy_batches), row)
            connection.execute(
                sa.update(copy_requests)
                .where(*unsent(key.prompt_version, key.model), up_to(key.fingerprint, key.number))
                .values(batch_key=row["batch_key"])
            )
            return _batch(connection.execute(_the(str(row["batch_key"]))).one())

    def move(self, batch: Batch, state: State, now: datetime, **values: str) -> Batch:
        """Write down a step that was taken, unless the batch is closed; return the batch as it is now."""
        with self._database.write() as connection:
            connection.execute(
                sa.update(copy_batches)
                .where(copy_batches.c.batch_key == batch.batch_key, copy_batches.c.state.in_(OPEN))
                .values(state=state, updated_at=now, **values)
            )
            return _batch(connection.execute(_the(batch.batch_key)).one())

    def touch(self, batch: Batch, now: datetime) -> None:
        """Write down that a step was tried."""
        with self._database.write() as connection:
            is_this = copy_batches.c.batch_key == batch.batch_key
            connection.execute(sa.update(copy_batches).where(is_this).values(updated_at=now))

    def take(self, batch: Batch, answers: Sequence[Judged], now: datetime) -> list[Judged]:
        """Keep the answers to requests that still await one from this batch, all at once; return those that were kept.

        An answer that is given a second time finds its request gone, and is not counted again.
        """
        by_key = {(judged.request.key.fingerprint, judged.request.key.number): judged for judged in answers}
        keys = sa.tuple_(copy_requests.c.fingerprint, copy_requests.c.number)
        with self._database.write() as connection:
            awaited = connection.execute(
                sa.delete(copy_requests)
                .where(copy_requests.c.batch_key == batch.batch_key, keys.in_([*by_key]))
                .returning(copy_requests)
            ).all()
            kept = [(row, by_key[row.fingerprint, row.number]) for row in awaited]
            texts = [row_of(_text(judged, judged.copy), now) for _, judged in kept if judged.copy is not None]
            insert_or_ignore(connection, copy_texts, texts)
            firsts = [
                {**row._mapping, "batch_key": None, "first_answer": judged.first_answer.as_json()}
                for row, judged in kept
                if judged.first_answer is not None
            ]
            insert_or_ignore(connection, copy_requests, firsts)
            _count(connection, batch, [judged for _, judged in kept])
        return [judged for _, judged in kept]

    def close(self, batch: Batch, state: Literal["collected", "given_up"], reason: str, now: datetime) -> Closed:
        """Close a batch and give up what it has not answered, so that it is asked for directly."""
        with self._database.write() as connection:
            left = connection.execute(sa.delete(copy_requests).where(copy_requests.c.batch_key == batch.batch_key))
            connection.execute(
                sa.update(copy_batches)
                .where(copy_batches.c.batch_key == batch.batch_key, copy_batches.c.state.in_(OPEN))
                .values(state=state, reason=reason[:_REASON_LENGTH] or None, updated_at=now)
            )
            return Closed(left.rowcount, connection.execute(_the(batch.batch_key)).one().file_id)

    def awaited(self, batch: Batch, names: Collection[tuple[str, int]]) -> list[Request]:
        """Return the requests, of those named by fingerprint and number, that still await an answer from this batch."""
        keys = sa.tuple_(copy_requests.c.fingerprint, copy_requests.c.number)
        query = sa.select(copy_requests).where(copy_requests.c.batch_key == batch.batch_key, keys.in_([*names]))
        with self._database.read() as connection:
            return [request_of(row) for row in connection.execute(query)]


def unsent(prompt_version: str, model: str) -> tuple[sa.ColumnElement[bool], ...]:
    """Name the requests that no batch has yet, and that need one."""
    requests = copy_requests.c
    return (
        requests.batch_key.is_(None),
        requests.first_answer.is_(None),
        requests.prompt_version == prompt_version,
        requests.model == model,
    )


def of_batch(batch: Batch) -> sa.ColumnElement[bool]:
    """Name the requests of a batch."""
    return copy_requests.c.batch_key == batch.batch_key


def _text(judged: Judged, copy: Copy) -> StoredText:
    return StoredText(judged.request.key, copy, (), judged.usage, judged.cost_usd)


def _count(connection: sa.Connection, batch: Batch, kept: Sequence[Judged]) -> None:
    usage = total((Usage(0, 0), *(judged.usage for judged in kept)))
    connection.execute(
        sa.update(copy_batches)
        .where(copy_batches.c.batch_key == batch.batch_key)
        .values(
            answers=copy_batches.c.answers + len(kept),
            input_tokens=copy_batches.c.input_tokens + usage.input_tokens,
            output_tokens=copy_batches.c.output_tokens + usage.output_tokens,
            cost_usd=copy_batches.c.cost_usd + sum(judged.cost_usd for judged in kept),
        )
    )


def _the(batch_key: str) -> sa.Select[Any]:
    return sa.select(copy_batches).where(copy_batches.c.batch_key == batch_key)


def _batch(row: sa.Row[Any]) -> Batch:
    return Batch(
        batch_key=row.batch_key,
        prompt_version=row.prompt_version,
        model=row.model,
        state=row.state,
        file_id=row.file_id,
        batch_id=row.batch_id,
        requests=row.requests,
        answers=row.answers,
        wanted_by=row.wanted_by,
        updated_at=row.updated_at,
    )
