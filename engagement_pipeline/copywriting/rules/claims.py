"""Claims: nothing is promised, named or hurried that the brief and the brand do not say themselves."""

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Final, NamedTuple

from engagement_pipeline.copywriting import wording
from engagement_pipeline.copywriting.brand import Brand
from engagement_pipeline.copywriting.brief import Brief, Silence
from engagement_pipeline.copywriting.catalogue import Offer
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


# Of private use: no line of copy may hold one.
_FIRST_SIGN: Final = 0xE000


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
    offers = _offered(letter)
    for passage in letter.passages if offers else ():
        text = _in_categories(passage.nameless, letter.brief)
        around = _Scope.of(text, letter.brand)
        for offered in offers:
            text = neutral(phrases((offered.words,)), text, offered.sign)
        for sentence in wording.SENTENCE_END.split(text):
            stated = [offered.scope for offered in offers if offered.is_stated_in(sentence)]
            claimed = _Scope.of(sentence, letter.brand)
            if stated and not any(_covers(allowed, claimed, around, sentence) for allowed in stated):
                said = _with_words(offers, sentence.strip())
                yield Violation("offer_scope", f"{passage.field}: {said!r} says more than the offer")


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
        for form in (name, re.sub(r"(?<=ss|sh|ch)es$|(?<![su])s$", "", name)):
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


class _Offered(NamedTuple):
    """An offer, with a sign that stands for its own words: they are true, but what a sentence adds need not be."""

    offer: Offer
    sign: str
    words: str
    scope: _Scope

    def is_stated_in(self, sentence: str) -> bool:
        return self.sign in sentence or values_of(self.offer).search(sentence) is not None


def _offered(letter: Letter) -> list[_Offered]:
    words = [_in_categories(offer.text.rstrip(".! "), letter.brief) for offer in letter.brief.offers]
    return [
        _Offered(offer, chr(_FIRST_SIGN + place), words[place], _Scope.of(words[place], letter.brand))
        for place, offer in enumerate(letter.brief.offers)
    ]


def _in_categories(text: str, brief: Brief) -> str:
    """Let goods speak for their categories."""
    for item in brief.goods:
        text = phrases((item.name,)).sub(item.category, text)
    return text


def _with_words(offers: Iterable[_Offered], sentence: str) -> str:
    for offered in offers:
        sentence = sentence.replace(offered.sign, offered.words)
    return sentence


def _covers(allowed: _Scope, claimed: _Scope, around: _Scope, sentence: str) -> bool:
    if not claimed.sweeping <= allowed.sweeping:
        return False
    if not allowed.categories:
        return True
    is_said_of = bool(allowed.categories & around.categories) or not wording.PERCENTAGE.search(sentence)
    return claimed.categories <= allowed.categories and is_said_of
