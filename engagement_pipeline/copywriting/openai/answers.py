"""What a model must answer, and what is made of an answer: copy, or the faults that keep it from being sent."""

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from pydantic import ValidationError

from engagement_pipeline.copywriting.brand import Brand
from engagement_pipeline.copywriting.brief import Brief
from engagement_pipeline.copywriting.copy import Copy
from engagement_pipeline.copywriting.validation import validate

_LENGTH_ERRORS = frozenset({"string_too_short", "string_too_long", "too_short", "too_long"})


class Fault(NamedTuple):
    """One thing that is wrong with an answer: a code of the validator, or one of these.

    `refusal`: the model or its provider declined. `truncated`: cut off before its end. `json`: no JSON.
    `shape`: not the fields that were asked for. `length`: a field that is too short or too long.
    """

    code: str
    detail: str


class Usage(NamedTuple):
    """Tokens of one call, as its provider counts them."""

    input_tokens: int
    output_tokens: int


def total(usages: Iterable[Usage]) -> Usage:
    """Add up."""
    return Usage(*(sum(tokens) for tokens in zip(*usages, strict=True)))


class Answer(NamedTuple):
    """What came back for one call.

    Attributes:
        content: the model's words; None where it has none.
        refusal: why it declines, where it does.
        finish_reason: `stop`, or why it ended early.
        usage: what is paid for it.
    """

    content: str | None
    refusal: str | None
    finish_reason: str
    usage: Usage


def read_answer(answer: Answer, brief: Brief, brand: Brand) -> Copy | list[Fault]:
    """Return the copy, where it may be sent, or everything that is wrong with it."""
    if answer.refusal or answer.finish_reason == "content_filter":
        return [Fault("refusal", "no answer to what was asked")]
    if answer.finish_reason == "length":
        return [Fault("truncated", "the answer was cut off: be much shorter")]
    try:
        copy = Copy.model_validate_json(answer.content or "")
    except ValidationError as error:
        return _faults(error)
    if "reasons" not in copy.model_fields_set:
        return [Fault("shape", "reasons: is missing")]
    return [Fault(violation.code, violation.detail) for violation in validate(copy, brief, brand)] or copy


def _faults(error: ValidationError) -> list[Fault]:
    """Put pydantic's errors into codes, without repeating the answer: it may hold anything."""
    faults = []
    for detail in error.errors(include_input=False, include_url=False, include_context=False):
        if detail["type"] == "json_invalid":
            return [Fault("json", "the answer is no JSON")]
        field = ".".join(str(part) for part in detail["loc"])
        faults.append(Fault("length" if detail["type"] in _LENGTH_ERRORS else "shape", f"{field}: {detail['msg']}"))
    return faults


def _answer_format() -> dict[str, Any]:
    """Describe `Copy` as strict structured output wants it: every field required, and limits in words only."""
    fields = Copy.model_json_schema()["properties"]
    properties = {name: _described(field) for name, field in fields.items()}
    schema = {"type": "object", "properties": properties, "required": [*properties], "additionalProperties": False}
    return {"type": "json_schema", "json_schema": {"name": "email", "strict": True, "schema": schema}}


def _described(field: dict[str, Any]) -> dict[str, Any]:
    if field["type"] == "array":
        limits = f"{field.get('minItems', 0)} to {field['maxItems']} items."
        kept: dict[str, Any] = {"type": "array", "items": _described(field["items"])}
    else:
        limits = f"{field.get('minLength', 1)} to {field['maxLength']} characters."
        kept = {"type": "string"}
    return {**kept, "description": " ".join(filter(None, (field.get("description"), limits)))}


ANSWER_FORMAT: Final = _answer_format()
