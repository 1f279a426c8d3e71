"""Claims: nothing is promised, named or hurried that the brief and the brand do not say themselves."""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple

from engagement_pipeline.copywriting import wording
from engagement_pipeline.copywriting.brand import Brand
from engagement_pipeline.copywriting.brief import Silence
from engagement_pipeline.copywriting.facts import facts_of
from engagement_pipeline.copywriting.rules.letter import Code, Letter, Violation
from engagement_pipeline.copywriting.rules.own_words import neutral, phrases, values_of

# In this order: what one pattern has found is taken out before the next one looks, so each find has one code.
PATTERNS: tuple[tuple[Code, re.Pattern[str]], ...] = (
    ("email_address", wording.EMAIL_ADDRESS),
    ("url", wording.URL),
    ("placeholder", wording.PLACEHOLDER),
    ("markup", wording.MARKUP),
    ("postal_address", wording.POSTAL_ADDRESS),
    ("percentage", wording.PERCENTAGE),
    ("currency", wording.CURRENCY),
    ("phone_number", wording.PHONE_NUMBER),
    ("long_number", wording.LONG_NUMBER),
    ("code", wording.CODE),
    ("figure", wording.FIGURE),
    ("urgency", wording.URGENCY),
    ("offer", wording.OFFER),
    ("shouting", wording.SHOUTING),
    # A word capitalised like a name: a product, a brand or a person that the brief does not know.
    ("name_outside_brief", wording.NAME),
)

TIMES: Mapping[Silence, frozenset[str]] = {
    "about_a_month": frozenset({"a month"}),
    "about_a_season": frozenset({"a season", "a few months"}),
    "about_half_a_year": frozenset({"half a year", "several months"}),
    "most_of_a_year": frozenset({"most of a year"}),
    "over_a_year": frozenset({"over a year", "more than a year"}),
}


def unproved(letter: Letter) -> Iterator[Violation]:
    """Object to every claim that one of the `PATTERNS` knows."""
    for passage in letter.passages:
        claims = neutral(phrases(letter.brief.categories), passage.claims)
        for code, pattern in PATTERNS:
            found = [match.group().strip() for match in pattern.finditer(claims)]
            if found:
                yield from (Violation(code, f"{passage.field}: {words!r}") for words in found)
                claims = pattern.sub(" ", claims)


def silence(letter: Letter) -> Iterator[Violation]:
    """Allow only the brief's own length of time."""
    for passage in letter.passages:
        for match in wording.STATED_TIME.finditer(passage.claims):
            if match.group().casefold() not in TIMES[letter.brief.silence]:
                detail = f"{passage.field}: {match.group()!r} is not {letter.brief.silence}"
                yield Violation("silence_outside_brief", detail)


def categories(letter: Letter) -> Iterator[Violation]:
    """Allow only the brief's categories, in the singular too."""
    forms = category_forms(tuple(category.name for category in letter.brand.categories))
    for passage in letter.passages:
        for match in phrases(tuple(forms)).finditer(passage.claims):
            if forms[match.group().casefold()] not in letter.brief.categories:
                yield Violation("category_outside_brief", f"{passage.field}: {match.group()!r}")


def offer_scope(letter: Letter) -> Iterator[Violation]:
    """Let an offer hold for what it says and no more: "10% off knitwear" is neither "10% off everything" nor "10% off".

    A sentence that states an offer's value may name all, or a category (or an item of it), only where the offer's own
    text does. Where that names categories, a percentage stands in a passage that names one of them.
    """
    offers = [(offer, _Scope.of(offer.text, letter.brand)) for offer in letter.brief.offers]
    whole = phrases(tuple(offer.text.rstrip(".! ") for offer, _ in offers))
    for passage in letter.passages if offers else ():
        text = passage.nameless
        for item in letter.brief.goods:
            text = phrases((item.name,)).sub(item.category, text)
        around = _Scope.of(text, letter.brand)
        for sentence in wording.SENTENCE_END.split(neutral(whole, text)):
            stated = [allowed for offer, allowed in offers if values_of(offer).search(sentence)]
            claimed = _Scope.of(sentence, letter.brand)
            if stated and not any(_covers(allowed, claimed, around, sentence) for allowed in stated):
                yield Violation("offer_scope", f"{passage.field}: {sentence.strip()!r} says more than the offer")


def forbidden_phrases(letter: Letter) -> Iterator[Violation]:
    """Object to what the brand never says."""
    pattern = phrases(letter.brand.forbidden_phrases)
    for passage in letter.passages:
        for match in pattern.finditer(passage.nameless):
            yield Violation("forbidden_phrase", f"{passage.field}: {match.group()!r}")


def reasons(letter: Letter) -> Iterator[Violation]:
    """Allow only facts of the brief as reasons."""
    if letter.copy.reasons:
        known = {fact.id for fact in facts_of(letter.brief, letter.brand)}
        for reason in letter.copy.reasons:
            if reason not in known:
                yield Violation("reason_outside_facts", f"reasons: {reason!r}")


@lru_cache(maxsize=16)
def category_forms(names: tuple[str, ...]) -> dict[str, str]:
    """Map the ways to write a category, in the singular too, to its name."""
    forms = {}
    for name in names:
        for form in (name, re.sub(r"(?<=ss|sh|ch)es$|(?<=xe|ze)s$|(?<![su])s$", "", name)):
            forms[form.casefold()] = name
    return forms


class _Scope(NamedTuple):
    """What a text speaks of: categories, and words like "everything"."""

    categories: frozenset[str]
    sweeping: frozenset[str]

    @classmethod
    def of(cls, text: str, brand: Brand) -> "_Scope":
        forms = category_forms(tuple(category.name for category in brand.categories))
        named = (forms[match.group().casefold()] for match in phrases(tuple(forms)).finditer(text))
        sweeping = (match.group().casefold() for match in wording.SWEEPING.finditer(text))
        return cls(frozenset(named), frozenset(sweeping))


def _covers(allowed: _Scope, claimed: _Scope, around: _Scope, sentence: str) -> bool:
    if not claimed.sweeping <= allowed.sweeping:
        return False
    if not allowed.categories:
        return True
    is_said_of = bool(allowed.categories & around.categories) or not wording.PERCENTAGE.search(sentence)
    return claimed.categories <= allowed.categories and is_said_of
