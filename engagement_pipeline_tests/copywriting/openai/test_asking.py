"""One question to a real server that refuses, stalls and fails: how often it is asked again, and when."""

import asyncio
import itertools
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx2
import openai
import pytest

from engagement_pipeline.copywriting.openai import asking
from engagement_pipeline.copywriting.openai.answers import Answer
from engagement_pipeline.copywriting.openai.asking import MOST_TRIES, Asker, NoAnswerError
from engagement_pipeline_tests.model_server import GOOD_ANSWER, ModelServer, failure, reply, truncated

QUESTION = [{"role": "user", "content": "What shall we write? " * 10}]

pytestmark = pytest.mark.integration


class Waits:
    """Counts waits instead of waiting."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


def ask(base_url: str, waits: Waits | None = None, timeout: float = 10) -> Answer:
    async def once() -> Answer:
        async with openai.AsyncOpenAI(api_key="any", base_url=base_url, max_retries=0, timeout=timeout) as client:
            return await Asker(client, "some-model", 1_000, waits or asyncio.sleep).ask(QUESTION)

    return asyncio.run(once())


def test_an_answer_comes_with_its_tokens(model_server: ModelServer) -> None:
    model_server.say(reply(), truncated())
    answer = ask(model_server.base_url)
    counts = model_server.counts()
    assert (answer.content, answer.finish_reason, answer.refusal) == (GOOD_ANSWER, "stop", None)
    assert answer.usage == (counts.input_tokens, counts.output_tokens)
    assert ask(model_server.base_url).finish_reason == "length"
    [body, _] = [call["body"] for call in model_server.calls()]
    assert (body["model"], body["max_completion_tokens"]) == ("some-model", 1_000)
    assert body["response_format"]["json_schema"]["strict"] is True


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 504])
def test_what_may_pass_is_asked_again(model_server: ModelServer, status: int) -> None:
    model_server.say(failure(status, times=2), reply())
    assert ask(model_server.base_url, Waits()).content == GOOD_ANSWER
    assert model_server.counts().statuses == {status: 2, 200: 1}


def test_retry_after_is_waited_for(model_server: ModelServer) -> None:
    model_server.say(failure(429, times=2, retry_after=0.7), reply())
    ask(model_server.base_url)
    calls = model_server.calls()
    gaps = [after["started_at"] - before["ended_at"] for before, after in itertools.pairwise(calls)]
    assert len(gaps) == 2
    assert all(gap >= 0.69 for gap in gaps)


def test_without_it_the_wait_grows_until_patience_ends() -> None:
    waits = Waits()
    with pytest.raises(NoAnswerError, match="connection"):
        ask("http://127.0.0.1:9/v1", waits)
    assert len(waits.seconds) == MOST_TRIES - 1
    assert all(0.25 * 2**tries <= seconds <= 20 for tries, seconds in enumerate(waits.seconds[:6]))
    assert sum(waits.seconds) <= asking.PATIENCE_SECONDS


def test_a_provider_that_fails_for_ever_is_given_up(model_server: ModelServer) -> None:
    model_server.say(failure(500, times=None))
    with pytest.raises(NoAnswerError, match="status_500"):
        ask(model_server.base_url, Waits())
    assert model_server.counts().statuses == {500: MOST_TRIES}


def test_a_wait_longer_than_patience_is_not_begun(model_server: ModelServer) -> None:
    waits = Waits()
    model_server.say(failure(429, times=None, retry_after=3_600))
    with pytest.raises(NoAnswerError, match="status_429"):
        ask(model_server.base_url, waits)
    assert waits.seconds == []


@pytest.mark.parametrize(
    ("status", "code"), [(400, None), (401, None), (403, None), (404, None), (422, None), (429, "insufficient_quota")]
)
def test_what_will_not_pass_is_asked_once(model_server: ModelServer, status: int, code: str | None) -> None:
    model_server.say(failure(status, times=None, code=code))
    with pytest.raises(NoAnswerError, match=f"status_{status}"):
        ask(model_server.base_url, Waits())
    assert model_server.counts().statuses == {status: 1}


def test_an_answer_that_takes_too_long_is_asked_for_again(model_server: ModelServer) -> None:
    model_server.say({"type": "delay", "seconds": 1.5, "times": 1}, reply(times=2))
    assert ask(model_server.base_url, Waits(), timeout=0.3).content == GOOD_ANSWER
    # Asking for them waits until the slow one has ended as well.
    assert len(model_server.questions()) == 2


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("text/html", b"<html>Please log in.</html>"),
        ("application/json", b"{not json"),
        ("application/json", b"{}"),
        ("application/json", b"[]"),
        ("application/json", b'{"choices": []}'),
        ("application/json", b'{"choices": [{"message": null, "finish_reason": "stop"}]}'),
    ],
)
def test_what_is_no_answer_at_all_is_given_up(kind: str, content: bytes) -> None:
    with saying(kind, content) as base_url, pytest.raises(NoAnswerError, match="unreadable"):
        ask(base_url, Waits())


def test_a_server_that_does_not_count_is_reckoned_with_at_the_most() -> None:
    content = json.dumps({"choices": [{"message": {"content": GOOD_ANSWER}, "finish_reason": "stop"}]}).encode()
    with saying("application/json", content) as base_url:
        answer = ask(base_url)
    assert answer.content == GOOD_ANSWER
    assert answer.usage == (len(QUESTION[0]["content"]) // 3, 1_000)


@contextmanager
def saying(kind: str, content: bytes) -> Iterator[str]:
    """Run a server that says the same to everything."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(200)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/v1"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7),
        ({"retry-after": "0"}, 0),
        ({"retry-after": "-3"}, 0),
        ({"retry-after-ms": "1500", "retry-after": "2"}, 1.5),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0),
    ],
)
def test_retry_after_is_read_in_every_form(headers: dict[str, str], seconds: float | None) -> None:
    assert asking._retry_after(refused(headers)) == seconds


def test_a_date_to_come_back_at_is_understood() -> None:
    moment = datetime.now(timezone.utc) + timedelta(seconds=90)
    seconds = asking._retry_after(refused({"retry-after": format_datetime(moment, usegmt=True)}))
    assert seconds is not None
    assert 85 < seconds <= 90


def refused(headers: dict[str, str]) -> openai.APIStatusError:
    request = httpx2.Request("POST", "http://127.0.0.1/v1")
    return openai.RateLimitError("no", response=httpx2.Response(429, headers=headers, request=request), body=None)
