import json
from typing import Any

import pytest
from pydantic import ValidationError

from engagement_pipeline.copywriting.copy import Copy, fill
from engagement_pipeline_tests.copywriting.samples import GOOD, copy


@pytest.mark.parametrize(
    ("text", "with_name", "without"),
    [
        ("Hello {{first_name}},", "Hello Ann,", "Hello,"),
        ("Hello, {{first_name}}!", "Hello, Ann!", "Hello!"),
        ("It's been a while, {{first_name}}", "It's been a while, Ann", "It's been a while"),
        ("{{first_name}}, what is new?", "Ann, what is new?", "What is new?"),
        ("A thank-you, {{first_name}}, and an idea", "A thank-you, Ann, and an idea", "A thank-you, and an idea"),
        ("What's new with you, {{first_name}}?", "What's new with you, Ann?", "What's new with you?"),
        ("No name here", "No name here", "No name here"),
    ],
)
def test_texts_read_well_with_and_without_a_name(text: str, with_name: str, without: str) -> None:
    assert fill(text, "Ann") == with_name
    assert fill(text, None) == without


def test_personalised_fills_every_field_and_keeps_the_original() -> None:
    original = copy(first="{{first_name}}, it's been about a season since your last order with us.")
    filled = original.personalised("Ann")
    assert "{{" not in filled.model_dump_json()
    assert filled.paragraphs[0].startswith("Ann, it's")
    assert original.subject == GOOD["subject"]


def test_a_copy_survives_the_ledgers_json() -> None:
    stored = json.loads(json.dumps(copy().model_dump(mode="json")))
    assert Copy.model_validate(stored) == copy()


@pytest.mark.parametrize(
    "changes",
    [
        {"subject": "Short"},
        {"subject": "x" * 71},
        {"subject": "A subject\nwith a second line"},
        {"subject": "A subject\r\nBcc: all@example.com"},
        {"subject": "A subject\u2028with a separator"},
        {"subject": "A subject \u202ereversed"},
        {"subject": " A subject after a space"},
        {"subject": 12345678},
        {"preheader": "Too short."},
        {"preheader": "x" * 111},
        {"greeting": ""},
        {"greeting": "x" * 41},
        {"paragraphs": ("Only one paragraph in the whole letter.",)},
        {"paragraphs": ("A paragraph that is long enough.",) * 4},
        {"paragraphs": ("Too short.", "A paragraph that is long enough.")},
        {"paragraphs": ("A paragraph that is long enough.", "x" * 401)},
        {"call_to_action": "Go"},
        {"call_to_action": "x" * 31},
        {"reasons": "none"},
    ],
)
def test_what_is_not_shaped_like_an_email_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        copy(**changes)
