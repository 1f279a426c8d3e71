"""What is kept beside a copy can be read again, also by a later version, and forgets a person's own words."""

import json
from datetime import date

import pytest

from engagement_pipeline.copywriting.catalogue import Item, Offer
from engagement_pipeline.copywriting.copy import Provenance, Text
from engagement_pipeline.copywriting.keeping import Kept, keep, read, without_own_words
from engagement_pipeline_tests.copywriting.samples import brief, copy

PAID = Provenance("v1", "a-model", "f" * 32, 2, 100, 50, 0.001)
FULL = brief(
    other_interests=("garden gnomes",),
    items=(Item(sku="d1", name="Linen dress", category="dresses"),),
    offers=(Offer(id="o1", text="Free shipping until Friday", until=date(2026, 3, 6)),),
)


@pytest.mark.parametrize("about", [brief(), FULL])
@pytest.mark.parametrize("origin", [None, PAID])
def test_what_was_kept_is_read_again(about: object, origin: Provenance | None) -> None:
    text = Text(copy(), "template", origin)
    kept = json.loads(json.dumps(keep(text, about)))  # type: ignore[arg-type]
    found = read(kept)
    assert found.known() == about
    assert found.record == text.record()


def test_a_small_brief_is_kept_small() -> None:
    assert len(json.dumps(keep(Text(copy(), "template"), brief()))) < 300


def test_where_nothing_was_kept_nothing_is_known() -> None:
    assert read(None) == Kept(None, None)
    assert read({"model": "m", "failures": []}) == Kept(None, {"model": "m", "failures": []})
    assert read(None).known() is None


def test_a_brief_of_another_version_is_none_to_us() -> None:
    assert read({"brief": {"mood": "cheerful"}}).known() is None


def test_own_words_are_forgotten_and_nothing_else() -> None:
    text = Text(copy(), "template", PAID)
    forgotten = without_own_words(keep(text, FULL))
    assert "gnomes" not in json.dumps(forgotten)
    assert read(forgotten).known() == FULL.model_copy(update={"other_interests": ()})
    assert read(forgotten).record == text.record()
    assert without_own_words(None) is None
    assert without_own_words({"failures": ["urgency"]}) == {"failures": ["urgency"]}
