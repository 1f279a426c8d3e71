"""Texts that are had in batches, before a real server: what is asked how, when, and that nothing is asked twice."""

import json
from collections.abc import Iterable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import IO, Any

import pytest
import sqlalchemy as sa

from engagement_pipeline.copywriting.brief import Brief
from engagement_pipeline.copywriting.copy import Copywriter, Text
from engagement_pipeline.copywriting.openai.batch_provider import BatchProvider, UnclearError
from engagement_pipeline.copywriting.openai.planning import next_hour
from engagement_pipeline.copywriting.openai.polling import TRIES_AFTER, why_collect
from engagement_pipeline.copywriting.openai.requests import Request, RequestStore
from engagement_pipeline.copywriting.openai.writer import OpenAICopywriter
from engagement_pipeline.copywriting.tables import copy_batches, copy_requests, copy_texts
from engagement_pipeline.copywriting.template import TemplateCopywriter
from engagement_pipeline.migrations import upgrade
from engagement_pipeline.platform.sql import Database
from engagement_pipeline_tests.batch_endpoints import LINE
from engagement_pipeline_tests.copywriting.openai.parts import BRAND, briefs, settings_for
from engagement_pipeline_tests.model_server import GOOD_ANSWER, ModelServer, failure, reply, truncated

pytestmark = pytest.mark.integration

NIGHT = datetime(2026, 3, 2, 0, 15, tzinfo=timezone.utc)
BAD_ANSWER = GOOD_ANSWER.replace("What are you in the mood for", "Take 40% off today")


class Shop:
    """A store and a server, and runs at moments that a test chooses."""

    def __init__(self, server: ModelServer, store: Database) -> None:
        self.server = server
        self.store = store
        self.now = NIGHT
        server.say(reply(times=None))

    def run(self, wanted: list[Brief], **changes: Any) -> tuple[OpenAICopywriter, list[Text | None]]:
        """What a full run does with the copywriter."""
        settings = settings_for(self.server.base_url, **({"batch_above": 3} | changes))
        writer = OpenAICopywriter(settings, BRAND, TemplateCopywriter(BRAND), self.store, lambda: self.now)
        writer.plan((one, 0) for one in wanted)
        return writer, writer.write(wanted)

    def why_collect(self) -> str | None:
        return why_collect(settings_for(self.server.base_url), self.store, self.now)

    def batches(self) -> list[sa.Row[Any]]:
        with self.store.read() as connection:
            return list(connection.execute(sa.select(copy_batches).order_by(copy_batches.c.created_at)))

    def count(self, table: sa.Table) -> int:
        with self.store.read() as connection:
            return int(connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one())


@pytest.fixture
def shop(model_server: ModelServer, store: Database) -> Shop:
    return Shop(model_server, store)


def assert_books_are_right(shop: Shop, *writers: Copywriter) -> None:
    """What runs say they spent, and what stands with the texts, is what the server has counted."""
    shop.server.finish_batches()
    counts = shop.server.counts()
    spent = [writer.spent for writer in writers]
    assert sum(one.answers for one in spent) == counts.answers
    assert sum(one.input_tokens for one in spent) == counts.input_tokens
    assert sum(one.output_tokens for one in spent) == counts.output_tokens
    assert sum(one.cost_usd for one in spent) == pytest.approx(counts.cost())
    columns = copy_texts.c.input_tokens, copy_texts.c.output_tokens, copy_texts.c.cost_usd
    with shop.store.read() as connection:
        texts = connection.execute(sa.select(*(sa.func.sum(column) for column in columns))).one()
    assert tuple(texts) == (counts.input_tokens, counts.output_tokens, pytest.approx(counts.cost()))
    assert set(counts.answers_by_prompt.values()) == {1}


def by_model(texts: Iterable[Text | None]) -> list[bool]:
    return [text is not None and text.author == "openai" for text in texts]


def test_many_texts_come_later_at_half_the_price(shop: Shop) -> None:
    about = briefs(10)
    first, texts = shop.run(about)
    assert texts == [None] * 10
    assert (first.spent.answers, first.spent.awaited) == (0, 10)
    assert first.spent.notes == (f"batch {note_name(shop)} submitted: 10 texts",)
    [batch] = shop.batches()
    assert (batch.state, batch.wanted_by) == ("submitted", NIGHT.replace(hour=11, minute=0))
    shop.now += timedelta(minutes=30)
    assert str(shop.why_collect()).endswith("has ended")
    second, texts = shop.run(about)
    assert all(by_model(texts))
    assert second.spent.notes == (f"batch {note_name(shop)} completed: 10 answers brought in",)
    assert (second.spent.answers, second.spent.reused, second.spent.awaited) == (10, 10, 0)
    assert_books_are_right(shop, first, second)
    counts = shop.server.counts()
    assert (counts.statuses, counts.batch_answers) == ({}, 10)
    assert second.spent.cost_usd == pytest.approx((counts.input_tokens * 0.4 + counts.output_tokens * 1.6) / 2e6)
    [text] = {text.provenance.cost_usd for text in texts if text and text.provenance}
    assert text == pytest.approx(second.spent.cost_usd / 10)
    [batch] = shop.batches()
    assert (batch.state, batch.answers, batch.requests) == ("collected", 10, 10)
    assert (batch.input_tokens, batch.output_tokens) == (counts.input_tokens, counts.output_tokens)
    assert batch.cost_usd == pytest.approx(second.spent.cost_usd)
    # Nothing is left, here or with the provider, and nothing more is to be done.
    assert (shop.count(copy_requests), shop.server.files(), shop.why_collect()) == (0, [], None)
    third, again = shop.run(about)
    assert (again, third.spent.answers, third.spent.notes) == (texts, 0, ())


def note_name(shop: Shop) -> str:
    return str(shop.batches()[-1].batch_key[:8])


def test_the_question_is_the_same_as_when_asked_directly(shop: Shop, tmp_path: Path) -> None:
    about = briefs(1)
    shop.run(about, batch_above=None)
    direct = shop.server.calls()[0]["body"]
    other = Database(f"sqlite:///{tmp_path / 'other.db'}")
    upgrade(other)
    Shop(shop.server, other).run(about, batch_above=0)
    [file] = shop.server.files()
    line = json.loads(shop.server.content(file["id"]))
    assert line["body"] == direct
    assert (line["method"], line["url"]) == ("POST", "/v1/chat/completions")
    other.close()


@pytest.mark.parametrize(
    ("above", "hour", "is_batch"),
    [
        (9, 11, True),
        (10, 11, False),
        (0, 11, True),
        (None, 11, False),
        (9, 3, True),
        (9, 2, False),
        # It has just passed: the next one is tomorrow's.
        (9, 0, True),
    ],
)
def test_a_batch_is_made_where_it_is_enough_and_there_is_time(
    shop: Shop, above: int | None, hour: int, is_batch: bool
) -> None:
    writer, texts = shop.run(briefs(10), batch_above=above, batch_until_hour=hour)
    assert by_model(texts) == [not is_batch] * 10
    assert writer.spent.awaited == (10 if is_batch else 0)


@pytest.mark.parametrize("hour", range(24))
def test_the_next_hour_is_always_ahead_and_within_a_day(hour: int) -> None:
    for minute in range(0, 24 * 60, 7):
        now = NIGHT + timedelta(minutes=minute)
        there = next_hour(now, hour)
        assert timedelta(0) < there - now <= timedelta(days=1)
        assert (there.hour, there.minute) == (hour, 0)


def test_what_is_there_or_awaited_is_not_asked_for_again(shop: Shop) -> None:
    shop.server.batches_go(looks=100)
    shop.run(briefs(5))
    writer, texts = shop.run(briefs(5))
    assert (texts, writer.spent.awaited) == ([None] * 5, 5)
    # Only those that are new count, and they are too few: they are asked for directly.
    writer, texts = shop.run(briefs(8))
    assert by_model(texts) == [False] * 5 + [True] * 3
    assert writer.spent.answers == 3
    writer, texts = shop.run(briefs(13))
    assert by_model(texts) == [False] * 5 + [True] * 3 + [False] * 5
    assert (writer.spent.answers, writer.spent.awaited, len(shop.batches())) == (0, 10, 2)
    assert shop.server.counts().calls["POST /v1/batches"] == 2


def test_a_reaction_that_meets_an_awaited_text_waits_and_pays_nothing(shop: Shop) -> None:
    shop.run(briefs(5))
    settings = settings_for(shop.server.base_url)
    reaction = OpenAICopywriter(settings, BRAND, TemplateCopywriter(BRAND), shop.store, lambda: shop.now)
    assert by_model(reaction.write([*briefs(5), *briefs(6)[5:]])) == [False] * 5 + [True]
    assert reaction.in_hand(briefs(6), [0] * 6) == [False] * 5 + [True]
    assert reaction.awaited(briefs(6), [0] * 6) == [True] * 5 + [False]


def test_texts_that_are_wanted_twice_are_asked_for_once(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engagement_pipeline.copywriting.openai.planning.AT_ONCE", 4)
    shop.run([*briefs(6), *briefs(6), *briefs(6)])
    assert [batch.requests for batch in shop.batches()] == [6]


def test_what_does_not_fit_into_one_file_goes_into_several(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engagement_pipeline.copywriting.openai.submitting.MOST_LINES", 4)
    first, _ = shop.run(briefs(10))
    assert sorted(batch.requests for batch in shop.batches()) == [2, 4, 4]
    monkeypatch.setattr("engagement_pipeline.copywriting.openai.submitting.MOST_LINES", 50_000)
    monkeypatch.setattr("engagement_pipeline.copywriting.openai.submitting.MOST_BYTES", 20_000)
    second, texts = shop.run(briefs(20))
    assert all(by_model(texts[:10]))
    assert max(file["bytes"] for file in shop.server.files()) <= 20_000
    third, texts = shop.run(briefs(20))
    assert all(by_model(texts))
    assert_books_are_right(shop, first, second, third)


def test_an_answer_that_cannot_be_sent_is_asked_for_a_second_time_directly(shop: Shop) -> None:
    shop.server.say(reply(BAD_ANSWER, path=LINE), truncated(path=LINE), reply(times=None, path=LINE))
    first, _ = shop.run(briefs(5))
    second, texts = shop.run(briefs(5))
    assert all(by_model(texts))
    questions = shop.server.questions()
    assert len(questions) == 2
    assert {question[-2]["content"] for question in questions} == {BAD_ANSWER, GOOD_ANSWER[:150]}
    assert [name in question[-1]["content"] for question in questions for name in ("percentage", "truncated")].count(
        True
    ) == 2
    assert_books_are_right(shop, first, second)
    assert shop.count(copy_requests) == 0
    both = [text.provenance for text in texts if text and text.provenance]
    dear = sorted(both, key=lambda origin: -origin.cost_usd)[:2]
    assert all(origin.input_tokens > 2 * min(one.input_tokens for one in both) for origin in dear)


def test_one_that_fails_again_is_the_templates_with_what_both_times_cost(shop: Shop) -> None:
    shop.server.stop_saying()
    shop.server.say(reply(BAD_ANSWER, path=LINE), truncated(), reply(times=None))
    first, _ = shop.run(briefs(5))
    second, texts = shop.run(briefs(5))
    assert by_model(texts).count(False) == 1
    [replaced] = [text for text in texts if text and text.author == "template"]
    assert replaced.failures == ("truncated",)
    assert_books_are_right(shop, first, second)


def test_lines_with_errors_are_asked_for_directly(shop: Shop) -> None:
    shop.server.say(failure(500, path=LINE), failure(400, path=LINE), reply(times=None, path=LINE))
    first, _ = shop.run(briefs(6))
    second, texts = shop.run(briefs(6))
    assert all(by_model(texts))
    assert "4 answers brought in, 2 texts are asked for directly" in second.spent.notes[0]
    assert "status_500 1" in second.spent.notes[0]
    assert len(shop.server.questions()) == 2
    assert_books_are_right(shop, first, second)


@pytest.mark.parametrize("ends", ["expired", "cancelled", "failed", "completed"])
@pytest.mark.parametrize("answered", [0, 4])
def test_however_a_batch_ends_what_it_has_is_used_and_the_rest_asked_for_directly(
    shop: Shop, ends: str, answered: int
) -> None:
    shop.server.batches_go(ends=ends, answered=answered, blank=answered == 0)
    first, _ = shop.run(briefs(10))
    second, texts = shop.run(briefs(10))
    assert all(by_model(texts))
    used = 0 if ends == "failed" else answered
    assert (second.spent.answers, len(shop.server.questions())) == (10, 10 - used)
    assert f"{10 - used} texts are asked for directly" in second.spent.notes[0]
    if ends == "failed":
        assert "token_limit_exceeded" in second.spent.notes[0]
    assert_books_are_right(shop, first, second)
    assert len(shop.batches()) == 1, "the rest is not put into another batch"


def test_after_a_batch_that_disappointed_the_next_waits_for_another_day(shop: Shop) -> None:
    shop.server.batches_go(ends="failed")
    shop.run(briefs(10))
    shop.run([])
    shop.server.batches_go(ends="completed")
    shop.now += timedelta(hours=3)
    assert all(by_model(shop.run(briefs(10))[1]))
    shop.now += timedelta(days=1) - timedelta(hours=3)
    assert shop.run(briefs(20))[1].count(None) == 10


def test_a_server_that_does_not_count_is_reckoned_with_at_the_most(shop: Shop) -> None:
    shop.server.batches_go(counts_tokens=False)
    shop.run(briefs(5))
    writer, texts = shop.run(briefs(5))
    assert all(by_model(texts))
    assert writer.spent.output_tokens == 5 * 1_000


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 413, 501])
@pytest.mark.parametrize("path", ["/v1/files", "/v1/batches"])
def test_a_provider_that_refuses_is_asked_directly_in_the_same_run(shop: Shop, status: int, path: str) -> None:
    shop.server.trouble("POST", path, status, times=100)
    writer, texts = shop.run(briefs(10))
    assert all(by_model(texts))
    [note] = writer.spent.notes
    assert f"the provider refuses it (status_{status}); 10 texts are asked for directly" in note
    [batch] = shop.batches()
    assert batch.state == "given_up"
    assert (shop.count(copy_requests), shop.why_collect(), shop.server.files()) == (0, None, [])
    assert_books_are_right(shop, writer)


def test_of_several_batches_none_is_tried_after_a_refusal(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engagement_pipeline.copywriting.openai.submitting.MOST_LINES", 4)
    shop.server.trouble("POST", "/v1/files", 404, times=100)
    _, texts = shop.run(briefs(10))
    assert all(by_model(texts))
    assert shop.server.counts().calls == {"POST /v1/files": 1}
    assert [batch.state for batch in shop.batches()] == ["given_up"] * 3


@pytest.mark.parametrize("is_done", [True, False])
@pytest.mark.parametrize("path", ["/v1/files", "/v1/batches"])
def test_where_nobody_can_tell_it_is_looked_up_and_nothing_is_made_twice(shop: Shop, path: str, is_done: bool) -> None:
    shop.server.trouble("POST", path, 500, is_done=is_done)
    first, texts = shop.run(briefs(10))
    assert texts == [None] * 10
    assert "no answer from the provider for now (status_500)" in first.spent.notes[0]
    # Too early to look: what a provider was asked for may not show in its lists yet.
    assert (shop.run(briefs(10))[1], shop.why_collect()) == ([None] * 10, None)
    shop.now += timedelta(minutes=5)
    assert str(shop.why_collect()).endswith("was left half submitted")
    second, texts = shop.run(briefs(10))
    assert texts == [None] * 10
    assert "submitted: 10 texts" in second.spent.notes[0]
    third, texts = shop.run(briefs(10))
    assert all(by_model(texts))
    assert_books_are_right(shop, first, second, third)
    assert shop.server.counts().calls[f"POST {path}"] == (1 if is_done else 2)
    assert shop.server.files() == []


@pytest.mark.parametrize("path", ["/v1/files", "/v1/batches"])
def test_a_page_in_place_of_an_answer_decides_nothing(shop: Shop, path: str) -> None:
    shop.server.trouble("POST", path, 200)
    first, texts = shop.run(briefs(10))
    assert (texts, "(unreadable)" in first.spent.notes[0]) == ([None] * 10, True)
    shop.now += timedelta(minutes=5)
    second, _ = shop.run(briefs(10))
    third, texts = shop.run(briefs(10))
    assert all(by_model(texts))
    assert_books_are_right(shop, first, second, third)


def test_where_files_cannot_be_listed_one_is_uploaded_again(shop: Shop) -> None:
    shop.server.trouble("POST", "/v1/files", 500, is_done=True)
    shop.server.trouble("GET", "/v1/files", 404)
    first, _ = shop.run(briefs(10))
    shop.now += timedelta(minutes=5)
    second, _ = shop.run(briefs(10))
    third, texts = shop.run(briefs(10))
    assert all(by_model(texts))
    assert_books_are_right(shop, first, second, third)


def test_where_batches_cannot_be_listed_one_that_may_have_been_made_is_not_made_again(shop: Shop) -> None:
    shop.server.trouble("POST", "/v1/batches", 500, is_done=True)
    shop.server.trouble("GET", "/v1/batches", 404)
    shop.run(briefs(10))
    shop.now += timedelta(minutes=5)
    writer, texts = shop.run(briefs(10))
    assert all(by_model(texts))
    assert "given up: the provider refuses it (status_404)" in writer.spent.notes[0]
    assert shop.server.counts().calls["POST /v1/batches"] == 1


def test_a_provider_that_is_down_is_tried_every_few_minutes_until_the_time_is_over(shop: Shop) -> None:
    shop.server.trouble("POST", "/v1/batches", 503, times=1_000)
    about = briefs(4)
    assert shop.run(about)[1] == [None] * 4
    tries = 0
    while shop.now < NIGHT.replace(hour=11):
        shop.now += timedelta(minutes=1)
        if shop.why_collect():
            tries += 1
            _, texts = shop.run(about)
            shop.now += timedelta(minutes=30)
    assert 5 < tries < 25
    assert all(by_model(texts))
    [batch] = shop.batches()
    assert (batch.state, shop.count(copy_requests)) == ("given_up", 0)


def test_what_is_late_is_cancelled_and_the_rest_asked_for_directly(shop: Shop) -> None:
    shop.server.batches_go(looks=10_000, answered=6, cancelling_looks=3)
    about = briefs(10)
    first, _ = shop.run(about)
    shop.now = NIGHT.replace(hour=10, minute=59)
    assert shop.why_collect() is None
    shop.now = NIGHT.replace(hour=11)
    assert str(shop.why_collect()).endswith("is late")
    second, texts = shop.run(about)
    assert texts == [None] * 10
    assert "is being cancelled" in second.spent.notes[0]
    assert shop.why_collect() is None
    while not shop.why_collect():
        shop.now += timedelta(minutes=1)
    third, texts = shop.run(about)
    assert all(by_model(texts))
    assert "cancelled: 6 answers brought in, 4 texts are asked for directly (batch_cancelled 4)" in third.spent.notes[0]
    assert_books_are_right(shop, first, second, third)
    assert shop.server.counts().calls["POST /v1/batches/*/cancel"] == 1
    assert len(shop.batches()) == 1, "what is left is not put into tomorrow's batch"


def test_a_late_batch_that_is_cancelled_at_once_costs_no_second_run(shop: Shop) -> None:
    shop.server.batches_go(looks=10_000, answered=6)
    first, _ = shop.run(briefs(10))
    shop.now = NIGHT.replace(hour=11)
    second, texts = shop.run(briefs(10))
    assert all(by_model(texts))
    assert_books_are_right(shop, first, second)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_provider_that_does_not_finish_cancelling_is_not_waited_for(shop: Shop, method: str) -> None:
    shop.server.batches_go(looks=10_000, cancelling_looks=10_000)
    about = briefs(10)
    shop.run(about)
    shop.now = NIGHT.replace(hour=11)
    shop.server.trouble(method, "/v1/batches/*" if method == "GET" else "/v1/batches/*/cancel", 400, times=1_000)
    assert shop.run(about)[1] == [None] * 10
    for _ in range(14):
        shop.now += timedelta(minutes=1)
        assert shop.why_collect() is None
    shop.now += timedelta(minutes=1)
    assert str(shop.why_collect()).endswith("does not end")
    writer, texts = shop.run(about)
    assert all(by_model(texts))
    assert "given up" in writer.spent.notes[0]
    [batch] = shop.batches()
    assert (batch.state, shop.count(copy_requests), shop.why_collect()) == ("given_up", 0, None)


def test_a_batch_that_the_provider_has_lost_is_given_up(shop: Shop) -> None:
    shop.run(briefs(10))
    shop.now += TRIES_AFTER
    shop.server.trouble("GET", "/v1/batches/*", 404, times=3)
    assert str(shop.why_collect()).endswith("not known to the provider any more")
    writer, texts = shop.run(briefs(10))
    assert all(by_model(texts))
    assert "does not know it any more (status_404)" in writer.spent.notes[0]


def test_a_provider_that_is_silent_for_a_while_loses_nothing(shop: Shop) -> None:
    first, _ = shop.run(briefs(10))
    shop.now += TRIES_AFTER
    # The sensor tries once, and a run three times.
    shop.server.trouble("GET", "/v1/batches/*", 503, times=4)
    shop.server.trouble("GET", "/v1/files/*/content", 503, times=3)
    assert shop.why_collect() is None
    second, texts = shop.run(briefs(10))
    assert (texts, second.spent.answers) == ([None] * 10, 0)
    third, texts = shop.run(briefs(10))
    assert (texts, third.spent.answers) == ([None] * 10, 0)
    fourth, texts = shop.run(briefs(10))
    assert all(by_model(texts))
    assert_books_are_right(shop, first, second, third, fourth)


def test_a_file_that_cannot_be_had_is_tried_every_few_minutes_until_the_time_is_over(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.server.batches_go(answered=6, ends="expired")
    about = briefs(10)
    shop.run(about)
    download = BatchProvider.download
    had: list[str] = []

    def break_off(provider: BatchProvider, file_id: str, to: IO[bytes]) -> None:
        """Let the first file through, that of the answers, and no other."""
        had.append(file_id)
        if file_id != had[0]:
            raise UnclearError("status_500")
        download(provider, file_id, to)

    monkeypatch.setattr(BatchProvider, "download", break_off)
    shop.now += timedelta(minutes=30)
    assert str(shop.why_collect()).endswith("has ended")
    assert by_model(shop.run(about)[1]).count(True) == 6
    shop.now += TRIES_AFTER - timedelta(minutes=1)
    assert shop.why_collect() is None
    shop.now += timedelta(minutes=1)
    assert str(shop.why_collect()).endswith("has ended")
    shop.now = NIGHT.replace(hour=11)
    runs = 0
    while shop.batches()[0].state != "given_up":
        shop.now += timedelta(minutes=1)
        if shop.why_collect():
            runs += 1
            _, texts = shop.run(about)
        assert shop.now < NIGHT.replace(hour=12), "it is waited for without an end"
    assert all(by_model(texts))
    assert (runs < 20, shop.count(copy_requests), shop.why_collect()) == (True, 0, None)


def test_an_output_file_that_is_gone_costs_its_texts_nothing_but_the_price(shop: Shop) -> None:
    shop.run(briefs(10))
    shop.server.trouble("GET", "/v1/files/*/content", 404)
    writer, texts = shop.run(briefs(10))
    assert all(by_model(texts))
    assert "0 answers brought in, 10 texts are asked for directly" in writer.spent.notes[0]


def test_when_the_words_have_changed_an_open_batch_is_ended_and_what_it_has_is_kept(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.server.batches_go(looks=10_000, answered=4)
    shop.server.say(reply(BAD_ANSWER, path=LINE), reply(times=None, path=LINE))
    shop.run(briefs(10))
    monkeypatch.setattr("engagement_pipeline.copywriting.openai.prompt.EDITION", 2)
    second, texts = shop.run(briefs(10))
    assert "cancelled: 4 answers brought in" in second.spent.notes[0]
    # In the new words, all are wanted.
    assert (texts, second.spent.awaited, second.spent.answers) == ([None] * 10, 10, 4)
    assert shop.count(copy_requests) == 10
    shop.server.batches_go(looks=0, answered=None)
    assert all(by_model(shop.run(briefs(10))[1]))
    monkeypatch.undo()
    # Those that could be sent serve again where the words are changed back.
    assert shop.run(briefs(10))[0].spent.reused == 3


@pytest.mark.parametrize("state", ["prepared", "uploaded"])
def test_when_the_words_have_changed_what_was_not_submitted_is_dropped(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    shop.server.trouble("POST", "/v1/files" if state == "prepared" else "/v1/batches", 500)
    shop.run(briefs(10))
    assert [batch.state for batch in shop.batches()] == [state]
    monkeypatch.setattr("engagement_pipeline.copywriting.openai.prompt.EDITION", 2)
    assert all(by_model(shop.run(briefs(10), batch_above=None)[1]))
    assert [batch.state for batch in shop.batches()] == ["given_up"]
    assert shop.count(copy_requests) == 0


@pytest.mark.parametrize("budget", [{"budget_usd": 0.006}, {"budget_tokens": 15_000}])
def test_a_batch_keeps_to_the_budget_and_leaves_the_rest_to_a_later_run(shop: Shop, budget: dict[str, Any]) -> None:
    about = briefs(30)
    runs: list[OpenAICopywriter] = []
    texts: list[Text | None] = [None]
    while None in texts:
        assert len(runs) < 20
        writer, texts = shop.run(about, **budget)
        runs.append(writer)
        spent = writer.spent
        assert spent.cost_usd <= budget.get("budget_usd", 1)
        assert spent.input_tokens + spent.output_tokens <= budget.get("budget_tokens", 1_000_000)
        if len(runs) == 1:
            assert spent.answers == 0
            assert 3 < spent.awaited < 30
            assert spent.stopped is not None
    assert_books_are_right(shop, *runs)
    assert shop.server.counts().batch_answers > 10


def test_what_was_set_aside_for_a_batch_that_is_refused_is_spent_directly(shop: Shop) -> None:
    shop.server.trouble("POST", "/v1/files", 404)
    writer, texts = shop.run(briefs(10), budget_usd=0.012)
    assert all(by_model(texts))
    assert writer.spent.cost_usd <= 0.012


def test_what_an_earlier_life_put_together_and_did_not_send_is_forgotten(shop: Shop) -> None:
    shop.run(briefs(0))
    writer = OpenAICopywriter(
        settings_for(shop.server.base_url), BRAND, TemplateCopywriter(BRAND), shop.store, lambda: shop.now
    )
    RequestStore(shop.store).add([Request(writer._key(one, 0), one) for one in briefs(10)], shop.now)
    _, texts = shop.run(briefs(2))
    assert all(by_model(texts))
    assert (shop.count(copy_requests), shop.batches()) == (0, [])
    assert len(shop.server.questions()) == 2


def test_a_run_without_batches_asks_the_provider_nothing_about_them(shop: Shop) -> None:
    shop.run(briefs(2))
    assert shop.why_collect() is None
    assert shop.server.counts().calls == {}
