"""An edition changes with what can be said, and with nothing else."""

from pathlib import Path

import pytest

from engagement_pipeline.copywriting.brand import load_brand
from engagement_pipeline.copywriting.catalogue import Catalogue, Item, ListedOffer
from engagement_pipeline.copywriting.edition import edition_of
from engagement_pipeline.copywriting.openai.writer import OpenAICopywriter
from engagement_pipeline.copywriting.template import TemplateCopywriter
from engagement_pipeline.platform import clock
from engagement_pipeline.platform.settings import PROJECT_ROOT, Settings
from engagement_pipeline.platform.settings_groups import CopywritingSettings
from engagement_pipeline.platform.sql import Database

BRAND = load_brand(PROJECT_ROOT / "data" / "brand.yaml")
ITEM = Item(sku="d-1", name="linen dress", category="dresses")
OFFER = ListedOffer(id="spring", text="10% off your next order.", percent=10)


def writer(tmp_path: Path, **settings: object) -> OpenAICopywriter:
    whole = Settings(data_dir=tmp_path, copywriting=CopywritingSettings(**settings))
    database = Database(f"sqlite:///{tmp_path / 'store.db'}")
    return OpenAICopywriter(whole, BRAND, TemplateCopywriter(BRAND), database, clock.now)


def test_it_is_the_same_in_every_process() -> None:
    assert edition_of(TemplateCopywriter(BRAND), None) == edition_of(TemplateCopywriter(BRAND), None)
    assert edition_of(TemplateCopywriter(BRAND), None) == edition_of(
        TemplateCopywriter(BRAND), Catalogue(items=(ITEM,))
    )


def test_it_changes_with_the_brand_the_model_and_the_offers(tmp_path: Path) -> None:
    louder = BRAND.model_copy(update={"voice": "Loud."})
    editions = [
        edition_of(TemplateCopywriter(BRAND), None),
        edition_of(TemplateCopywriter(louder), None),
        edition_of(TemplateCopywriter(BRAND), Catalogue(offers=(OFFER,))),
        edition_of(TemplateCopywriter(BRAND), Catalogue(offers=(OFFER.model_copy(update={"percent": None}),))),
        edition_of(writer(tmp_path), None),
        edition_of(writer(tmp_path, model="another"), None),
    ]
    assert len(set(editions)) == len(editions)


@pytest.mark.parametrize("change", [{"price_per_million_input": 9.0}, {"concurrency": 3}, {"budget_usd": 1.0}])
def test_it_does_not_change_with_what_changes_no_word(tmp_path: Path, change: dict[str, object]) -> None:
    assert edition_of(writer(tmp_path, **change), None) == edition_of(writer(tmp_path), None)
