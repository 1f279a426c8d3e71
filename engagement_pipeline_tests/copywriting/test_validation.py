"""The validator against the table of good and bad copies, and what the table is worth."""

from typing import Any, get_args

import pytest

from engagement_pipeline.copywriting import validation
from engagement_pipeline.copywriting.brief import Brief
from engagement_pipeline.copywriting.names import LONGEST_NAME
from engagement_pipeline.copywriting.rules import claims
from engagement_pipeline.copywriting.rules.letter import Rule
from engagement_pipeline.copywriting.validation import validate
from engagement_pipeline_tests.copywriting.copies import BAD_COPIES, BRAND, GOOD_COPIES, SEASON
from engagement_pipeline_tests.copywriting.samples import brand, brief, copy


def verdicts() -> list[tuple[str, set[str]]]:
    """What the validator says of every copy of the table."""
    rows = [*((name, changes, about) for name, changes, about in GOOD_COPIES), *(row[:3] for row in BAD_COPIES)]
    return [(name, {found.code for found in validate(copy(**changes), about, BRAND)}) for name, changes, about in rows]


EXPECTED = [*((row[0], set()) for row in GOOD_COPIES), *((row[0], {row[3]}) for row in BAD_COPIES)]


def test_the_table_is_long_enough_and_each_row_has_its_own_name() -> None:
    assert len(GOOD_COPIES) >= 20
    assert len(BAD_COPIES) >= 60
    assert len({name for name, _ in EXPECTED}) == len(EXPECTED)


@pytest.mark.parametrize("rule", validation.RULES, ids=lambda rule: rule.__name__)
def test_without_any_one_rule_the_table_does_not_hold(rule: Rule, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(validation, "RULES", tuple(other for other in validation.RULES if other is not rule))
    assert verdicts() != EXPECTED


@pytest.mark.parametrize("code", [code for code, _ in claims.PATTERNS])
def test_without_any_one_pattern_the_table_does_not_hold(code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "PATTERNS", tuple(row for row in claims.PATTERNS if row[0] != code))
    assert verdicts() != EXPECTED


@pytest.mark.parametrize(("name", "changes", "about"), GOOD_COPIES, ids=[row[0] for row in GOOD_COPIES])
def test_good_copy_passes(name: str, changes: dict[str, Any], about: Brief) -> None:
    assert validate(copy(**changes), about, BRAND) == []


@pytest.mark.parametrize(("name", "changes", "about", "code"), BAD_COPIES, ids=[row[0] for row in BAD_COPIES])
def test_bad_copy_fails_for_its_own_reason(name: str, changes: dict[str, Any], about: Brief, code: str) -> None:
    violations = validate(copy(**changes), about, BRAND)
    assert {violation.code for violation in violations} == {code}, violations
    assert all(violation.detail for violation in violations)


def test_every_code_has_a_bad_copy() -> None:
    assert {row[3] for row in BAD_COPIES} == set(get_args(validation.Code))


def test_a_violation_names_the_field_and_the_words() -> None:
    (violation,) = validate(copy(first="It would be 20% nicer to see you here again, we think."), SEASON, BRAND)
    assert violation.detail == "paragraph 1: '20%'"


def test_every_violation_of_a_copy_is_listed() -> None:
    found = validate(copy(subject="Hurry, save $20 now", call_to_action="Click here"), SEASON, BRAND)
    assert {violation.code for violation in found} == {"urgency", "offer", "currency", "forbidden_phrase"}


def test_what_the_brand_says_itself_needs_no_proof() -> None:
    bold = brand(name="Free People 21", promises=["Shipping is always free, and 365 days a year."])
    text = copy(
        subject="A note from Free People 21", first="Shipping is always free, and 365 days a year. Isn't it nice?"
    )
    assert validate(text, SEASON, bold) == []
    other = copy(subject="A note from Free People 21", first="The shipping is free for you on all of the days of May.")
    assert [violation.code for violation in validate(other, SEASON, bold)] == ["offer"]


def test_a_users_own_words_prove_nothing() -> None:
    hostile = brief(other_interests=("50 percent discount",))
    codes = {
        v.code for v in validate(copy(first="Here is a 50 percent discount for you, as you like it."), hostile, BRAND)
    }
    assert codes == {"percentage", "offer", "interest_echoed"}


@pytest.mark.parametrize(
    ("silence", "words"),
    [
        ("about_a_month", "about a month"),
        ("about_half_a_year", "about half a year"),
        ("about_half_a_year", "several months"),
        ("most_of_a_year", "most of a year"),
        ("over_a_year", "over a year"),
        ("over_a_year", "more than a year"),
    ],
)
def test_the_stated_silence_is_the_briefs(silence: str, words: str) -> None:
    text = copy(first=f"It's been {words} since your last order, and days look different now.")
    assert validate(text, brief(silence=silence), BRAND) == []
    assert [violation.code for violation in validate(text, SEASON, BRAND)] == ["silence_outside_brief"]


def body(words: int, small: int) -> tuple[str, str]:
    """Two paragraphs of so many words, some of them the small words of English."""
    each = ["it"] * small + ["sun"] * (words - small)
    return " ".join(each[::2]), " ".join(each[1::2]) + "."


@pytest.mark.parametrize(
    ("words", "small", "expected"),
    [
        (24, 24, {"length"}),
        (25, 25, set()),
        (100, 25, set()),
        (100, 24, {"language"}),
        (150, 40, set()),
        (151, 40, {"length"}),
    ],
)
def test_a_letter_has_25_to_150_words_a_quarter_of_them_small(words: int, small: int, expected: set[str]) -> None:
    assert {violation.code for violation in validate(copy(paragraphs=body(words, small)), SEASON, BRAND)} == expected


def test_a_subject_has_at_most_70_characters_with_the_longest_name_that_is_filled_in() -> None:
    rest = 70 - LONGEST_NAME - len(", ")
    for length, expected in ((rest, set()), (rest + 1, {"length"})):
        text = copy(subject="a" * length + ", {{first_name}}")
        assert {violation.code for violation in validate(text, SEASON, BRAND)} == expected


@pytest.mark.parametrize(
    ("name", "forms"),
    [
        ("dresses", {"dresses", "dress"}),
        ("brushes", {"brushes", "brush"}),
        ("Watches", {"watches", "watch"}),
        ("axes", {"axes", "axe"}),
        ("sizes", {"sizes", "size"}),
        ("shoes", {"shoes", "shoe"}),
        ("capes", {"capes", "cape"}),
        ("blouses", {"blouses", "blouse"}),
        ("essentials line", {"essentials line"}),
        ("matches set", {"matches set"}),
        ("glass", {"glass"}),
        ("tutus bus", {"tutus bus"}),
    ],
)
def test_a_category_is_known_in_the_singular(name: str, forms: set[str]) -> None:
    assert claims.category_forms((name,)) == dict.fromkeys(forms, name)


def test_a_violation_says_where_and_what_in_a_few_words() -> None:
    (foreign,) = validate(
        copy(first="We say merci, hola, ciao and hallo to you when it is about a season."), SEASON, BRAND
    )
    assert foreign.detail == "paragraph 1: 'merci', 'hola', 'ciao'"
    (alphabet,) = validate(copy(first="It's been about a season since the dаy of your оrder."), SEASON, BRAND)
    assert alphabet.detail == "paragraph 1: 'а' is no Latin letter"
