"""What is kept with an e-mail beside its copy: the brief that it was written from, and where the text comes from."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from engagement_pipeline.copywriting.brief import Brief
from engagement_pipeline.copywriting.copy import Text

_BRIEF: Final = "brief"
_OWN_WORDS: Final = "other_interests"


@dataclass(frozen=True)
class Kept:
    """What was kept.

    Attributes:
        brief: see `Brief.record`; None with e-mails from before it was kept.
        record: see `Text.record`.
    """

    brief: Mapping[str, Any] | None
    record: Mapping[str, Any] | None

    def known(self) -> Brief | None:
        """Return the brief; None also for one of another version."""
        try:
            return None if self.brief is None else Brief.of_record(self.brief)
        except ValidationError:
            return None


def keep(text: Text, brief: Brief) -> dict[str, Any]:
    """Return what to keep with an e-mail, as JSON."""
    return {**(text.record() or {}), _BRIEF: brief.record()}


def read(kept: Mapping[str, Any] | None) -> Kept:
    """Take apart what was kept."""
    record = {name: value for name, value in (kept or {}).items() if name != _BRIEF}
    return Kept((kept or {}).get(_BRIEF), record or None)


def without_own_words(kept: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return what was kept without what the user has put in words of their own: all else is a band or the shop's."""
    if kept is None:
        return None
    brief = kept.get(_BRIEF)
    return {**kept, _BRIEF: {**brief, _OWN_WORDS: []}} if brief else {**kept}
