"""What may never be sent, whoever wrote it: a deterministic check of copy against its brief and its brand.

Pure rules. A false alarm costs a rewrite, a miss a promise that the shop never made: in doubt, a rule objects.
"""

from engagement_pipeline.copywriting.brand import Brand
from engagement_pipeline.copywriting.brief import Brief
from engagement_pipeline.copywriting.copy import Copy
from engagement_pipeline.copywriting.rules import claims, form, language, privacy
from engagement_pipeline.copywriting.rules.letter import Code, Letter, Rule, Violation

__all__ = ["RULES", "Code", "Violation", "validate"]

RULES: tuple[Rule, ...] = (
    form.subject_length,
    form.letter_length,
    form.repetition,
    form.name_position,
    language.alphabet,
    language.function_words,
    language.foreign_words,
    claims.forbidden_phrases,
    claims.categories,
    claims.unproved,
    claims.silence,
    claims.offer_scope,
    claims.reasons,
    privacy.echoed_interests,
)


def validate(copy: Copy, brief: Brief, brand: Brand) -> list[Violation]:
    """Return every violation; an empty list means that the copy may be sent."""
    letter = Letter(copy, brief, brand)
    return [violation for rule in RULES for violation in rule(letter)]
