"""The words of the validator, each held in its place: none can go without a test that fails."""

import re
from collections.abc import Sequence

import pytest
from pydantic import ValidationError

from engagement_pipeline.copywriting import wording
from engagement_pipeline.copywriting.catalogue import Offer
from engagement_pipeline.copywriting.facts import facts_of
from engagement_pipeline.copywriting.rules import claims
from engagement_pipeline.copywriting.validation import validate
from engagement_pipeline_tests.copywriting.alternatives import without_each_alternative
from engagement_pipeline_tests.copywriting.copies import BRAND, SEASON
from engagement_pipeline_tests.copywriting.samples import brief, copy
from engagement_pipeline_tests.copywriting.words import (
    CLAIMS,
    FOREIGN,
    NO_CLAIMS,
    NOT_SWEEPING,
    ORDERS,
    PLAIN_LABELS,
    SENTENCE,
    SMALL_WORDS,
    SWEEPING,
    TO_A_MACHINE,
    TO_CLIENTS,
    listed,
)

PATTERNS: dict[str, re.Pattern[str]] = {**dict(claims.PATTERNS), "silence_outside_brief": wording.STATED_TIME}
KNITTED = brief(
    categories=("dresses", "knitwear"),
    offers=(Offer(id="a", text="15% off knitwear with the code COZY15", code="COZY15", percent=15),),
)
ALL_SMALL_WORDS = [word for sentence in SMALL_WORDS for word in re.findall(r"\w+", sentence)]


def finds(pattern: re.Pattern[str], words: str) -> bool:
    """Whether it finds these words in a sentence, and no others."""
    return [found.group().strip() for found in pattern.finditer(SENTENCE.format(words))] == [words]


def missed(pattern: re.Pattern[str], words: Sequence[str], innocent: Sequence[str] = ()) -> list[str]:
    """Name the alternatives of a pattern without which nothing would be different."""
    return [
        alternative
        for alternative, rest in without_each_alternative(pattern)
        if all(finds(rest, each) for each in words) and not any(rest.search(SENTENCE.format(each)) for each in innocent)
    ]


def codes(words: str) -> set[str]:
    return {violation.code for violation in validate(copy(first=SENTENCE.format(words)), SEASON, BRAND)}


@pytest.mark.parametrize(("code", "claim"), [(code, claim) for code in CLAIMS for claim in listed(CLAIMS[code])])
def test_every_way_to_claim_it_is_found(code: str, claim: str) -> None:
    assert finds(PATTERNS[code], claim)
    assert codes(claim) == {code}


@pytest.mark.parametrize(("code", "words"), [(code, words) for code in NO_CLAIMS for words in listed(NO_CLAIMS[code])])
def test_what_only_looks_like_a_claim_is_none(code: str, words: str) -> None:
    assert not PATTERNS[code].search(SENTENCE.format(words))


@pytest.mark.parametrize("code", PATTERNS)
def test_each_alternative_of_a_pattern_is_needed(code: str) -> None:
    # A heading stands at the beginning, see below.
    expected = ["^#+ "] if code == "markup" else []
    assert missed(PATTERNS[code], listed(CLAIMS[code]), listed(NO_CLAIMS.get(code, "here"))) == expected


@pytest.mark.parametrize("signs", ["#", "##"])
def test_a_heading_is_markup_and_a_hash_elsewhere_is_not(signs: str) -> None:
    found = validate(copy(first=f"{signs} We would love to see you here again, if you like."), SEASON, BRAND)
    assert [violation.detail for violation in found] == [f"paragraph 1: {signs!r}"]
    assert codes(f"{signs} as it is") == set()


@pytest.mark.parametrize("word", [word for language in FOREIGN for word in language.split()])
def test_two_words_of_another_language_are_too_many_and_one_is_not(word: str) -> None:
    assert codes(f"{word} {word.capitalize()}") >= {"language"}
    assert codes(word) == set()


def test_each_foreign_word_is_needed() -> None:
    assert missed(wording.FOREIGN_WORD, [word for language in FOREIGN for word in language.split()]) == []


def test_english_is_known_by_its_small_words() -> None:
    assert wording.FUNCTION_WORD.findall(" ".join(SMALL_WORDS)) == ALL_SMALL_WORDS
    unneeded = [
        word
        for word, rest in without_each_alternative(wording.FUNCTION_WORD)
        if rest.findall(" ".join(SMALL_WORDS)) == ALL_SMALL_WORDS
    ]
    assert unneeded == []


@pytest.mark.parametrize("label", listed(ORDERS))
def test_an_order_that_a_user_typed_is_neither_told_nor_repeated(label: str) -> None:
    about = brief(other_interests=(label,))
    assert "interest:1" not in dict(facts_of(about, BRAND))
    found = validate(copy(first=SENTENCE.format(label)), about, BRAND)
    assert "interest_echoed" in {violation.code for violation in found}


@pytest.mark.parametrize("label", listed(PLAIN_LABELS))
def test_a_plain_label_is_told(label: str) -> None:
    assert "interest:1" in dict(facts_of(brief(other_interests=(label,)), BRAND))


def test_each_word_of_an_order_is_needed() -> None:
    labels = listed(ORDERS)
    for alternative, rest in without_each_alternative(wording.SUSPICIOUS_LABEL):
        assert not all(rest.search(label) for label in labels), alternative


@pytest.mark.parametrize("words", listed(TO_A_MACHINE))
def test_a_catalogue_does_not_speak_to_machines(words: str) -> None:
    assert finds(wording.INSTRUCTION, words)
    with pytest.raises(ValidationError, match="must be words for clients"):
        Offer(id="a", text=SENTENCE.format(words))


@pytest.mark.parametrize("words", listed(TO_CLIENTS))
def test_words_that_only_look_like_an_order_may_be_said(words: str) -> None:
    assert not wording.INSTRUCTION.search(SENTENCE.format(words))


def test_each_word_to_a_machine_is_needed() -> None:
    assert missed(wording.INSTRUCTION, listed(TO_A_MACHINE)) == []


@pytest.mark.parametrize("words", [*listed(SWEEPING), "orders", "purchases"])
def test_an_offer_does_not_grow(words: str) -> None:
    good, grown = (copy(first=SENTENCE.format(f"15% off knitwear, as on {what}")) for what in ("it", words))
    assert validate(good, KNITTED, BRAND) == []
    assert {violation.code for violation in validate(grown, KNITTED, BRAND)} == {"offer_scope"}


@pytest.mark.parametrize("words", listed(NOT_SWEEPING))
def test_words_that_only_look_sweeping_are_not(words: str) -> None:
    assert not wording.SWEEPING.search(SENTENCE.format(words))


def test_each_sweeping_word_is_needed() -> None:
    assert missed(wording.SWEEPING, listed(SWEEPING)) == []


@pytest.mark.parametrize("sign", [*",;:)’'–—-"])
def test_a_name_is_found_behind_any_sign_that_does_not_end_a_sentence(sign: str) -> None:
    found = validate(copy(first=f"We would love to see you here again{sign} Sarah would as well."), SEASON, BRAND)
    assert [violation.code for violation in found] == ["name_outside_brief"]
