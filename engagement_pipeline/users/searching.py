"""How names are found: folded, so that neither case nor accents matter, by their beginning or by their last word's."""

import unicodedata
from typing import NamedTuple

LONGEST = 200


class SearchColumns(NamedTuple):
    """What a user's row is found by; both empty without a name."""

    search_name: str | None
    search_surname: str | None


def fold(text: str) -> str:
    """Return a text without case, accents and superfluous blanks, at most `LONGEST` characters."""
    letters = unicodedata.normalize("NFKD", text.casefold())
    plain = "".join(letter for letter in letters if not unicodedata.combining(letter))
    return " ".join(plain.casefold().split())[:LONGEST].rstrip()


def search_columns(name: str | None) -> SearchColumns:
    """Return the columns for a name."""
    folded = "" if name is None else fold(name)
    if not folded:
        return SearchColumns(None, None)
    return SearchColumns(folded, folded.rpartition(" ")[2])
