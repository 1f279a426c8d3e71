"""Everything that a copy may rest on, statement by statement, each with an id: what a prompt shows, and nothing else.

Each text is one line without markup or braces, made of the brief's bands, the brand's and the shop's own sentences, and
labels that `make_brief` has cleaned.
"""

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from engagement_pipeline.copywriting.brand import Brand
from engagement_pipeline.copywriting.brief import Basket, Brief, History, Silence
from engagement_pipeline.copywriting.catalogue import Offer
from engagement_pipeline.copywriting.wording import SUSPICIOUS_LABEL

LONGEST_FACT: Final = 300


class Fact(NamedTuple):
    """One statement; at most `LONGEST_FACT` characters."""

    id: str
    text: str


_SILENCE: Mapping[Silence, str] = {
    "about_a_month": "The last order was about a month ago.",
    "about_a_season": "The last order was about a season ago, a few months.",
    "about_half_a_year": "The last order was about half a year ago, several months.",
    "most_of_a_year": "The last order was most of a year ago.",
    "over_a_year": "The last order was over a year ago.",
}
_HISTORY: Mapping[History, str] = {
    "one_order": "They have ordered once.",
    "a_few_orders": "They have ordered more than once.",
    "regular": "They have ordered often.",
}
_BASKET: Mapping[Basket, str] = {
    "small": "Background, not to be mentioned: they spend less on an order than most.",
    "typical": "Background, not to be mentioned: they spend as much on an order as most.",
    "large": "Background, not to be mentioned: they spend more on an order than most.",
}
_NUMBER: Mapping[int, str] = {
    1: "Background, not to be mentioned: this is the first e-mail since the last order.",
    2: "Background, not to be mentioned: this is the second e-mail since the last order; the first led to nothing.",
    3: "Background, not to be mentioned: this is the last e-mail for now; those before led to nothing.",
}


def facts_of(brief: Brief, brand: Brand) -> tuple[Fact, ...]:
    """Return the facts for one brief, always in the same order; ids are unique among them."""
    return tuple(_facts(brief, brand))


def _facts(brief: Brief, brand: Brand) -> Iterator[Fact]:
    yield Fact("silence", _SILENCE[brief.silence])
    yield Fact("history", _HISTORY[brief.history])
    yield Fact("basket", _BASKET[brief.basket])
    yield Fact("number", _NUMBER[brief.number])
    for name in brief.categories:
        yield Fact(f"category:{name}", f"They like {name}.")
        if (category := brand.category(name)) is not None:
            yield Fact(f"idea:{name}", category.idea)
    for number, label in enumerate(brief.other_interests, start=1):
        # Better unsaid than a stranger's words in a prompt; the validator minds them in a copy as well.
        if not SUSPICIOUS_LABEL.search(label):
            yield Fact(f"interest:{number}", f"An interest in their own words, background only: {label}")
    for number, promise in enumerate(brand.promises, start=1):
        yield Fact(f"promise:{number}", promise)
    for item in brief.items:
        yield Fact(f"item:{item.sku}", f"In the shop, under {item.category}: {item.name}")
    for item in brief.last_items:
        yield Fact(f"last:{item.sku}", f"They bought this last: {item.name}")
    for offer in brief.offers:
        yield Fact(f"offer:{offer.id}", _offer(offer))


def _offer(offer: Offer) -> str:
    parts = [f"{offer.text.rstrip('.')}."]
    if offer.percent is not None:
        parts.append(f"Percentage: {offer.percent}%.")
    if offer.code is not None:
        parts.append(f"Code: {offer.code}.")
    if offer.until is not None:
        parts.append(f"Last day: {offer.until:%B} {offer.until.day}, {offer.until.year}.")
    return " ".join(parts)
