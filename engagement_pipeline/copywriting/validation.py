"""What may never be sent, whoever wrote it: a deterministic check of copy against its brief and its brand.

Pure rules. A false alarm costs a rewrite, a miss a promise that the shop never made: in doubt, a rule objects.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Literal, NamedTuple

from engagement_pipeline.copywriting import wording
from engagement_pipeline.copywriting.brand import Brand
from engagement_pipeline.copywriting.brief import Brief, Silence
from engagement_pipeline.copywriting.copy import FIRST_NAME, Copy, fill
from engagement_pipeline.copywriting.names import LONGEST_NAME

Code = Literal[
    "length",
    "language",
    "placeholder",
    "placeholder_position",
    "markup",
    "url",
    "email_address",
    "percentage",
    "currency",
    "code",
    "figure",
    "offer",
    "urgency",
    "shouting",
    "forbidden_phrase",
    "category_outside_brief",
    "name_outside_brief",
    "silence_outside_brief",
    "repetition",
]


class Violation(NamedTuple):
    """One broken rule, and the field and words that break it."""

    code: Code
    detail: str


# In this order: what one pattern has found is taken out before the next one looks, so each find has one code.
_PATTERNS: tuple[tuple[Code, re.Pattern[str]], ...] = (
    ("email_address", wording.EMAIL_ADDRESS),
    ("url", wording.URL),
    ("placeholder", wording.PLACEHOLDER),
    ("markup", wording.MARKUP),
    ("percentage", wording.PERCENTAGE),
    ("currency", wording.CURRENCY),
    ("code", wording.CODE),
    ("figure", wording.FIGURE),
    ("urgency", wording.URGENCY),
    ("offer", wording.OFFER),
    ("shouting", wording.SHOUTING),
    # A word capitalised like a name: a product, a brand or a person that the brief does not know.
    ("name_outside_brief", wording.NAME),
)

_LONGEST_SUBJECT = 70
_BODY_WORDS = (25, 150)
_FUNCTION_WORD_SHARE = 0.25
_TIMES: Mapping[Silence, frozenset[str]] = {
    "about_a_month": frozenset({"a month"}),
    "about_a_season": frozenset({"a season", "a few months"}),
    "about_half_a_year": frozenset({"half a year", "several months"}),
    "most_of_a_year": frozenset({"most of a year"}),
    "over_a_year": frozenset({"over a year", "more than a year"}),
}
# Before a sign that ends a clause, or at the start: where leaving the name out leaves a sentence.
_ADDRESSING = re.compile(r"^\{\{first_name\}\}, (?=\w)|, \{\{first_name\}\}(?=[.,!?]|$)")
_GREETING = re.compile(r"^[\w ]+?,? \{\{first_name\}\}(?=[,.!]?$)")


def validate(copy: Copy, brief: Brief, brand: Brand) -> list[Violation]:
    """Return every violation; an empty list means that the copy may be sent."""
    violations = [*_lengths(copy), *_repetitions(copy), *_language(copy)]
    for field, text in _fields(copy):
        nameless = fill(text, None)
        claims = _without(nameless, _own_words(brand, brief))
        violations += _positions(field, text)
        violations += _forbidden(field, nameless, brand)
        violations += _categories(field, claims, brief, brand)
        claims = _without(claims, brief.categories)
        violations += _patterns(field, claims)
        violations += _times(field, claims, brief)
    return violations


def _fields(copy: Copy) -> Iterator[tuple[str, str]]:
    yield "subject", copy.subject
    yield "preheader", copy.preheader
    yield "greeting", copy.greeting
    for number, paragraph in enumerate(copy.paragraphs, start=1):
        yield f"paragraph {number}", paragraph
    yield "call_to_action", copy.call_to_action


def _lengths(copy: Copy) -> Iterator[Violation]:
    """Check what the shape of `Copy` cannot: the subject with the longest name in it, and the whole letter."""
    longest = fill(copy.subject, "x" * LONGEST_NAME)
    if len(longest) > _LONGEST_SUBJECT:
        yield Violation("length", f"subject: {len(longest)} characters with a long name, at most {_LONGEST_SUBJECT}")
    words = sum(len(paragraph.split()) for paragraph in copy.paragraphs)
    fewest, most = _BODY_WORDS
    if not fewest <= words <= most:
        yield Violation("length", f"paragraphs: {words} words, must be {fewest} to {most}")


def _repetitions(copy: Copy) -> Iterator[Violation]:
    seen: set[str] = set()
    for field, text in _fields(copy):
        if text.casefold() in seen:
            yield Violation("repetition", f"{field}: says the same as another field")
        seen.add(text.casefold())


def _language(copy: Copy) -> Iterator[Violation]:
    """Recognise English by its alphabet and by its share of function words."""
    text = fill(" ".join(copy.paragraphs), None)
    foreign = [c for c in text if not c.isascii() and c.isalpha() and not unicodedata.name(c).startswith("LATIN ")]
    if foreign:
        yield Violation("language", f"paragraphs: {foreign[0]!r} is no Latin letter")
    share = len(wording.FUNCTION_WORD.findall(text)) / len(text.split())
    if share < _FUNCTION_WORD_SHARE:
        yield Violation("language", f"paragraphs: only {share:.0%} of the words are those that English is made of")


def _positions(field: str, text: str) -> Iterator[Violation]:
    """Allow the name once a field, where the text still reads well when it is left out."""
    count = text.count(FIRST_NAME)
    pattern = _GREETING if field == "greeting" else _ADDRESSING
    if count > 1 or (count == 1 and (field == "call_to_action" or not pattern.search(text))):
        yield Violation("placeholder_position", f"{field}: does not read well without the name")


def _patterns(field: str, claims: str) -> Iterator[Violation]:
    for code, pattern in _PATTERNS:
        found = [match.group().strip() for match in pattern.finditer(claims)]
        if found:
            yield from (Violation(code, f"{field}: {words!r}") for words in found)
            claims = pattern.sub(" ", claims)


def _times(field: str, claims: str, brief: Brief) -> Iterator[Violation]:
    for match in wording.STATED_TIME.finditer(claims):
        if match.group().casefold() not in _TIMES[brief.silence]:
            yield Violation("silence_outside_brief", f"{field}: {match.group()!r} is not {brief.silence}")


def _forbidden(field: str, text: str, brand: Brand) -> Iterator[Violation]:
    plain = " ".join(text.replace("’", "'").split())
    phrases = tuple(phrase.replace("’", "'") for phrase in brand.forbidden_phrases)
    for match in _phrases(phrases).finditer(plain):
        yield Violation("forbidden_phrase", f"{field}: {match.group()!r}")


def _categories(field: str, claims: str, brief: Brief, brand: Brand) -> Iterator[Violation]:
    forms = _category_forms(tuple(category.name for category in brand.categories))
    for match in _phrases(tuple(forms)).finditer(claims):
        name = forms[match.group().casefold()]
        if name not in brief.categories:
            yield Violation("category_outside_brief", f"{field}: {match.group()!r}")


def _own_words(brand: Brand, brief: Brief) -> tuple[str, ...]:
    """Return what the brand itself says: texts that need no proof."""
    ideas = (category.idea for category in brand.categories if category.name in brief.categories)
    return (brand.name, brand.team, *brand.promises, *ideas)


def _without(text: str, phrases: tuple[str, ...]) -> str:
    """Replace phrases by a word that no rule minds, so that the sentence around them keeps its shape."""

    def neutral(match: re.Match[str]) -> str:
        return "it" + (match.group()[-1] if match.group()[-1] in ".!?" else "")

    return _phrases(phrases).sub(neutral, text)


@lru_cache(maxsize=4096)
def _phrases(phrases: tuple[str, ...]) -> re.Pattern[str]:
    longest_first = sorted((re.escape(phrase) for phrase in phrases), key=len, reverse=True)
    return re.compile(rf"(?<!\w)(?:{'|'.join(longest_first) or '(?!)'})(?!\w)", re.IGNORECASE)


@lru_cache(maxsize=16)
def _category_forms(names: tuple[str, ...]) -> dict[str, str]:
    """Map the ways to write a category, in the singular too, to its name."""
    forms = {}
    for name in names:
        for form in (name, re.sub(r"(?<=ss|sh|ch)es$|(?<=xe|ze)s$|(?<![su])s$", "", name)):
            forms[form.casefold()] = name
    return forms
