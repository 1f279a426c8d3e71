"""What needs no proof: the brand's own words, and what the brief's offers and items say."""

import re
from collections.abc import Iterator, Sequence
from datetime import date
from functools import lru_cache

from engagement_pipeline.copywriting import wording
from engagement_pipeline.copywriting.brand import Brand
from engagement_pipeline.copywriting.brief import Brief
from engagement_pipeline.copywriting.catalogue import Offer

# What an offer states beyond its wording, most telling first: what one has found is not looked at by the next.
_VALUES = (wording.URL, wording.PERCENTAGE, wording.CURRENCY, wording.CODE, wording.FIGURE)
_BEFORE_A_DATE = (
    r"(?:(?:(?:only |valid |good |open )?(?:until|through|till)|by|(?:ends?|ending|expires?|expiring)(?: on)?) )?"
)


def without_own_words(text: str, brief: Brief, brand: Brand) -> str:
    """Take out of a text what the brand, the items and the offers say themselves."""
    ideas = (category.idea for category in brand.categories if category.name in brief.categories)
    phrases = (brand.name, brand.team, *brand.promises, *ideas, *(item.name for item in brief.goods))
    return neutral(_own_words(phrases, brief.offers), text)


def neutral(pattern: re.Pattern[str], text: str, instead: str = "it") -> str:
    """Replace what a pattern finds by a word that no rule minds, so that the sentence around it keeps its shape."""

    def word(match: re.Match[str]) -> str:
        return instead + (match.group()[-1] if match.group()[-1] in ".!?" else "")

    return pattern.sub(word, text)


@lru_cache(maxsize=4096)
def phrases(texts: tuple[str, ...]) -> re.Pattern[str]:
    """Find any of some phrases as whole words, whatever their case, their apostrophes and the width of their spaces."""
    return _any_of([_literally(text) for text in _longest_first(texts)])


@lru_cache(maxsize=256)
def values_of(offer: Offer) -> re.Pattern[str]:
    """Find the values that an offer states, in the ways in which a sentence can put them."""
    return _any_of(_values(offer))


@lru_cache(maxsize=1024)
def _own_words(texts: tuple[str, ...], offers: tuple[Offer, ...]) -> re.Pattern[str]:
    # Whole sentences before their parts, or a part's end would be left over as a claim.
    whole = [_literally(text) for text in _longest_first((*texts, *(offer.text.rstrip(".! ") for offer in offers)))]
    dates = [_date(offer.until) for offer in offers if offer.until is not None]
    return _any_of([*whole, *dates, *(value for offer in offers for value in _values(offer))])


def _values(offer: Offer) -> list[str]:
    return [*_stated_in_fields(offer), *_stated_in_text(offer.text)]


def _stated_in_text(text: str) -> Iterator[str]:
    for match in wording.OFFER.finditer(text):
        # With the word that follows: "free shipping" does not make everything free.
        if following := re.match(r"\s+\w+", text[match.end() :]):
            yield _literally(match.group() + following.group())
    for pattern in _VALUES:
        yield from (_literally(value) for found in pattern.findall(text) if (value := found.strip()))
        text = pattern.sub(" ", text)


def _stated_in_fields(offer: Offer) -> Iterator[str]:
    if offer.percent is not None:
        figure = rf"{offer.percent}\s?(?:%|per\s?cent)"
        yield rf"(?:save )?{figure}(?: off| discount)?"
        yield rf"discount of {figure}"
    if offer.code is not None:
        announced = r"(?:(?:with |use |enter |the |your |promo |discount |coupon |checkout )*code:? )?"
        yield announced + _literally(offer.code)


def _date(until: date) -> str:
    month = rf"(?:{until:%B}|{until:%b}\.?)"
    day = rf"{until.day}(?:st|nd|rd|th)?"
    # Its own weekday or none: "Monday, December 6" is another day than that of the offer.
    weekday = rf"(?:{until:%A},? |(?<!day )(?<!day, ))"
    return rf"{_BEFORE_A_DATE}{weekday}(?:the )?(?:{month} {day}|{day} (?:of )?{month})(?:,? {until.year}(?!\d))?"


def _any_of(parts: Sequence[str]) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w)(?:{'|'.join(parts) or '(?!)'})(?!\w)", re.IGNORECASE)


def _longest_first(texts: Sequence[str]) -> list[str]:
    return sorted((text for text in texts if text), key=len, reverse=True)


def _literally(text: str) -> str:
    return re.sub(r"['’]", "['’]", re.escape(text)).replace(r"\ ", r"\s+")
