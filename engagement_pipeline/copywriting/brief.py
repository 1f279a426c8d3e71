"""What the copy may know about one user: bands instead of figures, and never a name, an address or an id."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

from engagement_pipeline.copywriting.brand import Brand
from engagement_pipeline.copywriting.catalogue import MOST_ITEMS, MOST_LAST_ITEMS, MOST_OFFERS, Catalogue, Item, Offer
from engagement_pipeline.copywriting.text import Line, Plain, is_visible

Silence = Literal["about_a_month", "about_a_season", "about_half_a_year", "most_of_a_year", "over_a_year"]
History = Literal["one_order", "a_few_orders", "regular"]
Basket = Literal["small", "typical", "large"]
Locale = Literal["en-US"]

SILENCES: tuple[Silence, ...] = get_args(Silence)
HISTORIES: tuple[History, ...] = get_args(History)
LAST_NUMBER = 3

_LAST_DAY: tuple[tuple[int, Silence], ...] = (
    (50, "about_a_month"),
    (130, "about_a_season"),
    (240, "about_half_a_year"),
    (365, "most_of_a_year"),
)
_MOST_CATEGORIES = 3
_INTEREST_LENGTH = 40
_NOT_PLAIN = re.compile(r"[^\w &'-]|_")

_Label = Annotated[Plain, Field(max_length=_INTEREST_LENGTH)]


class Brief(BaseModel):
    """The facts for one e-mail. Users with equal briefs may share one text."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    silence: Silence = Field(description="How long since the last order.")
    history: History
    basket: Basket = Field(description="Average order value against the population's median.")
    categories: Annotated[tuple[_Label, ...], Field(strict=False, max_length=_MOST_CATEGORIES)] = Field(
        description="Preferred categories that the brand has, spelled as the brand spells them."
    )
    other_interests: Annotated[tuple[_Label, ...], Field(strict=False, max_length=_MOST_CATEGORIES)] = Field(
        description="Preferences that the brand does not know: the user's words, data and never instructions."
    )
    number: int = Field(ge=1, le=LAST_NUMBER, description="Which e-mail of this silence; the third and all later: 3.")
    variant: Line = Field(max_length=64, description="The style of writing, compared by its effect.")
    locale: Locale = "en-US"
    items: Annotated[tuple[Item, ...], Field(strict=False, max_length=MOST_ITEMS)] = Field(
        (), description="Of the catalogue, in the preferred categories, and not among the last ones."
    )
    last_items: Annotated[tuple[Item, ...], Field(strict=False, max_length=MOST_LAST_ITEMS)] = Field(
        (), description="What was bought last, as far as the shop says so and the catalogue knows it."
    )
    offers: Annotated[tuple[Offer, ...], Field(strict=False, max_length=MOST_OFFERS)] = Field(
        (), description="That hold on the day of writing; nothing else may be offered."
    )

    @property
    def goods(self) -> tuple[Item, ...]:
        """The only goods that may be named."""
        return self.items + self.last_items

    @property
    def fingerprint(self) -> str:
        """The same 32 hexadecimal digits for equal briefs, on any machine and in any process."""
        # Without a catalogue, or last items, it is what it was before there were any: texts already paid for are found.
        return hashlib.sha256(self.model_dump_json(exclude=self._unused()).encode()).hexdigest()[:32]

    def record(self) -> dict[str, Any]:
        """Return the brief as JSON, to be kept; `of_record` reads it."""
        return self.model_dump(mode="json", exclude=self._unused())

    @classmethod
    def of_record(cls, record: Mapping[str, Any]) -> "Brief":
        """Return a brief that was kept.

        Raises:
            ValidationError: it is none as this version knows them.
        """
        # By way of JSON, in which dates are text even to a strict reader.
        return cls.model_validate_json(json.dumps(record))

    def in_words(self) -> dict[str, str]:
        """Return what it says, by name, for people."""
        return {
            "silence": self.silence.replace("_", " "),
            "history": self.history.replace("_", " "),
            "basket": self.basket,
            "categories": _listed(self.categories),
            "other interests": _listed(self.other_interests),
            "e-mail of this silence": f"{self.number}{' or later' if self.number == LAST_NUMBER else ''}",
            "variant": self.variant,
            "locale": self.locale,
            "goods": _listed([item.name for item in self.items]),
            "bought last": _listed([item.name for item in self.last_items]),
            "offers": _listed([offer.text for offer in self.offers]),
            "fingerprint": self.fingerprint,
        }

    def _unused(self) -> set[str]:
        return {field for field in ("items", "last_items", "offers") if not getattr(self, field)}


def make_brief(
    *,
    days_since_last_order: int,
    order_days: int,
    average_order_value: float,
    median_order_value: float | None,
    preferred_categories: Sequence[str],
    emails_this_silence: int,
    variant: str,
    brand: Brand,
    catalogue: Catalogue | None = None,
    last_skus: Sequence[str] = (),
    as_of: date | None = None,
) -> Brief:
    """Turn a user's figures into the brief for the next e-mail.

    Args:
        days_since_last_order: whole days, 0 or more.
        order_days: days on which the user ordered.
        average_order_value: total value per order, in the shop's currency.
        median_order_value: the population's median of that, or None where it is not known.
        preferred_categories: as the user's record has them; unknown ones are cleaned and kept apart.
        emails_this_silence: e-mails since the last order, before this one.
        variant: one of the copywriter's variants, see `assign_variant`.
        brand: knows the categories.
        catalogue: items and offers that may be named, if the shop has such a file.
        last_skus: what was bought last, by the catalogue's numbers, as far as the shop says so.
        as_of: the day on which offers must hold; needed with a catalogue.

    Raises:
        ValueError: a catalogue without a day.
    """
    known, others = _sort_categories(preferred_categories, brand)
    number = min(emails_this_silence + 1, LAST_NUMBER)
    items: tuple[Item, ...] = ()
    last_items: tuple[Item, ...] = ()
    offers: tuple[Offer, ...] = ()
    if catalogue is not None:
        if as_of is None:
            raise ValueError("a catalogue's offers need the day on which they must hold")
        items = catalogue.items_for(known, number, without=last_skus)
        last_items = catalogue.items_of(last_skus)
        offers = catalogue.offers_for(known, as_of)
    return Brief(
        silence=_silence(days_since_last_order),
        history=_history(order_days),
        basket=_basket(average_order_value, median_order_value),
        categories=known,
        other_interests=others,
        number=number,
        variant=variant,
        items=items,
        last_items=last_items,
        offers=offers,
    )


def assign_variant(user_id: str, campaign: str, variants: Sequence[str]) -> str:
    """Choose a user's variant in a campaign: evenly over users, and the same one every time."""
    digest = hashlib.sha256(f"{campaign}\x1f{user_id}".encode()).digest()
    return variants[int.from_bytes(digest[:8], "big") % len(variants)]


def _silence(days: int) -> Silence:
    return next((name for last_day, name in _LAST_DAY if days <= last_day), "over_a_year")


def _history(order_days: int) -> History:
    if order_days <= 1:
        return "one_order"
    return "a_few_orders" if order_days < 5 else "regular"


def _basket(average: float, median: float | None) -> Basket:
    if not median or median <= 0:
        return "typical"
    if average < 0.6 * median:
        return "small"
    return "typical" if average <= 1.6 * median else "large"


def _sort_categories(preferred: Sequence[str], brand: Brand) -> tuple[tuple[str, ...], tuple[str, ...]]:
    known: dict[str, None] = {}
    others: dict[str, None] = {}
    for name in preferred:
        category = brand.category(name)
        if category is not None:
            known[category.name] = None
        elif cleaned := _clean_interest(name):
            others[cleaned] = None
    return tuple(known)[:_MOST_CATEGORIES], tuple(others)[:_MOST_CATEGORIES]


def _listed(values: Sequence[str]) -> str:
    return ", ".join(values) or "none"


def _clean_interest(name: str) -> str:
    """Keep letters, digits and spaces of a short label; a long text is no label and is dropped."""
    if len(name) > _INTEREST_LENGTH or not is_visible(name):
        return ""
    label = " ".join(_NOT_PLAIN.sub(" ", name).split()).casefold()
    # Folding can lengthen: one sharp s becomes two letters.
    return label if len(label) <= _INTEREST_LENGTH else ""
