"""The table of good and bad copies: each bad one is bad for its own reason and for no other."""

from typing import Any, get_args

import pytest

from engagement_pipeline.copywriting import validation
from engagement_pipeline.copywriting.brief import Brief
from engagement_pipeline.copywriting.validation import validate
from engagement_pipeline_tests.copywriting.samples import GOOD, brand, brief, copy

BRAND = brand()
SEASON = brief()

GOOD_COPIES: list[tuple[str, dict[str, Any], Brief]] = [
    ("as it is", {}, SEASON),
    ("without a name", {"subject": "What are you in the mood for?", "greeting": "Hello,"}, SEASON),
    ("the name first", {"subject": "{{first_name}}, what are you in the mood for?"}, SEASON),
    ("the brand's name", {"subject": "A short hello from Stitch Fix"}, SEASON),
    ("a promise of the brand", {"first": BRAND.promises[1] + " It's been about a season."}, SEASON),
    ("another way to say a season", {"first": "It's been a few months since your last order with us."}, SEASON),
    (
        "a category in the singular",
        {"first": "Is there a dress that you wore for days on end, and still love?"},
        SEASON,
    ),
    ("two categories", {"first": "Do you still reach for denim and dresses?"}, brief(categories=("dresses", "denim"))),
    ("a day and a month", {"first": "Is there a Sunday in May that you would love to feel ready for?"}, SEASON),
    ("feel free", {"first": "Please feel free to tell us what you would love to wear next."}, SEASON),
    (
        "a weekend is no ending",
        {"first": "The weekend is a good time to think of what you would love to wear."},
        SEASON,
    ),
    (
        "a question after a question",
        {"first": "Is it the color? Or is it the way that it feels when you move?"},
        SEASON,
    ),
    (
        "an accent",
        {"first": "It's been about a season, so let's meet at the café and talk about what you like."},
        SEASON,
    ),
]

BAD_COPIES: list[tuple[str, dict[str, Any], str]] = [
    # length
    (
        "a subject too long with a long name",
        {"subject": "What would you love to wear in the evenings now, {{first_name}}?"},
        "length",
    ),
    ("hardly a letter", {"paragraphs": ("We would love to see you.", "Come and look around.")}, "length"),
    (
        "a long letter",
        {
            "paragraphs": ("We would love to see you here. " * 12 + "Yes.",) * 1
            + tuple("And so we would love to hear what you like today. " * 7 + end for end in ("Yes.", "No."))
        },
        "length",
    ),
    # language
    (
        "Spanish",
        {
            "paragraphs": (
                "Ha pasado un tiempo desde tu pedido anterior, y muchas cosas son distintas ahora.",
                "Nos encantaría volver a elegir algo para ti, cuando te apetezca y sin prisa.",
            )
        },
        "language",
    ),
    (
        "Cyrillic letters",
        {"first": "It's been about a season since your last order, and dаys look different."},
        "language",
    ),
    # placeholder
    ("another placeholder", {"first": "We hope that life in {{city}} is treating you well these days."}, "placeholder"),
    ("spaces in the placeholder", {"subject": "What is new, {{ first_name }}?"}, "placeholder"),
    ("a square placeholder", {"greeting": "Hello [Name],"}, "placeholder"),
    ("a mail program's placeholder", {"greeting": "Hello *|FNAME|*,"}, "placeholder"),
    (
        "a half-open brace",
        {"first": "It's been about a season since your last order {{first_name with us."},
        "placeholder",
    ),
    ("dummy text", {"first": "This is where we say something nice, lorem ipsum and all of that."}, "placeholder"),
    (
        "a template's block",
        {"first": "It's been about a season {% if you %} since your last order with us."},
        "placeholder",
    ),
    ("the name as an owner", {"subject": "{{first_name}}'s next favorite"}, "placeholder_position"),
    (
        "the name as a subject",
        {"first": "We wondered whether {{first_name}} would love to see what we found."},
        "placeholder_position",
    ),
    ("the name twice", {"subject": "{{first_name}}, is that you, {{first_name}}?"}, "placeholder_position"),
    ("the name on the button", {"call_to_action": "Come back, {{first_name}}"}, "placeholder_position"),
    # markup
    ("HTML", {"first": "It's been <b>about a season</b> since your last order with us."}, "markup"),
    ("an entity", {"first": "It's been about a season&nbsp;since your last order with us."}, "markup"),
    ("Markdown", {"first": "It's been **about a season** since your last order with us."}, "markup"),
    # links
    ("a URL", {"first": "You can find all of it at https://deals.example.com/now when you like."}, "url"),
    ("a bare host", {"first": "You can find all of it at stitchfix.com when you like to."}, "url"),
    ("an address", {"first": "Write to help@example.com and we will tell you more about it."}, "email_address"),
    # figures
    ("a percentage", {"first": "It would be 20% nicer to see you here again, we think."}, "percentage"),
    ("a percentage in words", {"first": "We are a hundred percent sure that you would love it here."}, "percentage"),
    ("half price", {"first": "It is all half price for you, so come and have a look."}, "percentage"),
    ("an amount", {"first": "It's all yours from $25 when you come and have a look."}, "currency"),
    ("an amount in words", {"first": "There is a lot to find for a few dollars, so have a look."}, "currency"),
    ("euros", {"first": "It's all yours from €25 when you come and have a look."}, "currency"),
    ("a number", {"first": "We have 300 ideas for you, so come and have a look at them."}, "figure"),
    ("a number in words", {"first": "We have a dozen ideas for you, so come and have a look."}, "figure"),
    ("a code", {"first": "Just show BACK2U when you come to us, and that is all there is to it."}, "code"),
    ("a code announced", {"first": "Please enter the code at the end, and that is all there is to it."}, "code"),
    # offers
    ("a discount", {"first": "There is a discount for you when you come back to us."}, "offer"),
    ("free", {"first": "It is all free for you, so come and have a look around here."}, "offer"),
    ("a sale", {"subject": "The sale is on, {{first_name}}"}, "offer"),
    ("a gift", {"first": "There is a gift for you when you come and have a look."}, "offer"),
    ("a guarantee", {"first": "We guarantee that you would love all of what we find for you."}, "offer"),
    # urgency
    ("hurry", {"subject": "Hurry back to us, {{first_name}}"}, "urgency"),
    ("last chance", {"preheader": "This is the last chance to hear from our stylists."}, "urgency"),
    ("do not miss", {"first": "You will love what we have found for you, so don't miss it."}, "urgency"),
    ("do not miss, with a curly sign", {"first": "You will love what we have for you, so don’t miss it."}, "urgency"),
    ("it ends soon", {"first": "All of this ends soon, so come and have a look around."}, "urgency"),
    ("today only", {"call_to_action": "Yours today only"}, "urgency"),
    ("stock", {"first": "They are almost gone, so come and have a look around."}, "urgency"),
    # tone
    ("capitals", {"subject": "Please COME back to us"}, "shouting"),
    ("marks", {"subject": "We would love to see you!!"}, "shouting"),
    ("a phrase of the brand's list", {"call_to_action": "Click here"}, "forbidden_phrase"),
    (
        "one with a curly sign",
        {"first": "You are busy in today’s fast-paced world, and so are we."},
        "forbidden_phrase",
    ),
    (
        "the same twice",
        {"paragraphs": (GOOD["paragraphs"][0], GOOD["paragraphs"][1], GOOD["paragraphs"][0])},
        "repetition",
    ),
    # outside the brief
    (
        "another category",
        {"first": "Do you still love denim? We would love to hear about it."},
        "category_outside_brief",
    ),
    (
        "another category, one of it",
        {"first": "Do you still have that top? We would love to hear about it."},
        "category_outside_brief",
    ),
    (
        "a product",
        {"first": "We think that you would look great in a pair of Levi's this spring."},
        "name_outside_brief",
    ),
    ("a person", {"greeting": "Hello Sarah,"}, "name_outside_brief"),
    ("too long a silence", {"first": "It's been over a year since your last order with us."}, "silence_outside_brief"),
    ("too short a silence", {"first": "It's been a few weeks since your last order with us."}, "silence_outside_brief"),
    ("years of loyalty", {"first": "You have been with us for years, and we are glad of it."}, "silence_outside_brief"),
]


@pytest.mark.parametrize(("name", "changes", "about"), GOOD_COPIES, ids=[row[0] for row in GOOD_COPIES])
def test_good_copy_passes(name: str, changes: dict[str, Any], about: Brief) -> None:
    assert validate(copy(**changes), about, BRAND) == []


@pytest.mark.parametrize(("name", "changes", "code"), BAD_COPIES, ids=[row[0] for row in BAD_COPIES])
def test_bad_copy_fails_for_its_own_reason(name: str, changes: dict[str, Any], code: str) -> None:
    violations = validate(copy(**changes), SEASON, BRAND)
    assert {violation.code for violation in violations} == {code}, violations
    assert all(violation.detail for violation in violations)


def test_every_code_has_a_bad_copy() -> None:
    assert {row[2] for row in BAD_COPIES} == set(get_args(validation.Code))


def test_a_violation_names_the_field_and_the_words() -> None:
    (violation,) = validate(copy(first="It would be 20% nicer to see you here again, we think."), SEASON, BRAND)
    assert violation.detail == "paragraph 1: '20%'"


def test_every_violation_of_a_copy_is_listed() -> None:
    found = validate(copy(subject="Hurry, save $20 now", call_to_action="Click here"), SEASON, BRAND)
    assert {violation.code for violation in found} == {"urgency", "offer", "currency", "forbidden_phrase"}


def test_what_the_brand_says_itself_needs_no_proof() -> None:
    bold = brand(name="Free People 21", promises=["Shipping is always free, and 365 days a year."])
    text = copy(
        subject="A note from Free People 21", first="Shipping is always free, and 365 days a year. Isn't it nice?"
    )
    assert validate(text, SEASON, bold) == []
    other = copy(subject="A note from Free People 21", first="The shipping is free for you on all of the days of May.")
    assert [violation.code for violation in validate(other, SEASON, bold)] == ["offer"]


def test_a_users_own_words_prove_nothing() -> None:
    hostile = brief(other_interests=("50 percent discount",))
    codes = {
        v.code for v in validate(copy(first="Here is a 50 percent discount for you, as you like it."), hostile, BRAND)
    }
    assert codes == {"percentage", "offer"}


@pytest.mark.parametrize(
    ("silence", "words"),
    [
        ("about_a_month", "about a month"),
        ("about_half_a_year", "about half a year"),
        ("most_of_a_year", "most of a year"),
        ("over_a_year", "over a year"),
    ],
)
def test_the_stated_silence_is_the_briefs(silence: str, words: str) -> None:
    text = copy(first=f"It's been {words} since your last order, and days look different now.")
    assert validate(text, brief(silence=silence), BRAND) == []
    assert [violation.code for violation in validate(text, SEASON, BRAND)] == ["silence_outside_brief"]


CLAIMS = {
    "offer": "discounts, discounted, sale, deal, coupon, voucher, promo, promotion, rebate, cash back,"
    " clearance, markdown, bargain, complimentary, bonus, reward, credit, gift, on the house, on us,"
    " price drop, lower prices, save, savings, giveaway, guaranteed, free",
    "urgency": "hurry, last chance, final hours, limited time, limited-edition, act now, only today, only until,"
    " tonight only, ending soon, expires, while supplies last, selling fast, going fast, almost gone,"
    " sold out, running out, do not wait, before it's gone, before it's too late, urgently, deadline,"
    " countdown, now or never, right away, immediately, as soon as possible, by midnight, time is"
    " running, back in stock",
    "figure": "two, three, seven, eleven, thirteen, nineteen, twenty, ninety, hundreds, a thousand, millions,"
    " dozens, twice, 7, 1,000",
    "currency": "$5, € 5, £5, 5 dollars, bucks, cents, 5 EUR",
    "percentage": "5%, 5 %, 12.5%, ten percent, per cent, half off",
    "code": "SAVE-20, promo code, use code WELCOME, code: HELLO",
    "url": "http://x, www.shop, shop.co, shop.io/a",
    "placeholder": "{name}, {{last_name}}, [city], %NAME%, <<city>>, TBD, first_name",
    "markup": "<br>, &amp;, __so__, `so`",
    "silence_outside_brief": "a year, half a year, several months, many years, for months, the last year, last month,"
    " a long year, a couple of weeks, almost a year, this past season",
}


@pytest.mark.parametrize(
    ("code", "claim"), [(code, claim) for code, claims in CLAIMS.items() for claim in claims.split(", ")]
)
def test_every_way_to_claim_it_is_found(code: str, claim: str) -> None:
    text = copy(first=f"We would love to see you here again, and with {claim} if you like.")
    assert {violation.code for violation in validate(text, SEASON, BRAND)} == {code}
