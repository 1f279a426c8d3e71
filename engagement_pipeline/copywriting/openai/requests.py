"""Texts that are wanted from a batch: awaited, or answered once in a way that cannot be sent."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

import sqlalchemy as sa

from engagement_pipeline.copywriting.brief import Brief
from engagement_pipeline.copywriting.openai.answers import Fault, Usage
from engagement_pipeline.copywriting.openai.texts import TextKey
from engagement_pipeline.copywriting.tables import copy_requests
from engagement_pipeline.platform.sql import Database, insert_or_ignore

AT_ONCE: Final = 500

_REQUESTS: Final = copy_requests.c


class Request(NamedTuple):
    """One text that is wanted, and what it is to be about."""

    key: TextKey
    brief: Brief


@dataclass(frozen=True)
class FirstAnswer:
    """An answer in a batch that cannot be sent: the second time of asking begins with it.

    Attributes:
        content: the model's words, where it had any.
        faults: what is wrong with them.
        usage: what was paid for.
        cost_usd: how much that was.
    """

    content: str | None
    faults: tuple[Fault, ...]
    usage: Usage
    cost_usd: float

    def as_json(self) -> dict[str, Any]:
        """Return what is stored."""
        return {"content": self.content, "faults": self.faults, "usage": self.usage, "cost_usd": self.cost_usd}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "FirstAnswer":
        """Return what was stored."""
        faults = tuple(Fault(*fault) for fault in stored["faults"])
        return cls(stored["content"], faults, Usage(*stored["usage"]), stored["cost_usd"])


class Standing(NamedTuple):
    """How a text that is wanted stands: awaited from a batch, or to be asked for directly."""

    is_awaited: bool
    first_answer: FirstAnswer | None


class RequestStore:
    """The requests in the operational store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, requests: Iterable[Request], now: datetime) -> None:
        """Note what is wanted, for the next batch."""
        rows = [
            {**key._asdict(), "brief": brief.record(), "batch_key": None, "wanted_at": now} for key, brief in requests
        ]
        with self._database.write() as connection:
            insert_or_ignore(connection, copy_requests, rows)

    def find(self, keys: Iterable[TextKey]) -> dict[TextKey, Standing]:
        """Return how those stand that were asked for."""
        wanted = set(keys)
        found = {}
        columns = (*copy_requests.primary_key.columns, _REQUESTS.batch_key, _REQUESTS.first_answer)
        for row in self._rows({key.fingerprint for key in wanted}, *columns):
            first = None if row.first_answer is None else FirstAnswer.from_json(row.first_answer)
            found[TextKey(*row[:4])] = Standing(row.batch_key is not None, first)
        return {key: standing for key, standing in found.items() if key in wanted}

    def count_awaited(self, prompt_version: str, model: str) -> int:
        """Count the texts that are awaited from batches."""
        query = sa.select(sa.func.count()).where(
            _REQUESTS.batch_key.is_not(None), _REQUESTS.prompt_version == prompt_version, _REQUESTS.model == model
        )
        with self._database.read() as connection:
            return int(connection.execute(query).scalar_one())

    def forget_unsent(self, prompt_version: str, model: str) -> None:
        """Drop what an earlier run put together and did not send, and first answers to what is asked no more."""
        is_of_now = sa.and_(_REQUESTS.prompt_version == prompt_version, _REQUESTS.model == model)
        is_useless = sa.or_(_REQUESTS.first_answer.is_(None), sa.not_(is_of_now))
        with self._database.write() as connection:
            connection.execute(sa.delete(copy_requests).where(_REQUESTS.batch_key.is_(None), is_useless))

    def read(self, *conditions: sa.ColumnElement[bool]) -> Iterator[Request]:
        """Go through requests in the order of their keys, a few in memory at a time, whatever happens meanwhile."""
        place: tuple[str, int] | None = None
        while True:
            query = sa.select(copy_requests).where(*conditions).limit(AT_ONCE)
            if place is not None:
                query = query.where(sa.not_(up_to(*place)))
            with self._database.read() as connection:
                rows = connection.execute(query.order_by(_REQUESTS.fingerprint, _REQUESTS.number)).all()
            yield from (request_of(row) for row in rows)
            if len(rows) < AT_ONCE:
                return
            place = (rows[-1].fingerprint, rows[-1].number)

    def _rows(self, fingerprints: Collection[str], *columns: sa.Column[Any]) -> Iterator[sa.Row[Any]]:
        wanted = sorted(fingerprints)
        with self._database.read() as connection:
            for first in range(0, len(wanted), AT_ONCE):
                chunk = wanted[first : first + AT_ONCE]
                yield from connection.execute(sa.select(*columns).where(_REQUESTS.fingerprint.in_(chunk)))


def request_of(row: sa.Row[Any]) -> Request:
    """Read a whole row of `copy_requests`."""
    key = TextKey(row.fingerprint, row.prompt_version, row.model, row.number)
    return Request(key, Brief.of_record(row.brief))


def up_to(fingerprint: str, number: int) -> sa.ColumnElement[bool]:
    """Name the requests up to a place in the order of their keys, that place included."""
    return sa.or_(
        _REQUESTS.fingerprint < fingerprint, sa.and_(_REQUESTS.fingerprint == fingerprint, _REQUESTS.number <= number)
    )
