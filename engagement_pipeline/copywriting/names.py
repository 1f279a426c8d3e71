"""The name to greet a user with, out of whatever the shop's records hold."""

import re
import unicodedata

from engagement_pipeline.copywriting.text import is_visible

LONGEST_NAME = 24

_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_HONORIFICS = frozenset({"mr", "mrs", "ms", "mx", "miss", "dr", "prof", "sir", "madam", "rev"})
_NOBODY = frozenset({"test", "null", "none", "nan", "na", "unknown", "anonymous", "guest", "customer", "user"})


def first_name(name: str | None) -> str | None:
    """Return the first name to greet with, or None: better no name than a wrong or a harmful one.

    Letters of any script, with hyphens and apostrophes inside, at most `LONGEST_NAME` of them. A record with anything
    else in it (markup, template syntax, digits, line breaks, direction marks) is not trusted in part either.
    """
    if name is None or not is_visible(name) or len(name) > 100:
        return None
    words = unicodedata.normalize("NFC", name).split()
    if words and words[0].rstrip(".").casefold() in _HONORIFICS:
        words = words[1:]
    if not words or not all(_WORD.fullmatch(word.rstrip(".")) for word in words):
        return None
    return _presentable(words[0])


def _presentable(word: str) -> str | None:
    if not 1 < len(word) <= LONGEST_NAME and not _is_ideographic(word):
        return None
    if word.endswith(".") or word.casefold() in _NOBODY:
        return None
    return word.title() if word.isupper() or word.islower() else word


def _is_ideographic(word: str) -> bool:
    """One character is an initial in an alphabet, and a whole name in Chinese."""
    return len(word) == 1 and unicodedata.category(word) == "Lo"
