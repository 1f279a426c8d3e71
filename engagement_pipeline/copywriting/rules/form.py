"""Form: lengths, repetition, and where the name may stand. What `Copy` itself cannot check of its shape."""

import re
from collections.abc import Iterator

from engagement_pipeline.copywriting.copy import FIRST_NAME, fill
from engagement_pipeline.copywriting.names import LONGEST_NAME
from engagement_pipeline.copywriting.rules.letter import Letter, Violation

_LONGEST_SUBJECT = 70
_BODY_WORDS = (25, 150)
# Before a sign that ends a clause, or at the start: where leaving the name out leaves a sentence.
_ADDRESSING = re.compile(r"^\{\{first_name\}\}, (?=\w)|, \{\{first_name\}\}(?=[.,!?]|$)")
_GREETING = re.compile(r"^[\w ]+?,? \{\{first_name\}\}(?=[,.!]?$)")


def subject_length(letter: Letter) -> Iterator[Violation]:
    """Check the subject with the longest name in it."""
    longest = fill(letter.copy.subject, "x" * LONGEST_NAME)
    if len(longest) > _LONGEST_SUBJECT:
        yield Violation("length", f"subject: {len(longest)} characters with a long name, at most {_LONGEST_SUBJECT}")


def letter_length(letter: Letter) -> Iterator[Violation]:
    """Check the paragraphs together."""
    words = sum(len(paragraph.split()) for paragraph in letter.copy.paragraphs)
    fewest, most = _BODY_WORDS
    if not fewest <= words <= most:
        yield Violation("length", f"paragraphs: {words} words, must be {fewest} to {most}")


def repetition(letter: Letter) -> Iterator[Violation]:
    """Object to a field that says what another one says."""
    seen: set[str] = set()
    for passage in letter.passages:
        if passage.text.casefold() in seen:
            yield Violation("repetition", f"{passage.field}: says the same as another field")
        seen.add(passage.text.casefold())


def name_position(letter: Letter) -> Iterator[Violation]:
    """Allow the name once a field, where the text still reads well when it is left out."""
    for passage in letter.passages:
        count = passage.text.count(FIRST_NAME)
        pattern = _GREETING if passage.field == "greeting" else _ADDRESSING
        misplaced = count == 1 and (passage.field == "call_to_action" or not pattern.search(passage.text))
        if count > 1 or misplaced:
            yield Violation("placeholder_position", f"{passage.field}: does not read well without the name")
