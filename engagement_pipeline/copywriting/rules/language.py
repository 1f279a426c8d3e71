"""Language: is it English, the only locale there is? By its alphabet, its small words, and those of its neighbours."""

import unicodedata
from collections.abc import Iterator

from engagement_pipeline.copywriting import wording
from engagement_pipeline.copywriting.copy import fill
from engagement_pipeline.copywriting.rules.letter import Letter, Violation, fields

_FUNCTION_WORD_SHARE = 0.25
_MOST_FOREIGN_WORDS = 1


def alphabet(letter: Letter) -> Iterator[Violation]:
    """Allow Latin letters only: others that look like them would pass by every rule about words."""
    for field, text in fields(letter.copy):
        foreign = [c for c in text if c.isalpha() and not c.isascii() and not _is_latin(c)]
        if foreign:
            yield Violation("language", f"{field}: {foreign[0]!r} is no Latin letter")


def function_words(letter: Letter) -> Iterator[Violation]:
    """Ask for the share of small words that English prose has."""
    text = fill(" ".join(letter.copy.paragraphs), None)
    share = len(wording.FUNCTION_WORD.findall(text)) / len(text.split())
    if share < _FUNCTION_WORD_SHARE:
        yield Violation("language", f"paragraphs: only {share:.0%} of the words are those that English is made of")


def foreign_words(letter: Letter) -> Iterator[Violation]:
    """Object to a passage with small words of another language: one foreign paragraph, subject or button."""
    for passage in letter.passages:
        found = wording.FOREIGN_WORD.findall(passage.claims)
        if len(found) > _MOST_FOREIGN_WORDS:
            yield Violation("language", f"{passage.field}: {', '.join(repr(word) for word in found[:3])}")


def _is_latin(letter: str) -> bool:
    return unicodedata.name(letter, "").startswith("LATIN ")
