"""Lets no text pass that breaks a rule, whoever wrote it and whenever."""

from engagement_pipeline.copywriting.brand import Brand
from engagement_pipeline.copywriting.brief import Brief
from engagement_pipeline.copywriting.copy import Text
from engagement_pipeline.copywriting.template import TemplateCopywriter
from engagement_pipeline.copywriting.validation import validate


def checked(text: Text, brief: Brief, brand: Brand, fallback: TemplateCopywriter) -> Text:
    """Return the text, or the template's in its place, with the codes of what is wrong with it.

    Raises:
        CopyTemplateError: the template's does not suit the brand either.
    """
    if text.failures:
        return text
    failures = tuple(violation.code for violation in validate(text.copy, brief, brand))
    return Text(fallback.stand_in(brief), fallback.name, text.provenance, failures) if failures else text
