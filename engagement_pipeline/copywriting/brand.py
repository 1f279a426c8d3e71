"""The brand that writes: its voice, looks and what may be said in its name, from a YAML file."""

from functools import cached_property
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from email_validator import validate_email
from pydantic import AfterValidator, EmailStr, Field, model_validator

from engagement_pipeline.copywriting.colours import READABLE_CONTRAST, contrast, is_colour
from engagement_pipeline.copywriting.strict_file import Strict, read_strict
from engagement_pipeline.copywriting.text import Plain
from engagement_pipeline.platform.errors import BadInputError


class BrandError(BadInputError):
    """The brand file cannot be used; the message names the file, each field and what is wrong with it."""


def _check_colour(value: str) -> str:
    if not is_colour(value):
        raise ValueError("must be a colour written #rrggbb")
    return value


def _check_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme != "https" or not parts.hostname or parts.username or " " in value:
        raise ValueError("must be an https:// address")
    return value


def _check_not_encoded(value: str) -> str:
    # Decoded on its way into a header, it could end that header and begin another.
    if "=?" in value:
        raise ValueError("must be written as it reads, not encoded for a header (=?...?=)")
    return value


def _in_ascii(value: str) -> str:
    address = validate_email(value, check_deliverability=False).ascii_email
    if address is None:
        raise ValueError("must be of plain letters before the @: many mail systems take no others")
    return address


Colour = Annotated[str, AfterValidator(_check_colour)]


class Palette(Strict):
    """Colours for one scheme, light or dark; every text is checked to be readable on what lies behind it."""

    background: Colour = Field(description="Around the letter.")
    surface: Colour = Field(description="The letter itself.")
    text: Colour
    muted: Colour = Field(description="The footer, on the background.")
    accent: Colour = Field(description="The brand's name at the top, on the background.")
    button: Colour
    button_text: Colour

    @model_validator(mode="after")
    def _texts_are_readable(self) -> "Palette":
        for front, back in (
            ("text", "surface"),
            ("muted", "background"),
            ("accent", "background"),
            ("button_text", "button"),
        ):
            ratio = contrast(getattr(self, front), getattr(self, back))
            if ratio < READABLE_CONTRAST:
                raise ValueError(f"{front} on {back} has a contrast of {ratio:.1f}, needs {READABLE_CONTRAST}")
        return self


class Category(Strict):
    """A kind of goods that users can prefer."""

    name: Plain = Field(max_length=30, description="As users' preferences name it and as it reads in a sentence.")
    idea: Plain = Field(max_length=160, description="A sentence that the copy may use about it.")


class Brand(Strict):
    """Everything that the copy and the e-mail take from the brand."""

    name: Plain = Field(max_length=40)
    voice: Plain = Field(max_length=600, description="How the brand speaks; read by people and by a model.")
    team: Plain = Field(max_length=40, description="Who helps, as in 'our stylists would love to help'.")
    signature: Plain = Field(max_length=60)
    site_url: Annotated[str, AfterValidator(_check_url)]
    sender_name: Annotated[Plain, AfterValidator(_check_not_encoded)] = Field(max_length=60)
    from_address: Annotated[EmailStr, AfterValidator(_in_ascii)] = Field(
        description="An international domain is kept in its encoded form."
    )
    postal_address: tuple[Plain, ...] = Field(min_length=1, max_length=5, description="Line by line; a legal duty.")
    light: Palette
    dark: Palette
    promises: tuple[Annotated[Plain, Field(max_length=160)], ...] = Field(
        min_length=1, max_length=5, description="True sentences about the brand that the copy may use as they are."
    )
    categories: tuple[Category, ...] = Field(default=(), max_length=100)
    forbidden_phrases: tuple[Plain, ...] = ()
    templates: Path | None = Field(
        None, description="Texts of the template copywriter, beside the brand file; none: those of the package."
    )

    @model_validator(mode="after")
    def _category_names_differ(self) -> "Brand":
        seen: set[str] = set()
        for category in self.categories:
            name = category.name.casefold()
            if name in seen:
                raise ValueError(f"categories: {category.name!r} occurs twice")
            seen.add(name)
        return self

    @model_validator(mode="after")
    def _keeps_its_own_rules(self) -> "Brand":
        own = (*self.promises, *(category.idea for category in self.categories))
        for phrase in self.forbidden_phrases:
            for text in own:
                if phrase.casefold() in text.casefold():
                    raise ValueError(f"forbidden_phrases: {phrase!r} occurs in the brand's own text {text!r}")
        return self

    def category(self, name: str) -> Category | None:
        """Find a category by its name, whatever its case."""
        return self._categories_by_name.get(name.strip().casefold())

    @cached_property
    def _categories_by_name(self) -> dict[str, Category]:
        return {category.name.casefold(): category for category in self.categories}


def load_brand(path: Path) -> Brand:
    """Read and check a brand file.

    Raises:
        BrandError: the file cannot be read, is no YAML mapping, or breaks a rule; names every field at fault.
    """
    brand = read_strict(path, Brand, BrandError, "the brand's")
    if brand.templates is None:
        return brand
    return brand.model_copy(update={"templates": path.parent / brand.templates})
