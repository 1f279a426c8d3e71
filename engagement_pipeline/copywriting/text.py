"""What counts as one clean line of text, for everything that may end up in an e-mail."""

import unicodedata
from typing import Annotated

from pydantic import AfterValidator

# Control, format (bidirectional marks, zero-width), private, surrogate, unassigned, line and paragraph separators.
_INVISIBLE = frozenset({"Cc", "Cf", "Co", "Cs", "Cn", "Zl", "Zp"})
# Letters and signs by their category, and yet blank: fillers of Hangul, a Braille cell without a dot.
_BLANK = frozenset("\u115f\u1160\u3164\uffa0\u2800")


def is_visible(text: str) -> bool:
    """Tell whether a text is free of line breaks and of characters that a reader cannot see."""
    if text.isascii():
        return text.isprintable()
    return not any(unicodedata.category(c) in _INVISIBLE or c in _BLANK for c in text)


def _one_clean_line(value: str) -> str:
    if not value:
        raise ValueError("must not be empty")
    if not is_visible(value):
        raise ValueError("must be one line without invisible characters")
    if value != value.strip():
        raise ValueError("must not begin or end with a space")
    return value


def _check_plain(value: str) -> str:
    if any(sign in value for sign in "<>{}"):
        raise ValueError("must be plain text, without markup or placeholders")
    return value


Line = Annotated[str, AfterValidator(_one_clean_line)]
Plain = Annotated[Line, AfterValidator(_check_plain)]
