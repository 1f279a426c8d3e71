"""Privacy: what a user once typed does not come back to them, nor to whoever reads over their shoulder.

Addresses and numbers are among the `PATTERNS` of `claims`.
"""

from collections.abc import Iterator

from engagement_pipeline.copywriting.rules.letter import Letter, Violation
from engagement_pipeline.copywriting.rules.own_words import phrases
from engagement_pipeline.copywriting.wording import SUSPICIOUS_LABEL


def echoed_interests(letter: Letter) -> Iterator[Violation]:
    """Object to an interest in the user's own words that is more than a plain label."""
    suspicious = tuple(label for label in letter.brief.other_interests if SUSPICIOUS_LABEL.search(label))
    for passage in letter.passages:
        for match in phrases(suspicious).finditer(passage.claims):
            yield Violation("interest_echoed", f"{passage.field}: {match.group()!r}")
