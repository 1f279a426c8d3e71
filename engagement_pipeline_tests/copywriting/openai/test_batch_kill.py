"""Killed between any two steps, on both sides of every call of the provider: every brief is answered exactly once."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from typing import Final

import pytest
import sqlalchemy as sa

from engagement_pipeline.copywriting.openai.writer import OpenAICopywriter
from engagement_pipeline.copywriting.tables import copy_batches, copy_requests, copy_texts
from engagement_pipeline.copywriting.template import TemplateCopywriter
from engagement_pipeline.platform.sql import Database
from engagement_pipeline_tests.batch_endpoints import LINE
from engagement_pipeline_tests.copywriting.openai.mortal_batches import SMALL, Life, Lives, lives
from engagement_pipeline_tests.copywriting.openai.parts import BRAND, briefs, settings_for
from engagement_pipeline_tests.model_server import GOOD_ANSWER, ModelServer, failure, reply

pytestmark = pytest.mark.integration

NIGHT: Final = datetime(2026, 3, 2, 0, 15, tzinfo=timezone.utc)
BAD_ANSWER: Final = GOOD_ANSWER.replace("What are you in the mood for", "Take 40% off today")
TEXTS: Final = 6


@pytest.fixture(scope="module")
def process() -> Iterator[Lives]:
    with lives() as process:
        yield process


class Night:
    """A night in which runs die, before a server and a store that are empty at its beginning."""

    def __init__(self, process: Lives, server: ModelServer, store: Database) -> None:
        self._process = process
        self.server = server
        self._store = store
        self.now = NIGHT
        server.reset()
        server.say(*(reply(BAD_ANSWER, path=LINE), failure(500, path=LINE)), reply(times=None))
        with store.write() as connection:
            for table in (copy_batches, copy_requests, copy_texts):
                connection.execute(sa.delete(table))

    def die(self, at: int) -> bool:
        """Live through the part of a run that has to do with batches, until a moment; return whether it came so far."""
        url = self._store.engine.url.render_as_string(hide_password=False)
        return not self._process.live(Life(self.server.base_url, url, self.now.isoformat(), TEXTS, at))

    def plan(self) -> OpenAICopywriter:
        """Live through that part."""
        settings = settings_for(self.server.base_url, batch_above=3)
        writer = OpenAICopywriter(settings, BRAND, TemplateCopywriter(BRAND), self._store, lambda: self.now)
        writer.plan((brief, 0) for brief in briefs(TEXTS))
        return writer

    def end_well(self) -> None:
        """Go on with runs that live, until everybody has their text."""
        for _ in range(6):
            self.now += timedelta(minutes=3)
            texts = self.plan().write(briefs(TEXTS))
            if None not in texts:
                assert {text.author for text in texts if text} == {"openai"}
                return
        raise AssertionError("somebody waits for ever")

    def assert_everything_happened_once(self) -> None:
        self.server.finish_batches()
        counts = self.server.counts()
        assert set(counts.answers_by_prompt.values()) == {1}, "a brief was answered twice"
        assert counts.batch_answers > 0
        columns = copy_texts.c.input_tokens, copy_texts.c.output_tokens, copy_texts.c.cost_usd
        batched = copy_batches.c.answers, copy_batches.c.input_tokens, copy_batches.c.output_tokens
        with self._store.read() as connection:
            texts = connection.execute(sa.select(*(sa.func.sum(column) for column in columns))).one()
            batches = connection.execute(sa.select(*(sa.func.sum(column) for column in batched))).one()
            states = set(connection.execute(sa.select(copy_batches.c.state)).scalars())
            left = connection.execute(sa.select(copy_requests)).all()
        assert tuple(texts) == (counts.input_tokens, counts.output_tokens, pytest.approx(counts.cost()))
        assert tuple(batches) == (counts.batch_answers, counts.batch_input_tokens, counts.batch_output_tokens)
        assert (states, left) == ({"collected"}, [])


Begin = Callable[[Night], None]


def submit(night: Night) -> None:
    """Let the run that dies be the one that submits."""


def collect(night: Night) -> None:
    """Let the run that dies be the one that brings in what has ended."""
    night.plan()
    night.now += timedelta(minutes=3)


def be_late(night: Night) -> None:
    """Let the run that dies be the one that cancels what is late, and brings in what there is."""
    night.server.batches_go(looks=10_000)
    night.plan()
    night.now = NIGHT.replace(hour=11)


def resume(night: Night) -> None:
    """Let the run that dies be the one that goes on where nobody could tell what became of a call."""
    night.server.trouble("POST", "/v1/batches", 500, is_done=True)
    night.plan()
    night.now += timedelta(minutes=3)


def die_at_every_moment(begin: Begin, process: Lives, server: ModelServer, store: Database, every: int) -> int:
    """Die once at each moment of a run, and see each time that all ends well; return how many moments there were."""
    dies_at = 1
    while True:
        night = Night(process, server, store)
        begin(night)
        if not night.die(dies_at):
            return dies_at - 1
        night.end_well()
        night.assert_everything_happened_once()
        dies_at += every


@pytest.fixture(autouse=True)
def _small_files(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SMALL.items():
        monkeypatch.setattr(f"engagement_pipeline.copywriting.openai.{name}", value)


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
@pytest.mark.parametrize(("begin", "fewest"), [(submit, 20), (collect, 20)])
def test_killed_at_any_moment_every_brief_is_answered_once(
    process: Lives, model_server: ModelServer, database: Database, begin: Begin, fewest: int
) -> None:
    assert die_at_every_moment(begin, process, model_server, database, every=1) >= fewest


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
@pytest.mark.parametrize("every", [3, pytest.param(1, marks=pytest.mark.soak)])
@pytest.mark.parametrize(("begin", "fewest"), [(be_late, 20), (resume, 10)])
def test_killed_at_moments_that_are_rarer(
    process: Lives, model_server: ModelServer, database: Database, begin: Begin, fewest: int, every: int
) -> None:
    assert die_at_every_moment(begin, process, model_server, database, every) >= fewest


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
@pytest.mark.parametrize("every", [6, pytest.param(1, marks=pytest.mark.soak)])
@pytest.mark.parametrize("begin", [submit, collect, be_late, resume])
def test_in_postgresql_as_well(
    process: Lives, model_server: ModelServer, database: Database, begin: Begin, every: int
) -> None:
    assert die_at_every_moment(begin, process, model_server, database, every) > every
