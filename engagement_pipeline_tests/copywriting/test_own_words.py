"""What the brand, the brief's offers and its items say themselves may be said, in the ways in which people put it."""

from datetime import date
from typing import Any

import pytest

from engagement_pipeline.copywriting.brief import Brief
from engagement_pipeline.copywriting.catalogue import Offer
from engagement_pipeline.copywriting.validation import validate
from engagement_pipeline_tests.copywriting.samples import brand, brief, copy
from engagement_pipeline_tests.copywriting.words import SENTENCE


def offered(**fields: Any) -> Brief:
    return brief(categories=("dresses", "knitwear"), offers=(Offer(id="a", **fields),))


def codes(words: str, about: Brief, **brand_fields: Any) -> set[str]:
    text = copy(first=SENTENCE.format(words))
    return {violation.code for violation in validate(text, about, brand(**brand_fields))}


def ends(day: date) -> Brief:
    return offered(text="A lovely parcel for every order", until=day)


@pytest.mark.parametrize(
    "words",
    [
        "December 6",
        "until December 6",
        "only until December 6",
        "valid through December 6",
        "good till December 6",
        "open until December 6",
        "by December 6",
        "end on December 6",
        "ends December 6",
        "ending on December 6",
        "expire on December 6",
        "expires on December 6",
        "expiring December 6",
        "December 6th",
        "Dec 6",
        "Dec. 6",
        "Dec. 6th",
        "the 6th of December",
        "6 December",
        "6 Dec",
        "the 6th of Dec. 2026",
        "Sunday December 6",
        "Sunday, December 6, 2026",
        "Sunday, the 6th of December, 2026",
        "December 6 2026",
    ],
)
def test_an_offers_last_day_may_be_put_in_many_ways(words: str) -> None:
    assert codes(words, ends(date(2026, 12, 6))) == set()
    assert codes(words, ends(date(2026, 11, 7))) != set()


@pytest.mark.parametrize(("day", "words"), [(1, "May 1st"), (2, "May 2nd"), (3, "the 3rd of May"), (4, "May 4th")])
def test_days_are_counted_in_english(day: int, words: str) -> None:
    assert codes(words, ends(date(2026, 5, day))) == set()


@pytest.mark.parametrize("words", ["December 6, 2027", "December 61", "December 16", "November 6"])
def test_another_day_is_not_the_offers(words: str) -> None:
    assert codes(words, ends(date(2026, 12, 6))) != set()


@pytest.mark.parametrize(
    "words",
    [
        "COZY15",
        "code COZY15",
        "with code COZY15",
        "code: COZY15",
        "use code COZY15",
        "use the code COZY15",
        "enter your code COZY15",
        "the promo code COZY15",
        "discount code COZY15",
        "coupon code: COZY15",
        "use your checkout code COZY15",
    ],
)
def test_an_offers_code_may_be_announced_in_many_ways(words: str) -> None:
    assert codes(words, offered(text="A lovely parcel for every order", code="COZY15")) == set()
    assert codes(words, offered(text="A lovely parcel for every order", code="COZY25")) != set()


@pytest.mark.parametrize(
    "words",
    [
        "15% off knitwear",
        "15 % off knitwear",
        "15 percent off knitwear",
        "15 per cent off knitwear",
        "a 15% discount on knitwear",
        "a discount of 15% on knitwear",
        "save 15% on knitwear",
    ],
)
def test_an_offers_percentage_may_be_put_in_many_ways(words: str) -> None:
    text = "In knitwear week there is something off"
    assert codes(words, offered(text=text, percent=15)) == set()
    assert codes(words, offered(text=text, percent=25)) != set()
    assert codes(words, offered(text=text)) != set()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Have a look at knitwear.example.com today.", "a look at knitwear.example.com"),
        ("There is 15% off knitwear", "knitwear at 15% off"),
        ("A lovely parcel with COZY15", "a parcel for COZY15"),
        ("Pay for 2 and take 3 of our socks", "3 where you pay for 2"),
        ("Pay $20 for a pair of our socks", "a pair for $20"),
        ("There is a gift box with a Warm Winter Scarf!", "there is a gift box with a warm  winter scarf"),
        ("Free shipping on your next order", "free  shipping"),
    ],
)
def test_what_an_offers_sentence_states_may_be_said(text: str, words: str) -> None:
    assert codes(words, offered(text=text)) - {"offer_scope"} == set()
    assert codes(words, brief(categories=("dresses", "knitwear"))) != set()


@pytest.mark.parametrize("apostrophe", "'’")
@pytest.mark.parametrize("written", "'’")
def test_an_apostrophe_is_one_however_it_is_written(apostrophe: str, written: str) -> None:
    about = offered(text=f"You{written}ll get a gift with the Winter Box")
    assert codes(f"this: you{apostrophe}ll get a gift with the Winter Box", about) == set()


def test_the_team_may_be_named() -> None:
    assert codes("Team Number One", brief(), team="Team Number One") == set()
    assert codes("Team Number One", brief()) != set()


def test_a_categorys_idea_may_be_told_to_those_who_like_it_and_to_no_others() -> None:
    ideas = {"dresses": "Wear it as you like", "shoes": "Ten ways to go"}
    fields = [{"name": name, "idea": idea} for name, idea in ideas.items()]
    assert codes("ten ways to go", brief(categories=("dresses", "shoes")), categories=fields) == set()
    assert codes("ten ways to go", brief(categories=("dresses",)), categories=fields) == {"figure"}
