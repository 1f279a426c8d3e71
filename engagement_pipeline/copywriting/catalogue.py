"""What the shop has and offers, from an optional YAML file: the only goods and offers that copy may name."""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from datetime import date
from functools import cached_property
from itertools import chain, islice, zip_longest
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from engagement_pipeline.copywriting.brand import Brand
from engagement_pipeline.copywriting.strict_file import Strict, read_strict
from engagement_pipeline.copywriting.text import Plain
from engagement_pipeline.copywriting.wording import INSTRUCTION, MARKUP
from engagement_pipeline.platform.errors import BadInputError

MOST_ITEMS = 3
# Few, or hardly two users would have the same brief and share a text.
MOST_LAST_ITEMS = 2
MOST_OFFERS = 2

_NOT_A_LABEL = re.compile(r"[^\w &'’+,./()-]|_")
_PERCENTAGE = re.compile(r"(\d+(?:[.,]\d+)?)\s?(?:%|per\s?cent\b)", re.IGNORECASE)


class CatalogueError(BadInputError):
    """The catalogue cannot be used; the message names the file, each field and what is wrong with it."""


def _check_label(value: str) -> str:
    if _NOT_A_LABEL.search(value) or not any(character.isalpha() for character in value):
        raise ValueError("must be a short name: letters, digits, spaces and & ' + , . / ( ) -")
    return value


def _check_said_to_people(value: str) -> str:
    if INSTRUCTION.search(value):
        raise ValueError("must be words for clients: it reads like an instruction to a machine")
    if markup := MARKUP.search(value):
        raise ValueError(f"must be plain text, without {markup.group()!r}")
    return value


Said = Annotated[Plain, AfterValidator(_check_said_to_people)]
Label = Annotated[Said, AfterValidator(_check_label)]
Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,40}$")]


class Item(Strict):
    """One piece that can be bought."""

    sku: Id
    name: Label = Field(max_length=60, description="As it reads in a sentence.")
    category: Plain = Field(max_length=30, description="One of the brand's.")


class Offer(Strict):
    """One thing that the shop offers, and every value that may be said of it."""

    id: Id
    text: Said = Field(min_length=8, max_length=160, description="The whole offer in a sentence, as copy may say it.")
    code: str | None = Field(None, pattern=r"^[A-Z0-9-]{3,20}$", description="What to enter at the checkout.")
    percent: int | None = Field(None, ge=1, le=100, strict=True)
    until: date | None = Field(None, strict=True, description="The last day on which it holds.")

    @model_validator(mode="after")
    def _says_one_percentage(self) -> "Offer":
        said = {float(found.replace(",", ".")) for found in _PERCENTAGE.findall(self.text)}
        if self.percent is not None and said - {self.percent}:
            raise ValueError(f"text: states another percentage than {self.percent}")
        return self


class ListedOffer(Offer):
    """An offer as the file has it: with those it is for."""

    valid_from: date | None = Field(None, strict=True, description="The first day on which it holds.")
    categories: tuple[Plain, ...] = Field((), description="Only for users who prefer one of these; empty: everyone.")

    @model_validator(mode="after")
    def _begins_before_it_ends(self) -> "ListedOffer":
        if self.valid_from and self.until and self.valid_from > self.until:
            raise ValueError("valid_from is after until")
        return self

    def is_for(self, categories: Sequence[str], as_of: date) -> bool:
        """Tell whether it holds on a day for a user who prefers these categories."""
        has_begun = self.valid_from is None or self.valid_from <= as_of
        has_ended = self.until is not None and self.until < as_of
        return has_begun and not has_ended and (not self.categories or not {*self.categories}.isdisjoint(categories))

    def as_said(self) -> Offer:
        """Return what a brief may know of it."""
        return Offer(id=self.id, text=self.text, code=self.code, percent=self.percent, until=self.until)


class Catalogue(Strict):
    """All items and offers, in the order in which the shop prefers to show them."""

    items: tuple[Item, ...] = Field((), max_length=10_000)
    offers: tuple[ListedOffer, ...] = Field((), max_length=200)

    @model_validator(mode="after")
    def _ids_differ(self) -> "Catalogue":
        for field, ids in (("items", [i.sku for i in self.items]), ("offers", [o.id for o in self.offers])):
            repeated = [one for one, times in Counter(ids).items() if times > 1]
            if repeated:
                raise ValueError(f"{field}: {repeated[0]!r} occurs twice")
        return self

    def items_for(self, categories: Sequence[str], number: int, without: Collection[str] = ()) -> tuple[Item, ...]:
        """Choose at most `MOST_ITEMS` items of a user's preferred categories, one of each in turn.

        Args:
            categories: as the brand spells them, the most preferred first.
            number: which e-mail of this silence, from 1; a later one shows the items that follow, where there are more.
            without: numbers of items that are not to be shown: nobody is offered what they have just bought.
        """
        shelves = [self._shelves.get(category, []) for category in categories]
        per_email = -(-MOST_ITEMS // max(1, len(categories)))
        turned = [_turned(shelf, (number - 1) * per_email) for shelf in shelves]
        wanted = [(item for item in shelf if item.sku not in without) for shelf in turned]
        mixed = (item for row in zip_longest(*wanted) for item in row if item is not None)
        return tuple(islice(mixed, MOST_ITEMS))

    def items_of(self, skus: Iterable[str]) -> tuple[Item, ...]:
        """Return at most `MOST_LAST_ITEMS` items of these numbers, in their order; what is unknown is left out."""
        known = dict.fromkeys(sku for sku in skus if sku in self._by_sku)
        return tuple(self._by_sku[sku] for sku in islice(known, MOST_LAST_ITEMS))

    def offers_for(self, categories: Sequence[str], as_of: date) -> tuple[Offer, ...]:
        """Choose at most `MOST_OFFERS` offers that hold on a day for a user who prefers these categories."""
        return tuple(offer.as_said() for offer in self.offers if offer.is_for(categories, as_of))[:MOST_OFFERS]

    @cached_property
    def _by_sku(self) -> dict[str, Item]:
        return {item.sku: item for item in self.items}

    @cached_property
    def _shelves(self) -> dict[str, list[Item]]:
        shelves: dict[str, list[Item]] = {}
        for item in self.items:
            shelves.setdefault(item.category, []).append(item)
        return shelves


def load_catalogue(path: Path, brand: Brand) -> Catalogue:
    """Read and check a catalogue file; its categories come back as the brand spells them.

    Raises:
        CatalogueError: the file cannot be read, is no YAML mapping, breaks a rule, names a category that the brand does
            not have, or says what the brand forbids; names every field at fault.
    """
    catalogue = read_strict(path, Catalogue, CatalogueError, "items and offers, these two")
    faults = [*_unknown_categories(catalogue, brand), *_forbidden(catalogue, brand)]
    if faults:
        raise CatalogueError(f"{path}: {'; '.join(faults)}")
    items = tuple(item.model_copy(update={"category": _spelled(item.category, brand)}) for item in catalogue.items)
    offers = tuple(
        offer.model_copy(update={"categories": tuple(_spelled(name, brand) for name in offer.categories)})
        for offer in catalogue.offers
    )
    return Catalogue(items=items, offers=offers)


def _turned(shelf: list[Item], by: int) -> Iterable[Item]:
    start = by % len(shelf) if shelf else 0
    return chain(islice(shelf, start, None), islice(shelf, start))


def _spelled(name: str, brand: Brand) -> str:
    category = brand.category(name)
    return category.name if category is not None else name


def _unknown_categories(catalogue: Catalogue, brand: Brand) -> list[str]:
    named = [(f"items.{number}.category", item.category) for number, item in enumerate(catalogue.items)]
    named += [
        (f"offers.{number}.categories", name)
        for number, offer in enumerate(catalogue.offers)
        for name in offer.categories
    ]
    return [f"{field}: {name!r} is no category of {brand.name}" for field, name in named if not brand.category(name)]


def _forbidden(catalogue: Catalogue, brand: Brand) -> list[str]:
    said = [(f"items.{number}.name", item.name) for number, item in enumerate(catalogue.items)]
    said += [(f"offers.{number}.text", offer.text) for number, offer in enumerate(catalogue.offers)]
    return [
        f"{field}: {phrase!r} is one of the brand's forbidden phrases"
        for field, text in said
        for phrase in brand.forbidden_phrases
        if phrase.casefold() in text.casefold()
    ]
