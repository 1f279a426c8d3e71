"""A writer before a server, and briefs that all differ."""

from typing import Any

from engagement_pipeline.copywriting.brief import Brief
from engagement_pipeline.copywriting.openai.writer import OpenAICopywriter
from engagement_pipeline.copywriting.template import TemplateCopywriter
from engagement_pipeline.platform.settings import Settings
from engagement_pipeline.platform.settings_groups import CopywritingSettings
from engagement_pipeline.platform.sql import Database
from engagement_pipeline_tests.conftest import NOW
from engagement_pipeline_tests.copywriting.samples import brand, brief

BRAND = brand()


def settings_for(base_url: str, **changes: Any) -> Settings:
    return Settings(openai_base_url=base_url, copywriting=CopywritingSettings(**changes))


def writer(base_url: str, database: Database, **changes: Any) -> OpenAICopywriter:
    """A copywriter for one run."""
    return OpenAICopywriter(settings_for(base_url, **changes), BRAND, TemplateCopywriter(BRAND), database, lambda: NOW)


def hobby(number: int) -> str:
    """A word for each number below 456,976; with a digit in it, it would be no label of an interest."""
    return "".join("abcdefghijklmnopqrstuvwxyz"[number // 26**place % 26] for place in range(4))


def briefs(count: int, **changes: Any) -> list[Brief]:
    return [brief(categories=(), other_interests=(hobby(number),), **changes) for number in range(count)]
