"""A brief, a copy and a brand to vary in tests."""

from pathlib import Path
from typing import Any

import yaml

from engagement_pipeline.copywriting.brand import Brand
from engagement_pipeline.copywriting.brief import Brief
from engagement_pipeline.copywriting.copy import Copy
from engagement_pipeline.platform.settings import PROJECT_ROOT

BRAND_FILE = PROJECT_ROOT / "data" / "brand.yaml"

GOOD = {
    "subject": "What are you in the mood for, {{first_name}}?",
    "preheader": "A short note from our stylists, with your taste in mind.",
    "greeting": "Hello {{first_name}},",
    "paragraphs": (
        "It's been about a season since your last order, and days look different now.",
        "Do you still love dresses? We would love to hear what you reach for in the morning.",
        "Come and have a look around whenever you have a quiet minute.",
    ),
    "call_to_action": "Take a look around",
}


def copy(**changes: Any) -> Copy:
    """A copy that passes, with some fields changed; `first` stands for the first paragraph."""
    fields: dict[str, Any] = {**GOOD, **changes}
    if "first" in fields:
        fields["paragraphs"] = (fields.pop("first"), *GOOD["paragraphs"][1:])
    return Copy(**fields)


def brief(**changes: Any) -> Brief:
    facts: dict[str, Any] = {
        "silence": "about_a_season",
        "history": "a_few_orders",
        "basket": "typical",
        "categories": ("dresses",),
        "other_interests": (),
        "number": 1,
        "variant": "note",
    }
    return Brief(**{**facts, **changes})


def brand_fields() -> dict[str, Any]:
    fields: dict[str, Any] = yaml.safe_load(BRAND_FILE.read_text(encoding="utf-8"))
    return fields


def brand(**changes: Any) -> Brand:
    return Brand.model_validate({**brand_fields(), **changes})


def write_brand(folder: Path, **changes: Any) -> Path:
    """Write a brand file; a change to None leaves the field out."""
    fields = {name: value for name, value in {**brand_fields(), **changes}.items() if value is not None}
    path = folder / "brand.yaml"
    path.write_text(yaml.safe_dump(fields, allow_unicode=True), encoding="utf-8")
    return path
