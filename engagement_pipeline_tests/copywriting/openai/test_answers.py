"""What is made of an answer: copy that may be sent, or codes that say why not."""

import json
from typing import Any

import pytest

from engagement_pipeline.copywriting.copy import Copy
from engagement_pipeline.copywriting.openai.answers import Answer, Usage, read_answer, total
from engagement_pipeline_tests.copywriting.samples import brand, brief
from engagement_pipeline_tests.model_server import GOOD_ANSWER

BRAND = brand()


def answer(content: str | None, finish_reason: str = "stop", refusal: str | None = None) -> Answer:
    return Answer(content, refusal, finish_reason, Usage(1, 1))


def changed(**changes: Any) -> str:
    fields = {**json.loads(GOOD_ANSWER), **changes}
    return json.dumps({name: value for name, value in fields.items() if value is not None})


def codes(given: Answer) -> list[str]:
    read = read_answer(given, brief(), BRAND)
    assert isinstance(read, list), read
    return [fault.code for fault in read]


def test_a_good_answer_is_copy() -> None:
    copy = read_answer(answer(GOOD_ANSWER), brief(), BRAND)
    assert isinstance(copy, Copy)
    assert copy.reasons == ("silence",)


@pytest.mark.parametrize(
    ("given", "code"),
    [
        (answer(None, refusal="I cannot help with that."), "refusal"),
        (answer(GOOD_ANSWER, refusal="I cannot help with that."), "refusal"),
        (answer(None, "content_filter"), "refusal"),
        (answer(GOOD_ANSWER, "length"), "truncated"),
        (answer(GOOD_ANSWER[:150]), "json"),
        (answer("Sure! Here is the e-mail:"), "json"),
        (answer(""), "json"),
        (answer(None), "json"),
        (answer("[]"), "shape"),
        (answer(changed(subject=7)), "shape"),
        (answer(changed(subject="Two\nlines of subject")), "shape"),
        (answer(changed(postscript="One more thing")), "shape"),
        (answer(changed(preheader=None)), "shape"),
        (answer(changed(reasons=None)), "shape"),
        (answer(changed(subject="x" * 71)), "length"),
        (answer(changed(paragraphs=["It's been about a season since your last order."])), "length"),
        (answer(changed(subject="Take 20% off, {{first_name}}")), "percentage"),
    ],
)
def test_each_fault_has_its_code(given: Answer, code: str) -> None:
    assert codes(given) == [code]


def test_a_fact_that_the_brief_does_not_have_is_no_reason() -> None:
    assert len(codes(answer(changed(reasons=["silence", "offer:everything"])))) == 1


def test_faults_of_shape_do_not_repeat_the_answer() -> None:
    read = read_answer(answer(changed(subject="Ada Lovelace " * 20)), brief(), BRAND)
    assert "Ada" not in str(read)


def test_usages_add_up() -> None:
    assert total([Usage(1, 2), Usage(10, 20)]) == Usage(11, 22)
