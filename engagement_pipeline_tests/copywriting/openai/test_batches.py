"""Requests and batches as they are kept, in SQLite and in PostgreSQL."""

from datetime import date, timedelta

import pytest
import sqlalchemy as sa

from engagement_pipeline.copywriting.brief import Brief
from engagement_pipeline.copywriting.catalogue import Item, Offer
from engagement_pipeline.copywriting.openai import requests
from engagement_pipeline.copywriting.openai.answers import Fault, Usage
from engagement_pipeline.copywriting.openai.batches import Batch, BatchStore, Judged, of_batch, unsent
from engagement_pipeline.copywriting.openai.requests import FirstAnswer, Request, RequestStore, Standing
from engagement_pipeline.copywriting.openai.texts import StoredText, TextKey, TextStore
from engagement_pipeline.copywriting.tables import copy_batches
from engagement_pipeline.platform.sql import Database
from engagement_pipeline_tests.conftest import NOW
from engagement_pipeline_tests.copywriting.openai.parts import briefs
from engagement_pipeline_tests.copywriting.samples import brief, copy

VERSION = ("1.abc", "some-model")
LATER = NOW + timedelta(minutes=5)
FIRST = FirstAnswer("Take 40% off", (Fault("percentage", "40%"),), Usage(900, 200), 0.0003)


def wanted(count: int) -> list[Request]:
    return sorted(request(about) for about in briefs(count))


def request(about: Brief, number: int = 0) -> Request:
    return Request(TextKey(about.fingerprint, *VERSION, number), about)


def prepared(database: Database, count: int) -> tuple[Batch, list[Request]]:
    """A batch, and what it asks."""
    asked = wanted(count)
    RequestStore(database).add(asked, NOW)
    return BatchStore(database).prepare(asked[-1], count, NOW + timedelta(hours=8), NOW), asked


def judged(asked: Request, first_answer: FirstAnswer | None = None, *, is_copy: bool = True) -> Judged:
    return Judged(asked, Usage(1_000, 200), 0.0004, copy() if is_copy else None, first_answer)


def row(database: Database) -> sa.Row[tuple[object, ...]]:
    with database.read() as connection:
        return connection.execute(sa.select(copy_batches)).one()


def test_a_request_comes_back_as_it_was(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests, "AT_ONCE", 2)
    about = brief(
        other_interests=("süßes",),
        items=(Item(sku="d-1", name="The linen dress", category="dresses"),),
        offers=(Offer(id="o-1", text="Take 20% off dresses.", percent=20, until=date(2026, 3, 31)),),
    )
    asked = sorted([*wanted(6), request(about, 0), request(about, 1)])
    store = RequestStore(database)
    store.add(asked, NOW)
    store.add(asked, LATER)
    assert list(store.read(*unsent(*VERSION))) == asked
    assert {one.brief.fingerprint == one.key.fingerprint for one in store.read()} == {True}


def test_how_a_request_stands(database: Database) -> None:
    store = RequestStore(database)
    batch, asked = prepared(database, 3)
    store.add([other := request(brief())], NOW)
    BatchStore(database).take(batch, [judged(asked[0], FIRST, is_copy=False)], NOW)
    assert store.find([*(one.key for one in asked), other.key, other.key._replace(number=1)]) == {
        asked[0].key: Standing(False, FIRST),
        asked[1].key: Standing(True, None),
        asked[2].key: Standing(True, None),
        other.key: Standing(False, None),
    }
    assert store.count_awaited(*VERSION) == 2
    assert store.count_awaited("2.abc", "some-model") == 0


def test_what_was_not_sent_is_forgotten_and_first_answers_stay_as_long_as_they_serve(database: Database) -> None:
    store = RequestStore(database)
    batch, asked = prepared(database, 3)
    store.add([request(brief())], NOW)
    BatchStore(database).take(batch, [judged(asked[0], FIRST, is_copy=False)], NOW)
    store.forget_unsent(*VERSION)
    assert [one.key for one in store.read()] == [one.key for one in asked]
    store.forget_unsent("2.abc", "some-model")
    assert [one.key for one in store.read()] == [one.key for one in asked[1:]]


def test_a_batch_takes_the_requests_up_to_a_place(database: Database) -> None:
    asked = wanted(9)
    RequestStore(database).add([*asked, request(asked[3].brief, 1)], NOW)
    store = BatchStore(database)
    first = store.prepare(asked[3], 4, LATER, NOW)
    rest = list(RequestStore(database).read(*unsent(*VERSION)))
    second = store.prepare(rest[-1], len(rest), LATER, NOW)
    read = RequestStore(database).read
    assert list(read(of_batch(first))) == asked[:4]
    assert list(read(of_batch(second))) == rest == sorted([request(asked[3].brief, 1), *asked[4:]])
    assert {batch.batch_key for batch in store.open()} == {first.batch_key, second.batch_key}
    assert (first.state, first.requests, first.wanted_by, first.updated_at) == ("prepared", 4, LATER, NOW)


def test_answers_are_kept_and_counted_once(database: Database) -> None:
    store = BatchStore(database)
    batch, asked = prepared(database, 4)
    answers = [judged(asked[0]), judged(asked[1], FIRST, is_copy=False), judged(asked[2], is_copy=False)]
    assert store.take(batch, answers, NOW) == answers
    assert store.take(batch, answers, LATER) == []
    assert store.take(batch, [], LATER) == []
    assert [one.key for one in store.awaited(batch, [(one.key.fingerprint, 0) for one in asked])] == [asked[3].key]
    assert set(TextStore(database).find(one.key for one in asked)) == {asked[0].key}
    kept = row(database)
    assert (kept.answers, kept.input_tokens, kept.output_tokens) == (3, 3_000, 600)
    assert kept.cost_usd == pytest.approx(0.0012)
    assert store.close(batch, "collected", "x" * 999, LATER).texts == 1
    assert [one.key for one in RequestStore(database).read()] == [asked[1].key]


def test_of_a_text_that_was_there_first_and_the_batchs_the_first_stands(database: Database) -> None:
    batch, asked = prepared(database, 1)
    first = StoredText(asked[0].key, copy(subject="Quite another subject"), (), Usage(7, 7), 0.7)
    TextStore(database).keep(first, NOW)
    assert len(BatchStore(database).take(batch, [judged(asked[0])], LATER)) == 1
    assert TextStore(database).find([asked[0].key]) == {asked[0].key: first}


def test_a_text_that_is_kept_needs_no_request_any_more(database: Database) -> None:
    batch, asked = prepared(database, 3)
    BatchStore(database).take(batch, [judged(one, FIRST, is_copy=False) for one in asked[:2]], NOW)
    TextStore(database).keep(StoredText(asked[0].key, copy(), (), Usage(7, 7), 0.7), NOW, was_requested=True)
    TextStore(database).keep(StoredText(asked[1].key, copy(), (), Usage(7, 7), 0.7), NOW)
    assert [one.key for one in RequestStore(database).read()] == [asked[1].key, asked[2].key]


def test_what_a_batch_has_taken_up_meanwhile_stays_its_own(database: Database) -> None:
    """A preview may have begun to write while the run put the batch together: what the batch costs is to be counted."""
    batch, asked = prepared(database, 1)
    TextStore(database).keep(StoredText(asked[0].key, copy(), (), Usage(7, 7), 0.7), NOW, was_requested=True)
    assert len(BatchStore(database).take(batch, [judged(asked[0])], LATER)) == 1
    assert row(database).answers == 1


def test_a_closed_batch_stays_closed(database: Database) -> None:
    store = BatchStore(database)
    batch, asked = prepared(database, 2)
    moved = store.move(batch, "submitted", LATER, batch_id="batch_1")
    assert (moved.state, moved.batch_id, moved.updated_at) == ("submitted", "batch_1", LATER)
    store.close(moved, "given_up", "no reason", LATER)
    assert store.move(batch, "submitted", LATER).state == "given_up"
    store.close(moved, "collected", "", LATER)
    assert (row(database).state, row(database).reason) == ("given_up", "no reason")
    assert store.open() == []
    # Late answers find nobody who waits for them.
    assert store.take(batch, [judged(asked[0])], LATER) == []


def test_whether_a_batch_has_disappointed(database: Database) -> None:
    store = BatchStore(database)

    def has(prompt_version: str = VERSION[0]) -> bool:
        return store.has_disappointed(prompt_version, VERSION[1], NOW - timedelta(hours=8))

    batch, asked = prepared(database, 2)
    assert not has(), "it has not ended"
    store.take(batch, [judged(asked[0])], NOW)
    store.close(batch, "collected", "", NOW)
    assert has()
    assert not has("2.abc")
    assert not store.has_disappointed(*VERSION, NOW)
    good, asked = prepared(database, 2)
    store.take(good, [judged(one) for one in asked], LATER)
    store.close(good, "collected", "", LATER)
    assert not store.has_disappointed(*VERSION, NOW)
