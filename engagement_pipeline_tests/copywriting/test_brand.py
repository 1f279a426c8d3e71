from pathlib import Path
from typing import Any

import pytest

from engagement_pipeline.copywriting.brand import BrandError, load_brand
from engagement_pipeline.copywriting.colours import contrast
from engagement_pipeline.users.synthetic import synthetic_user
from engagement_pipeline_tests.conftest import NOW
from engagement_pipeline_tests.copywriting.samples import BRAND_FILE, brand, brand_fields, write_brand


def test_the_sample_brand_loads() -> None:
    sample = load_brand(BRAND_FILE)
    assert sample.name == "Stitch Fix"
    assert sample.from_address.endswith("example.com")
    assert len(sample.categories) >= 8


def test_the_sample_brand_knows_what_the_sample_users_like() -> None:
    liked = {name for number in range(200) for name in synthetic_user(str(number), NOW).preferred_categories}
    assert liked
    assert [name for name in liked if brand().category(name) is None] == []


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"name": None}, "name: Field required"),
        ({"name": ""}, "name: "),
        ({"name": "Two\nlines"}, "name: must be one line"),
        ({"name": "Stitch \u202eFix"}, "name: must be one line without invisible"),
        ({"name": 7}, "name: "),
        ({"signature": "<b>Us</b>"}, "signature: must be plain text"),
        ({"team": "{{ team }}"}, "team: must be plain text"),
        ({"site_url": "http://shop.example.com"}, "site_url: must be an https:// address"),
        ({"site_url": "https://user:secret@shop.example.com"}, "site_url: must be an https:// address"),
        ({"sender_name": "=?utf-8?q?Stitch_Fix?="}, "sender_name: must be written as it reads"),
        (
            {"sender_name": "A =?utf-8?q?=0D=0ABcc:_all=40example.com?="},
            "sender_name: must be written as it reads",
        ),
        ({"from_address": "nobody"}, "from_address: "),
        ({"from_address": "büro@example.com"}, "from_address: must be of plain letters before the @"),
        ({"postal_address": []}, "postal_address: "),
        ({"promises": []}, "promises: "),
        ({"promises": ["x" * 161]}, "promises.0: "),
        ({"categories": [{"name": "hats", "idea": "Warm."}, {"name": "Hats", "idea": "Warm."}]}, "'Hats' occurs twice"),
        ({"categories": [{"name": "hats"}]}, "categories.0.idea: Field required"),
        ({"forbidden_phrases": ["Blanket"]}, "'Blanket' occurs in the brand's own text"),
        ({"tone": "loud"}, "tone: "),
        ({"light": {**brand_fields()["light"], "button": "teal"}}, "light.button: must be a colour written #rrggbb"),
        (
            {"light": {**brand_fields()["light"], "button_text": "#1f6267"}},
            "light: button_text on button has a contrast",
        ),
        ({"dark": {**brand_fields()["dark"], "muted": "#333333"}}, "dark: muted on background has a contrast"),
    ],
)
def test_an_error_names_the_file_and_the_field(tmp_path: Path, changes: dict[str, Any], named: str) -> None:
    path = write_brand(tmp_path, **changes)
    with pytest.raises(BrandError) as error:
        load_brand(path)
    assert str(path) in str(error.value)
    assert named in str(error.value)


def test_all_faults_are_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(BrandError, match=r"name: .*; signature: .*"):
        load_brand(write_brand(tmp_path, name=None, signature=None))


@pytest.mark.parametrize("content", [b"- a\n- list\n", b"", b"name: [", b"\xff\xfe\x00"])
def test_a_file_that_is_no_brand_is_one_clear_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "brand.yaml"
    path.write_bytes(content)
    with pytest.raises(BrandError, match=r"brand\.yaml: (cannot be read as YAML|must be a YAML mapping)"):
        load_brand(path)


def test_a_missing_file_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(BrandError, match="cannot be read"):
        load_brand(tmp_path / "nowhere.yaml")


def test_templates_are_found_beside_the_brand_file(tmp_path: Path) -> None:
    path = write_brand(tmp_path, templates="own.yaml")
    assert load_brand(path).templates == tmp_path / "own.yaml"


@pytest.mark.parametrize("domain", ["bücher.example", "xn--bcher-kva.example"])
def test_an_international_domain_is_kept_in_the_form_that_every_mail_server_knows(tmp_path: Path, domain: str) -> None:
    loaded = load_brand(write_brand(tmp_path, from_address=f"shop@{domain}"))
    assert loaded.from_address == "shop@xn--bcher-kva.example"


def test_categories_are_found_whatever_their_case() -> None:
    found = brand().category(" DRESSES ")
    assert found is not None
    assert found.name == "dresses"
    assert brand().category("snowboards") is None


@pytest.mark.parametrize(
    ("one", "other", "ratio"),
    [("#000000", "#ffffff", 21), ("#777777", "#ffffff", 4.48), ("#ff0000", "#ffffff", 4.0), ("#123456", "#123456", 1)],
)
def test_contrast_is_that_of_wcag(one: str, other: str, ratio: float) -> None:
    assert contrast(one, other) == pytest.approx(ratio, abs=0.01)
    assert contrast(other, one) == contrast(one, other)
