"""The copywriter before a real server: what is shared, asked again, given up, left over, and never paid for twice."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

from engagement_pipeline.copywriting.copy import Copywriter, Text
from engagement_pipeline.copywriting.openai.answers import Usage
from engagement_pipeline.copywriting.openai.texts import TextStore
from engagement_pipeline.copywriting.tables import copy_texts
from engagement_pipeline.copywriting.template import TemplateCopywriter
from engagement_pipeline.copywriting.validation import validate
from engagement_pipeline.platform.settings import PROJECT_ROOT
from engagement_pipeline.platform.sql import Database
from engagement_pipeline_tests.copywriting.openai.parts import BRAND, briefs, writer
from engagement_pipeline_tests.copywriting.samples import brief
from engagement_pipeline_tests.model_server import (
    GOOD_ANSWER,
    Counts,
    ModelServer,
    failure,
    reply,
    running_model_server,
    truncated,
)

pytestmark = pytest.mark.integration

BAD_ANSWER = json.dumps({**json.loads(GOOD_ANSWER), "subject": "Take 40% off today, {{first_name}}"})
TEMPLATE = TemplateCopywriter(BRAND)


def assert_paid_for_exactly(copywriter: Copywriter, counts: Counts) -> None:
    spent = copywriter.spent
    assert (spent.answers, spent.input_tokens, spent.output_tokens) == (
        counts.answers,
        counts.input_tokens,
        counts.output_tokens,
    )


def test_every_brief_gets_its_text_with_where_it_comes_from(model_server: ModelServer, store: Database) -> None:
    model_server.say(reply(times=None))
    copywriter: Copywriter = writer(model_server.base_url, store, price_per_million_input=2, price_per_million_output=8)
    about = briefs(20)
    texts = copywriter.write(about)
    assert copywriter.variants == ("note", "idea")
    assert_paid_for_exactly(copywriter, model_server.counts())
    for one, text in zip(about, texts, strict=True):
        assert text is not None
        assert (text.author, text.failures) == ("openai", ())
        assert validate(text.copy, one, BRAND) == []
        origin = text.provenance
        assert origin is not None
        assert (origin.fingerprint, origin.model, origin.number) == (one.fingerprint, "gpt-4.1-mini", 0)
        assert origin.cost_usd == pytest.approx((origin.input_tokens * 2 + origin.output_tokens * 8) / 1e6)
        record = text.record()
        assert record is not None
        assert json.loads(json.dumps(record)) == record
    assert sum(text.provenance.cost_usd for text in texts if text and text.provenance) == pytest.approx(
        copywriter.spent.cost_usd
    )


def test_a_text_is_asked_for_once_for_all_who_share_it_in_this_run_and_in_later_ones(
    model_server: ModelServer, store: Database
) -> None:
    model_server.say(reply(times=None))
    first = writer(model_server.base_url, store)
    [one] = briefs(1)
    assert len(set(first.write([one, one, one], [0, 1, 0]))) == 2
    first.write([one], [1])
    later = writer(model_server.base_url, store)
    later.write([one, one], [0, 2])
    counts = model_server.counts()
    assert sorted(counts.answers_by_prompt.values()) == [1, 1, 1]
    assert (first.spent.answers, first.spent.reused) == (2, 1)
    assert (later.spent.answers, later.spent.reused) == (1, 1)
    # What another run has paid for is not this one's cost.
    assert later.spent.cost_usd < first.spent.cost_usd


def test_a_text_that_cannot_be_sent_is_asked_for_again_with_what_is_wrong(
    model_server: ModelServer, store: Database
) -> None:
    model_server.say(reply(BAD_ANSWER), reply())
    copywriter = writer(model_server.base_url, store)
    [text] = copywriter.write(briefs(1))
    assert text is not None
    assert (text.author, text.failures) == ("openai", ())
    first, second = model_server.questions()
    assert second[: len(first)] == first
    assert second[-2] == {"role": "assistant", "content": BAD_ANSWER}
    assert '"code": "percentage"' in second[-1]["content"]
    assert_paid_for_exactly(copywriter, model_server.counts())
    assert text.provenance is not None
    assert text.provenance.input_tokens == model_server.counts().input_tokens


@pytest.mark.parametrize(
    ("answers", "codes"),
    [
        ([reply(BAD_ANSWER, times=2)], {"percentage"}),
        ([truncated(2)], {"truncated"}),
        ([reply("I would rather talk about something else.", times=2)], {"json"}),
        ([reply(BAD_ANSWER), truncated()], {"truncated"}),
    ],
)
def test_a_text_that_fails_twice_is_the_templates_and_is_not_asked_for_again(
    model_server: ModelServer, store: Database, answers: list[dict[str, object]], codes: set[str]
) -> None:
    model_server.say(*answers, reply(times=None))
    [one] = briefs(1)
    copywriter = writer(model_server.base_url, store)
    [text] = copywriter.write([one])
    assert text is not None
    assert (text.author, text.copy) == ("template", TEMPLATE.stand_in(one))
    assert set(text.failures) >= codes
    record = text.record()
    assert record is not None
    assert record["failures"] == list(text.failures)
    assert record["output_tokens"] == model_server.counts().output_tokens
    assert_paid_for_exactly(copywriter, model_server.counts())
    assert writer(model_server.base_url, store).write([one]) == [text]
    assert model_server.counts().answers == 2


def test_a_budget_stops_the_run_and_the_next_one_goes_on(model_server: ModelServer, store: Database) -> None:
    model_server.say(reply(times=None))
    about = briefs(30)
    runs = []
    left = len(about)
    while left:
        run = writer(model_server.base_url, store, budget_tokens=20_000, concurrency=7)
        texts = run.write(about)
        assert run.spent.answers > 0
        assert run.spent.input_tokens + run.spent.output_tokens <= 20_000
        runs.append(run.spent)
        left = texts.count(None)
    assert [bool(spent.stopped) for spent in runs] == [True] * (len(runs) - 1) + [False]
    assert len(runs) > 1
    counts = model_server.counts()
    assert (counts.answers, set(counts.answers_by_prompt.values())) == (30, {1})
    assert sum(spent.input_tokens for spent in runs) == counts.input_tokens


def test_when_the_budget_is_used_up_texts_that_are_there_still_serve(
    model_server: ModelServer, store: Database
) -> None:
    model_server.say(reply(times=None))
    about = briefs(12)
    run = writer(model_server.base_url, store, budget_usd=0.004)
    texts = run.write(about)
    assert run.spent.stopped is not None
    assert run.spent.cost_usd <= 0.004
    assert 0 < texts.count(None) < 12
    assert run.write(about) == texts


def test_a_wrong_key_is_found_out_soon_and_costs_nobody_their_mail(model_server: ModelServer, store: Database) -> None:
    model_server.say(failure(401, times=None))
    about = briefs(200)
    run = writer(model_server.base_url, store, concurrency=4)
    texts = run.write(about)
    assert all(
        text == Text(TEMPLATE.stand_in(one), "template", None, ("unavailable",))
        for one, text in zip(about, texts, strict=True)
    )
    assert run.spent.stopped == "the model does not answer (status_401)"
    assert model_server.counts().statuses[401] < 10
    with store.read() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(copy_texts)).scalar_one() == 0
    assert run.write(briefs(201))[200] is not None
    assert model_server.counts().statuses[401] < 10


def test_no_more_calls_are_in_flight_than_allowed(tmp_path: Path, store: Database) -> None:
    with running_model_server(tmp_path / "log", latency_ms=50) as server:
        server.say(reply(times=None))
        writer(server.base_url, store, concurrency=6).write(briefs(40))
        assert server.counts().most_in_flight == 6


def test_the_rate_of_tokens_is_kept_to(model_server: ModelServer, store: Database) -> None:
    model_server.say(reply(times=None))
    # About 1,500 tokens a text, 5,000 a second, and 15,000 at once.
    writer(model_server.base_url, store, tokens_per_minute=300_000).write(briefs(15))
    calls = model_server.calls()
    assert calls[-1]["started_at"] - calls[0]["started_at"] > 1.4


@pytest.mark.parametrize("dies_after", [1, 7, 19])
def test_killed_between_two_answers_nothing_is_generated_twice(
    model_server: ModelServer, database: Database, dies_after: int
) -> None:
    model_server.say(reply(times=None))
    store_url = database.engine.url.render_as_string(hide_password=False)
    command = [sys.executable, "-m", "engagement_pipeline_tests.copywriting.openai.mortal_writer"]
    arguments = [model_server.base_url, store_url, "20", str(dies_after)]
    killed = subprocess.run([*command, *arguments], cwd=PROJECT_ROOT, capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    again = writer(model_server.base_url, database)
    assert all(text is not None and text.author == "openai" for text in again.write(briefs(20)))
    assert again.spent.reused == dies_after
    counts = model_server.counts()
    assert (counts.answers, set(counts.answers_by_prompt.values())) == (20, {1})


def test_of_two_runs_at_once_both_use_the_text_that_was_first(model_server: ModelServer, store: Database) -> None:
    model_server.say(reply(times=None))
    [one] = briefs(1)
    early, late = (writer(model_server.base_url, store) for _ in range(2))
    # Both have looked before either has written.
    found = TextStore(store).find([late._key(one, 0)])
    assert found == {}
    [first] = early.write([one])
    second = late._keep(late._key(one, 0), TEMPLATE.stand_in(one), (), [(Usage(1, 1), 0.1)])
    assert first is not None
    assert second.copy == first.copy


def test_a_brief_without_anything_known_is_written_for_too(model_server: ModelServer, store: Database) -> None:
    model_server.say(reply(times=None))
    [text] = writer(model_server.base_url, store).write([brief(categories=(), history="one_order", number=3)])
    assert text is not None
    assert text.author == "openai"
