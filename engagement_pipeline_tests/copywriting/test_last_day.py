"""A text ends with the offer that it rests on, and with no other."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engagement_pipeline.copywriting.catalogue import Offer
from engagement_pipeline.copywriting.last_day import last_day
from engagement_pipeline.copywriting.template import TemplateCopywriter
from engagement_pipeline.copywriting.validation import validate
from engagement_pipeline_tests.copywriting.samples import brand, brief, copy

BRAND = brand()
SOON, LATER = date(2026, 12, 6), date(2026, 12, 24)
KNITWEAR = Offer(id="knitwear", text="15% off all knitwear with the code COZY15", code="COZY15", percent=15, until=SOON)
SHIPPING = Offer(id="shipping", text="Free shipping on your next order", until=LATER)
BRIEF = brief(categories=("dresses", "knitwear"), offers=(KNITWEAR, SHIPPING))


@pytest.mark.parametrize(
    ("first", "end"),
    [
        ("There is 15% off all knitwear with the code COZY15, in case you would like it.", SOON),
        ("Use the code COZY15 on knitwear whenever you are ready to have a look.", SOON),
        ("Free shipping on your next order comes with this letter, just so you know.", LATER),
        ("There is free shipping on your next order, and 15% off all knitwear for you.", SOON),
        ("It's been about a season since your last order, and days look different now.", None),
    ],
)
def test_it_ends_with_the_first_offer_that_its_words_need(first: str, end: date | None) -> None:
    text = copy(first=first)
    assert validate(text, BRIEF, BRAND) == []
    assert last_day(text, BRIEF, BRAND) == end


def test_an_offer_named_as_a_reason_counts_whatever_the_words_are() -> None:
    assert last_day(copy(reasons=("silence", "offer:shipping")), BRIEF, BRAND) == LATER


def test_what_another_offer_says_as_well_outlives_the_first() -> None:
    twins = (SHIPPING.model_copy(update={"id": "early", "until": SOON}), SHIPPING)
    text = copy(first="Free shipping on your next order comes with this letter, just so you know.")
    assert last_day(text, brief(offers=twins), BRAND) == LATER
    assert last_day(text, brief(offers=(twins[0], SHIPPING.model_copy(update={"until": None}))), BRAND) is None


def test_the_templates_letters_do_not_end() -> None:
    assert last_day(TemplateCopywriter(BRAND).stand_in(BRIEF), BRIEF, BRAND) is None


SAID = ("15% off all knitwear with the code COZY15", "free shipping on your next order", "something of your own")


@given(
    st.lists(st.sampled_from(SAID), min_size=1, max_size=2, unique=True),
    st.none() | st.dates(),
    st.none() | st.dates(),
)
def test_until_its_last_day_it_passes_every_rule_and_afterwards_it_does_not(
    said: list[str], knitwear_until: date | None, shipping_until: date | None
) -> None:
    offers = (
        KNITWEAR.model_copy(update={"until": knitwear_until}),
        SHIPPING.model_copy(update={"until": shipping_until}),
    )
    about = brief(categories=("dresses", "knitwear"), offers=offers)
    text = copy(first=f"Have a look, there is {' and '.join(said)} waiting for you here.")
    assert validate(text, about, BRAND) == []
    end = last_day(text, about, BRAND)
    for day in {offer.until for offer in offers if offer.until is not None}:
        on_that_day = about.model_copy(update={"offers": _holding(offers, day)})
        assert (validate(text, on_that_day, BRAND) == []) == (end is None or day <= end)
    forever = about.model_copy(update={"offers": _holding(offers, date.max)})
    if date.max not in (knitwear_until, shipping_until):
        assert (validate(text, forever, BRAND) == []) == (end is None)


def _holding(offers: tuple[Offer, ...], day: date) -> tuple[Offer, ...]:
    return tuple(offer for offer in offers if offer.until is None or offer.until >= day)
