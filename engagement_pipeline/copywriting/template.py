"""The copywriter that needs no account: texts from a file, `templates.yaml`, chosen by the brief."""

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from engagement_pipeline.copywriting.brand import Brand
from engagement_pipeline.copywriting.brief import HISTORIES, LAST_NUMBER, SILENCES, Brief, History, Silence
from engagement_pipeline.copywriting.copy import FIRST_NAME, Copy, Spending, Text
from engagement_pipeline.copywriting.validation import validate
from engagement_pipeline.platform.errors import BadInputError
from engagement_pipeline.platform.fast_yaml import read_yaml

Taste = Literal["known", "unknown"]

_NUMBERS = tuple(range(1, LAST_NUMBER + 1))
_FACT = re.compile(r"\{\{ ?([a-z_.]+) ?\}\}")


class CopyTemplateError(BadInputError):
    """The template file has a gap, or a text that breaks a rule of the e-mail or of the brand."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class EmailTemplate(_Part):
    """One e-mail and the briefs that it fits; a condition left out fits all."""

    variant: str
    silence: tuple[Silence, ...] = SILENCES
    number: tuple[int, ...] = _NUMBERS
    taste: Taste | None = None
    subject: str
    preheader: str
    greeting: str
    paragraphs: tuple[str, ...]
    call_to_action: str

    def fits(self, brief: Brief) -> bool:
        """Tell whether this e-mail can be written for a brief."""
        return (
            self.variant == brief.variant
            and brief.silence in self.silence
            and brief.number in self.number
            and self.taste in (None, "known" if brief.categories else "unknown")
        )


class Templates(_Part):
    """The whole file: phrases by fact, and e-mails."""

    since: dict[Silence, str]
    thanks: dict[History, str]
    emails: tuple[EmailTemplate, ...]


class TemplateCopywriter:
    """Writes for a brand from its templates; equal briefs get equal texts."""

    name = "template"
    texts_per_brief = 1
    spent = Spending()

    def __init__(self, brand: Brand) -> None:
        """Read the brand's templates, or those of the package where it has none.

        Raises:
            CopyTemplateError: the file cannot be used.
        """
        self._brand = brand
        self._templates = _load(brand)
        self.variants = tuple(dict.fromkeys(email.variant for email in self._templates.emails))
        self.wording = f"{self._templates.model_dump_json()}\0{brand.model_dump_json()}"

    def plan(self, wanted: Iterable[tuple[Brief, int]]) -> None:
        """Do nothing: templates are at hand."""

    def in_hand(self, briefs: Sequence[Brief], numbers: Sequence[int]) -> list[bool]:
        """Tell that every text is."""
        return [True] * len(briefs)

    def awaited(self, briefs: Sequence[Brief], numbers: Sequence[int]) -> list[bool]:
        """Tell that no text is."""
        return [False] * len(briefs)

    def write(self, briefs: Sequence[Brief], numbers: Sequence[int] | None = None) -> list[Text]:
        """Return one text per brief, in their order; a brief has only one.

        Raises:
            CopyTemplateError: a brief names a variant that the templates do not have.
        """
        return [Text(self._compose(brief), self.name) for brief in briefs]

    def stand_in(self, brief: Brief) -> Copy:
        """Return what is sent in place of a text that another copywriter could not write.

        Raises:
            CopyTemplateError: the templates do not suit the brand either.
        """
        if brief.variant not in self.variants:
            brief = brief.model_copy(update={"variant": self.variants[0]})
        copy = self._compose(brief)
        if violations := validate(copy, brief, self._brand):
            codes = ", ".join(violation.code for violation in violations)
            raise CopyTemplateError(f"the template {copy.subject!r} does not suit {self._brand.name}: {codes}")
        return copy

    def check(self) -> None:
        """Try every template on every kind of brief that it has to serve.

        Raises:
            CopyTemplateError: a brief would find no template, or a text would not pass the brand's validation.
        """
        tastes = [(), *((category.name,) for category in self._brand.categories[:1])]
        for variant, silence, number, categories in product(self.variants, SILENCES, _NUMBERS, tastes):
            brief = Brief(
                silence=silence,
                history="one_order",
                basket="typical",
                categories=categories,
                other_interests=(),
                number=number,
                variant=variant,
            )
            copy = self._compose(brief)
            if violations := validate(copy, brief, self._brand):
                faults = "; ".join(f"{violation.code}: {violation.detail}" for violation in violations)
                raise CopyTemplateError(f"the template {copy.subject!r} does not suit {self._brand.name}: {faults}")

    def _compose(self, brief: Brief) -> Copy:
        email = next((email for email in self._templates.emails if email.fits(brief)), None)
        if email is None:
            raise CopyTemplateError(
                f"no template for variant {brief.variant!r}, {brief.silence}, e-mail {brief.number},"
                f" taste {'known' if brief.categories else 'unknown'}"
            )
        facts = self._facts(brief)
        try:
            return Copy(
                subject=_fill(email.subject, facts),
                preheader=_fill(email.preheader, facts),
                greeting=_fill(email.greeting, facts),
                paragraphs=tuple(_fill(paragraph, facts) for paragraph in email.paragraphs),
                call_to_action=_fill(email.call_to_action, facts),
            )
        except ValidationError as error:
            raise CopyTemplateError(f"template {email.subject!r}: {error}") from error

    def _facts(self, brief: Brief) -> Mapping[str, str]:
        facts = {
            "brand.name": self._brand.name,
            "brand.team": self._brand.team,
            "first_name": FIRST_NAME,
            "since": self._templates.since[brief.silence],
            "promise": self._brand.promises[(brief.number - 1) % len(self._brand.promises)],
        }
        facts["thanks"] = _fill(self._templates.thanks[brief.history], facts)
        if brief.categories:
            favorite = brief.categories[0]
            category = self._brand.category(favorite)
            if category is None:
                raise CopyTemplateError(f"the brief's category {favorite!r} is not one of {self._brand.name}")
            facts |= {"categories": _listed(brief.categories), "favorite": favorite, "idea": category.idea}
        return facts


def _load(brand: Brand) -> Templates:
    source = brand.templates or Path(__file__).with_name("templates.yaml")
    try:
        templates = Templates.model_validate(read_yaml(source))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, ValidationError) as error:
        raise CopyTemplateError(f"{source}: {error}") from error
    missing = ({*SILENCES} - {*templates.since}) | ({*HISTORIES} - {*templates.thanks})
    if missing:
        raise CopyTemplateError(f"{source}: no phrase for {', '.join(sorted(missing))}")
    return templates


def _fill(template: str, facts: Mapping[str, str]) -> str:
    """Put facts into a text; not with Jinja, so that a text can name facts and nothing else."""

    def fact(match: re.Match[str]) -> str:
        try:
            return facts[match.group(1)]
        except KeyError:
            raise CopyTemplateError(f"template {template!r}: there is no {match.group(1)!r} for its briefs") from None

    return _FACT.sub(fact, template)


def _listed(names: Sequence[str]) -> str:
    """Join names as a sentence does: "dresses, tops and shoes"."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
