from itertools import permutations, product
from pathlib import Path
from typing import Any

import pytest
import yaml

from engagement_pipeline.copywriting import template
from engagement_pipeline.copywriting.brand import Brand, load_brand
from engagement_pipeline.copywriting.brief import HISTORIES, LAST_NUMBER, SILENCES, Brief
from engagement_pipeline.copywriting.copy import Copy, Copywriter, Spending
from engagement_pipeline.copywriting.template import CopyTemplateError, TemplateCopywriter
from engagement_pipeline.copywriting.validation import validate
from engagement_pipeline_tests.copywriting.samples import brand, brief, write_brand

BRAND = brand()
WRITER = TemplateCopywriter(BRAND)
TEMPLATES = Path(template.__file__).with_name("templates.yaml")


def all_briefs(of: Brand, tastes: list[tuple[str, ...]], histories: tuple[str, ...] = HISTORIES) -> list[Brief]:
    return [
        brief(variant=variant, silence=silence, number=number, categories=categories, history=history)
        for variant, silence, number, categories, history in product(
            WRITER.variants, SILENCES, range(1, LAST_NUMBER + 1), tastes, histories
        )
    ]


def every_taste(of: Brand) -> list[tuple[str, ...]]:
    names = [category.name for category in of.categories]
    return [(), *((name,) for name in names), *permutations(names[:4], 2), tuple(names[-3:])]


def faults(of: Brand, briefs: list[Brief]) -> list[object]:
    copies = [text.copy for text in TemplateCopywriter(of).write(briefs)]
    return [(copy, found) for copy, about in zip(copies, briefs, strict=True) if (found := validate(copy, about, of))]


def test_it_is_a_copywriter_with_two_styles_to_compare() -> None:
    writer: Copywriter = WRITER
    assert writer.name == "template"
    assert writer.variants == ("note", "idea")
    assert writer.spent == Spending()


@pytest.mark.parametrize("history", HISTORIES)
def test_everything_it_writes_passes_the_validator(history: str) -> None:
    assert faults(BRAND, all_briefs(BRAND, every_taste(BRAND), (history,))) == []


def test_it_writes_differently_by_silence_taste_number_history_and_variant() -> None:
    def body(**changes: Any) -> Copy:
        return WRITER.write([brief(**changes)])[0].copy

    assert len({body(silence=silence).paragraphs for silence in SILENCES}) == len(SILENCES)
    assert len({body(number=number).subject for number in (1, 2, 3)}) == 3
    assert len({body(number=3, history=history).paragraphs for history in HISTORIES}) == len(HISTORIES)
    assert body(variant="note").subject != body(variant="idea").subject
    assert "shoes" in " ".join(body(categories=("shoes",)).paragraphs)
    assert body(categories=()).paragraphs != body().paragraphs


def test_equal_briefs_get_equal_copies_in_their_order() -> None:
    briefs = [brief(number=2), brief(number=1), brief(number=2)]
    first, second, third = WRITER.write(briefs)
    assert first == third != second
    assert WRITER.write([briefs[1]]) == [second]


def test_what_a_user_wrote_reaches_no_copy() -> None:
    assert WRITER.write([brief(other_interests=("ignore all that",))]) == WRITER.write([brief()])


def test_a_brand_that_uses_every_length_to_the_full_still_fits() -> None:
    wide = brand(
        name="N" + "n" * 39,
        team="our " + "t" * 36,
        promises=["P" + "p" * 158 + "."],
        categories=[{"name": letter * 30, "idea": "I" + "i" * 158 + "."} for letter in "abc"],
    )
    names = tuple(category.name for category in wide.categories)
    for text in TemplateCopywriter(wide).write(all_briefs(wide, [(), names[:1], names])):
        assert len(text.copy.subject) <= 70


def test_a_brand_without_categories_is_written_for() -> None:
    plain = brand(categories=[])
    assert faults(plain, all_briefs(plain, [()])) == []


def test_a_phrase_that_the_brand_forbids_in_a_template_is_found_at_once() -> None:
    with pytest.raises(CopyTemplateError, match=r"does not suit Stitch Fix: forbidden_phrase: .*'Come as you are'"):
        TemplateCopywriter(brand(forbidden_phrases=["come as you are"])).check()


def test_a_variant_without_templates_is_an_error() -> None:
    with pytest.raises(CopyTemplateError, match="no template for variant 'poem'"):
        WRITER.write([brief(variant="poem")])


def test_it_stands_in_for_a_copywriter_with_styles_of_its_own() -> None:
    assert WRITER.stand_in(brief(variant="poem")) == WRITER.stand_in(brief(variant="note"))


def own_templates(folder: Path, **changes: Any) -> Brand:
    content = {**yaml.safe_load(TEMPLATES.read_text(encoding="utf-8")), **changes}
    (folder / "own.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    return load_brand(write_brand(folder, templates="own.yaml"))


def email(**changes: Any) -> dict[str, Any]:
    return {
        "variant": "plain",
        "subject": "Hello from {{ brand.name }}",
        "preheader": "A short hello from {{ brand.team }}.",
        "greeting": "Hello {{ first_name }},",
        "paragraphs": [
            "It's been {{ since }} since your last order, and we would love to see you again.",
            "Is there a thing you have been looking for? {{ promise }}",
        ],
        "call_to_action": "Take a look",
        **changes,
    }


def test_a_brand_can_bring_its_own_templates(tmp_path: Path) -> None:
    writer = TemplateCopywriter(own_templates(tmp_path, emails=[email()]))
    assert writer.variants == ("plain",)
    assert writer.write([brief(variant="plain")])[0].copy.subject == "Hello from Stitch Fix"


@pytest.mark.parametrize(
    ("emails", "named"),
    [
        ([email(silence=["about_a_month"])], "no template for variant 'plain', about_a_season"),
        ([email(number=[1, 2])], "no template for variant 'plain', about_a_month, e-mail 3"),
        ([email(taste="known")], "taste unknown"),
        ([email(subject="About {{ weather }}")], "there is no 'weather'"),
        ([email(subject="About {{ idea }}")], "there is no 'idea'"),
        ([email(subject="Hi")], "subject"),
        ([email(subject="{{ brand.__class__ }} for you")], "there is no 'brand.__class__'"),
        ([email(subject="Hello {{ 7 * 7 }} times to you")], "placeholder"),
        ([email(call_to_action="Save 20% today")], "percentage"),
        ([{"variant": "plain"}], "subject"),
        ([email(tone="loud")], "tone"),
    ],
)
def test_a_fault_in_ones_own_templates_is_named(tmp_path: Path, emails: list[dict[str, Any]], named: str) -> None:
    with pytest.raises(CopyTemplateError) as error:
        TemplateCopywriter(own_templates(tmp_path, emails=emails)).check()
    assert named in str(error.value)


def test_a_missing_phrase_or_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CopyTemplateError, match="no phrase for about_a_season"):
        TemplateCopywriter(own_templates(tmp_path, since={"about_a_month": "about a month"}, emails=[email()]))
    with pytest.raises(CopyTemplateError, match=r"nowhere\.yaml"):
        TemplateCopywriter(brand(templates=tmp_path / "nowhere.yaml"))
