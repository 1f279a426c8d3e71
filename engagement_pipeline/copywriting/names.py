"""The name to greet a user with, out of whatever the shop's records hold."""

import re
import unicodedata

from engagement_pipeline.copywriting.text import is_visible

LONGEST_NAME = 24

_INSIDE = re.compile(r"['’-]")
_HONORIFICS = frozenset({"mr", "mrs", "ms", "mx", "miss", "dr", "prof", "sir", "madam", "rev"})
_NOBODY = frozenset({"test", "null", "none", "nan", "na", "unknown", "anonymous", "guest", "customer", "user"})


def first_name(name: str | None) -> str | None:
    """Return the first name to greet with, or None: better no name than a wrong or a harmful one.

    A name is made of the letters of any script, with hyphens and apostrophes inside, `LONGEST_NAME` characters at most.
    A record with anything else in it (markup, template syntax, digits, line breaks, direction marks) is not trusted in
    part either.
    """
    if name is None or not is_visible(name) or len(name) > 100:
        return None
    words = unicodedata.normalize("NFC", name).split()
    if words and words[0].rstrip(".").casefold() in _HONORIFICS:
        words = words[1:]
    if not words or not all(_is_word(word.removesuffix(".")) for word in words):
        return None
    return _presentable(words[0])


def _is_word(word: str) -> bool:
    return all(part and _is_spelled(part) for part in _INSIDE.split(word))


def _is_spelled(part: str) -> bool:
    """Tell whether a part has letters only, and no more marks on them than a script needs."""
    kinds = [unicodedata.category(character)[0] for character in part]
    return set(kinds) <= {"L", "M"} and kinds[0] == "L" and kinds.count("M") <= kinds.count("L")


def _presentable(word: str) -> str | None:
    if word.endswith(".") or word.casefold() in _NOBODY or len(word) > LONGEST_NAME:
        return None
    if len(word) == 1 and unicodedata.category(word) != "Lo":
        # In an alphabet an initial; in Chinese, say, a whole name.
        return None
    return word.title() if word.isupper() or word.islower() else word
