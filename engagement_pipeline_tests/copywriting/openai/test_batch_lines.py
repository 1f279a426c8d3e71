"""Lines of a batch: always the same for the same request, and read whatever they hold."""

import json
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engagement_pipeline.copywriting.brief import Brief
from engagement_pipeline.copywriting.catalogue import Item, Offer
from engagement_pipeline.copywriting.openai.answers import Usage
from engagement_pipeline.copywriting.openai.batch_lines import Questions, answer_in, read_line
from engagement_pipeline.copywriting.openai.prompt import Prompt
from engagement_pipeline.copywriting.openai.requests import Request
from engagement_pipeline.copywriting.openai.texts import TextKey
from engagement_pipeline_tests.copywriting.openai.parts import BRAND
from engagement_pipeline_tests.copywriting.samples import brief

QUESTIONS = Questions(Prompt(BRAND), "some-model", 1_000)
MOST = Usage(111, 222)

ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["custom_id", "response", "error", "status_code", "body", "code", "choices", "message", "usage", "x"]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)


def request(about: Brief, number: int = 0) -> Request:
    return Request(TextKey(about.fingerprint, QUESTIONS.prompt_version, "some-model", number), about)


def completion(**changes: Any) -> dict[str, Any]:
    message = {"role": "assistant", "content": "Hello", "refusal": None}
    usage = {"prompt_tokens": 10, "completion_tokens": 3}
    return {"choices": [{"message": message, "finish_reason": "stop"}], "usage": usage, **changes}


def result(**changes: Any) -> bytes:
    response = {"status_code": 200, "request_id": "r", "body": completion()}
    return json.dumps(
        {"id": "1", "custom_id": f"{'a' * 32}-2", "response": response, "error": None, **changes}
    ).encode()


def test_a_question_is_one_line_and_always_the_same() -> None:
    about = brief(
        other_interests=("süßes",),
        items=(Item(sku="d-1", name="The linen dress", category="dresses"),),
        offers=(Offer(id="o-1", text="Free alterations on dresses.", until=date(2026, 3, 31)),),
    )
    line = QUESTIONS.line(request(about, 2))
    assert line == QUESTIONS.line(request(Brief.model_validate_json(about.model_dump_json()), 2))
    assert line.count(b"\n") == 1
    assert line.isascii()
    read = json.loads(line)
    assert read["custom_id"] == f"{about.fingerprint}-2"
    assert read["body"]["model"] == "some-model"
    assert "version 2" in read["body"]["messages"][-1]["content"]


def test_an_answer_is_read() -> None:
    line = read_line(result())
    assert (line.name, line.code) == (("a" * 32, 2), "")
    answer = answer_in(line.body, lambda: MOST)
    assert answer is not None
    assert (answer.content, answer.refusal, answer.finish_reason, answer.usage) == ("Hello", None, "stop", Usage(10, 3))


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (result(response=None, error={"code": "batch_expired", "message": "too late"}), "batch_expired"),
        (result(response={"status_code": 429, "body": {"error": {}}}), "status_429"),
        (result(error={"code": "odd <b>\u202e"}), "oddb"),
        (result(response={"status_code": 200}), "unreadable"),
        (result(response=None), "unreadable"),
        (b"{half a li", "unreadable"),
        (b"[]", "unreadable"),
        (b"\xff\xfe", "unreadable"),
    ],
)
def test_a_line_without_an_answer_says_why(line: bytes, code: str) -> None:
    read = read_line(line)
    assert (read.body, read.code) == (None, code)


@pytest.mark.parametrize("custom_id", ["", "-", "abc", "abc-", "-1", "abc-x", "abc-²", None, 7, {}, "abc--1-"])
def test_what_has_another_name_is_nobodys(custom_id: Any) -> None:
    assert read_line(result(custom_id=custom_id)).name is None


@pytest.mark.parametrize(
    "body", [{}, [], None, "no", {"choices": []}, {"choices": [{}]}, {"choices": [{"message": None}]}]
)
def test_what_is_no_answer_is_none(body: Any) -> None:
    assert answer_in(body, lambda: MOST) is None


def test_an_answer_that_nobody_has_counted_costs_the_most() -> None:
    answer = answer_in(completion(usage=None), lambda: MOST)
    assert answer is not None
    assert answer.usage == MOST


def test_a_count_that_is_no_number_makes_it_no_answer() -> None:
    line = read_line(result(response={"status_code": 200, "body": completion(usage=None)}))
    line.body["usage"] = json.loads('{"prompt_tokens": 1e999, "completion_tokens": 3}')
    assert answer_in(line.body, lambda: MOST) is None


@settings(deadline=None)
@given(ANY_JSON)
def test_nothing_that_a_provider_may_say_raises(said: Any) -> None:
    line = read_line(json.dumps(said).encode())
    answer_in(line.body, lambda: MOST)
    answer_in(said, lambda: MOST)


@settings(deadline=None)
@given(st.binary(max_size=40))
def test_nor_does_any_noise(said: bytes) -> None:
    read_line(said)
