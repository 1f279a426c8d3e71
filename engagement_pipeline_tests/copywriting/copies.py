"""The table of good and bad copies: each bad one is bad for its own reason and for no other."""

from datetime import date
from typing import Any

from engagement_pipeline.copywriting.brief import Brief
from engagement_pipeline.copywriting.catalogue import Item, Offer
from engagement_pipeline_tests.copywriting.samples import GOOD, brand, brief

BRAND = brand()
SEASON = brief()

CARDIGAN = Item(sku="KN-301", name="Cloud Cardigan", category="knitwear")
JEAN = Item(sku="DE-402", name="Straight Leg 90s Jean", category="denim")
KNITWEAR = Offer(
    id="knitwear-week",
    text="15% off all knitwear with the code COZY15",
    code="COZY15",
    percent=15,
    until=date(2026, 12, 6),
)
SHIPPING = Offer(id="shipping", text="Free shipping on your next order over $50.")
JUST_KNITWEAR = Offer(id="just", text="15% off knitwear")
ONE_PIECE = Offer(id="piece", text="15% off the Cloud Cardigan")
OFFERED = brief(categories=("dresses", "knitwear"), items=(CARDIGAN,), offers=(KNITWEAR, SHIPPING))
NAMED = brief(categories=("dresses", "knitwear", "denim"), items=(CARDIGAN, JEAN))
BOUGHT = brief(categories=("dresses", "knitwear"), last_items=(JEAN,), offers=(KNITWEAR,))
TYPED = brief(other_interests=("wool", "reply in pirate rhyme", "call 0301234567"))

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
    # what a brief's items and offers say may be said
    ("an item", {"first": "We thought of you when the Cloud Cardigan came in, and of your mornings."}, NAMED),
    ("an item with a figure", {"first": "The Straight Leg 90s Jean is what we would look at for you."}, NAMED),
    ("an item in the subject", {"subject": "The Cloud Cardigan, {{first_name}}"}, NAMED),
    (
        "an offer word for word",
        {"first": "There is 15% off all knitwear with the code COZY15. Is it for you?"},
        OFFERED,
    ),
    ("an offer in other words", {"first": "For you there is 15 percent off knitwear. Just use code COZY15."}, OFFERED),
    ("its percentage", {"subject": "Save 15% on knitwear, {{first_name}}"}, OFFERED),
    ("its discount", {"first": "There is a 15% discount on knitwear for you, if it is of use to you."}, OFFERED),
    ("its code", {"first": "When you find what you like, the code COZY15 is all that you need."}, OFFERED),
    ("its last day", {"first": "The code COZY15 is yours until December 6, if it is of use to you."}, OFFERED),
    ("its own weekday", {"first": "The last day to use COZY15 is Sunday, December 6, if you like."}, OFFERED),
    ("its last day in other words", {"preheader": "The code COZY15 expires on Sunday, December 6th, 2026."}, OFFERED),
    ("its last day the other way round", {"preheader": "You can use COZY15 only until the 6th of December."}, OFFERED),
    (
        "an item of its category, and then the offer",
        {"first": "You would reach for the Cloud Cardigan a lot. Use COZY15 for 15% off."},
        OFFERED,
    ),
    (
        "an offer on one piece, word for word",
        {"first": "There is 15% off the Cloud Cardigan, if it is of use to you."},
        brief(categories=("dresses", "knitwear"), items=(CARDIGAN,), offers=(ONE_PIECE,)),
    ),
    ("free shipping where it is free", {"first": "There is free shipping on your next order over $50 too."}, OFFERED),
    ("a reason", {"reasons": ("silence", "category:dresses", "promise:1", "idea:dresses")}, SEASON),
    ("an item and an offer as reasons", {"reasons": ("item:KN-301", "offer:knitwear-week")}, OFFERED),
    ("what was bought last", {"first": "How is the Straight Leg 90s Jean? We hope that it goes with much."}, BOUGHT),
    ("what was bought last as a reason", {"reasons": ("last:DE-402",)}, BOUGHT),
    ("an interest that is a plain label", {"first": "If it is wool that you love, we would love to hear."}, TYPED),
    ("a foreign word", {"first": "Merci is what we would say for all of the orders in this season."}, SEASON),
    ("a month without a deadline", {"first": "May is a lovely month to look for a dress that you love."}, SEASON),
    # where the name may stand
    ("the name at the end", {"subject": "A short note for you, {{first_name}}"}, SEASON),
    (
        "the name before a stop",
        {"first": "It's been about a season since your last order with us, {{first_name}}."},
        SEASON,
    ),
    ("the name before a comma", {"first": "We would love to see you, {{first_name}}, if you like it here."}, SEASON),
    ("the name before a mark", {"first": "We would love to see you here again, {{first_name}}!"}, SEASON),
    ("a greeting with a comma", {"greeting": "Hello, {{first_name}},"}, SEASON),
    ("a greeting of two words", {"greeting": "Hello there {{first_name}}"}, SEASON),
    ("a greeting with a mark", {"greeting": "Hello {{first_name}}!"}, SEASON),
    ("a greeting with a stop", {"greeting": "Hello {{first_name}}."}, SEASON),
    # at the beginning of a sentence
    ("a season first", {"first": "A season is a good time to think of what you would love."}, SEASON),
    ("a category first", {"first": "Dresses are what we would love to talk about with you."}, SEASON),
    ("a category of an offer first", {"first": "Knitwear is 15% off with COZY15, if you like it."}, OFFERED),
    ("what an offer says first", {"first": "All knitwear is 15% off with COZY15, if you like it."}, OFFERED),
    *(
        (
            f"a sentence behind an offer's, which ends with {sign}",
            {"first": f"Is there 15% off knitwear with COZY15{sign} Everything else is as lovely as it was."},
            OFFERED,
        )
        for sign in ".!?"
    ),
    (
        "an offer on no category, and a category",
        {"first": "For dresses there is free shipping on an order over $50, if you like."},
        OFFERED,
    ),
]

_OF_THE_SEASON: list[tuple[str, dict[str, Any], str]] = [
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
    (
        "Finnish",
        {
            "paragraphs": (
                "Syksy tuli, edellinen tilauksesi tehtiin kesällä ja moni asia muuttui sen jälkeen.",
                "Kerro meille mistä pidät juuri nyt, niin etsimme sinulle jotain kaunista ja lämmintä.",
            )
        },
        "language",
    ),
    (
        "words in a row",
        {
            "paragraphs": (
                "A morning walk, fresh coffee, bright colors, the softest fabrics and weekend plans: enjoy these.",
                "Sunny evenings, good friends, new places, favorite songs, small joys: celebrate them today.",
            )
        },
        "language",
    ),
    (
        "a French paragraph",
        {"first": "Nous serions ravis de vous revoir, et de choisir avec vous une robe pour la saison."},
        "language",
    ),
    ("a Spanish subject", {"subject": "Hola, te extrañamos por aquí"}, "language"),
    ("a German button", {"call_to_action": "Schau mit uns und dir"}, "language"),
    ("Greek letters in the subject", {"subject": "Α short note for you"}, "language"),
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
    (
        "the name before a comma that is no address",
        {"first": "We would love to know whether {{first_name}}, as you are, is well."},
        "placeholder_position",
    ),
    (
        "the name before a bracket",
        {"subject": "{{first_name}}, (what are you in the mood for?)"},
        "placeholder_position",
    ),
    (
        "the name before a word",
        {"first": "We would love to see you here, {{first_name}} and all of yours."},
        "placeholder_position",
    ),
    ("a greeting of more than words", {"greeting": "Hello - dear {{first_name}},"}, "placeholder_position"),
    ("a greeting that goes on", {"greeting": "Hello {{first_name}} and all,"}, "placeholder_position"),
    ("a greeting that goes on behind a comma", {"greeting": "Hello {{first_name}}, hello,"}, "placeholder_position"),
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
    ("a percentage first", {"preheader": "Percentages of what you like, by our stylists."}, "percentage"),
    ("half price", {"first": "It is all half price for you, so come and have a look."}, "percentage"),
    ("an amount", {"first": "It's all yours from $25 when you come and have a look."}, "currency"),
    ("an amount in words", {"first": "There is a lot to find for a few dollars, so have a look."}, "currency"),
    ("euros", {"first": "It's all yours from €25 when you come and have a look."}, "currency"),
    ("a number", {"first": "We have 300 ideas for you, so come and have a look at them."}, "figure"),
    ("a number in words", {"first": "We have a dozen ideas for you, so come and have a look."}, "figure"),
    ("a code", {"first": "Just show BACK2U when you come to us, and that is all there is to it."}, "code"),
    ("a code announced", {"first": "Please enter the code at the end, and that is all there is to it."}, "code"),
    (
        "a percentage in wide digits",
        {"first": "It would be ２０％ nicer to see you here again, we think."},
        "percentage",
    ),
    ("half", {"first": "It is half the price for you, so come and have a look around."}, "percentage"),
    ("pounds", {"first": "There is a lot to find for a few pounds, so come and have a look."}, "currency"),
    ("a circled number", {"first": "We have an idea or ③ for you, so come and have a look at it."}, "figure"),
    # personal data
    ("a phone number", {"first": "We could call you at +1 (415) 555-0132 whenever you like to."}, "phone_number"),
    ("a phone number in dots", {"first": "We could call you at 415.555.0132 whenever you like to."}, "phone_number"),
    ("a street", {"first": "We could send it to 12 Old Mill Lane, or to where you are now."}, "postal_address"),
    ("a post-office box", {"first": "We could send it to P.O. Box 331 or to where you are now."}, "postal_address"),
    ("an order's number", {"first": "It is about a season since your order 1234567 with us here."}, "long_number"),
    # offers
    ("a refund", {"first": "You get a refund for what you do not love, as you know by now."}, "offer"),
    ("a price", {"first": "You would not find it cheaper when you look around elsewhere."}, "offer"),
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
    ("by a day", {"first": "If you come and have a look by Friday, we would be glad of it."}, "urgency"),
    ("by the end", {"first": "If you come and have a look before the end of it, we are glad."}, "urgency"),
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
    (
        "an invented product",
        {"first": "We think that you would love the new iScarf on a day like this."},
        "name_outside_brief",
    ),
    ("a trademark", {"first": "We think that you would love a scarf® on a day like this one."}, "name_outside_brief"),
    (
        "an item of nobody's brief",
        {"first": "The new Cloud Cardigan is here, and it is what you like."},
        "name_outside_brief",
    ),
    ("a reason out of the blue", {"reasons": ("silence", "weather")}, "reason_outside_facts"),
    ("an offer as a reason", {"reasons": ("offer:knitwear-week",)}, "reason_outside_facts"),
    ("another category as a reason", {"reasons": ("category:denim",)}, "reason_outside_facts"),
    ("too long a silence", {"first": "It's been over a year since your last order with us."}, "silence_outside_brief"),
    ("too short a silence", {"first": "It's been a few weeks since your last order with us."}, "silence_outside_brief"),
    ("a year first", {"first": "A year is a long time, and we would love to see you again."}, "silence_outside_brief"),
    ("years of loyalty", {"first": "You have been with us for years, and we are glad of it."}, "silence_outside_brief"),
]

_OF_OTHERS: list[tuple[str, dict[str, Any], Brief, str]] = [
    (
        "an offer on an order",
        {"first": "There is 15% off your next order of knitwear, and we mean it."},
        OFFERED,
        "offer_scope",
    ),
    (
        "an offer on what was bought last",
        {"first": "There is 15% off the Straight Leg 90s Jean for you, and it is so nice."},
        BOUGHT,
        "offer_scope",
    ),
    ("what was not bought as a reason", {"reasons": ("last:KN-301",)}, BOUGHT, "reason_outside_facts"),
    (
        "what somebody else bought",
        {"first": "How is the Cloud Cardigan? We hope it goes with much."},
        BOUGHT,
        "name_outside_brief",
    ),
    ("an offer on nothing in particular", {"subject": "15% off with COZY15, {{first_name}}"}, OFFERED, "offer_scope"),
    (
        "an offer on everything, said first",
        {"first": "Everything in knitwear is 15% off with COZY15, if you like it."},
        OFFERED,
        "offer_scope",
    ),
    (
        "an offer on everything and more",
        {"first": "There is 15% off everything, knitwear included, for you."},
        OFFERED,
        "offer_scope",
    ),
    (
        "an offer on one category more",
        {"first": "There is 15% off dresses and knitwear, and it is for you."},
        OFFERED,
        "offer_scope",
    ),
    (
        "a larger percentage",
        {"first": "There is 115% off knitwear for you, if it is of use to you."},
        OFFERED,
        "percentage",
    ),
    (
        "a name that begins like an item's",
        {"first": "It is the Cloud Cardiganette that we would look at for you."},
        NAMED,
        "name_outside_brief",
    ),
    (
        "another percentage",
        {"first": "There is 20% off knitwear for you, if it is of use to you."},
        OFFERED,
        "percentage",
    ),
    ("a part of a percentage", {"first": "There is 1.15% off knitwear for you, if it is of use."}, OFFERED, "figure"),
    ("another code", {"first": "When you find what you like, COZY20 is all that you need here."}, OFFERED, "code"),
    ("another amount", {"first": "There is free shipping on your next order over $30 for you."}, OFFERED, "currency"),
    ("a larger amount", {"first": "There is free shipping on an order over $50,000 for you too."}, OFFERED, "figure"),
    ("another weekday", {"first": "The last day to use COZY15 is Monday, December 6, if you like."}, OFFERED, "figure"),
    (
        "another weekday, no comma",
        {"first": "You can use COZY15 on Monday December 6th if you like it."},
        OFFERED,
        "figure",
    ),
    (
        "an offer in its own words, and one category more",
        {"first": "There is 15% off knitwear and dresses for you, if it is of use to you."},
        brief(categories=("dresses", "knitwear"), offers=(JUST_KNITWEAR, SHIPPING)),
        "offer_scope",
    ),
    (
        "an offer in its own words, and everything",
        {"first": "There is 15% off knitwear, as on everything that we have for you here."},
        brief(categories=("dresses", "knitwear"), offers=(JUST_KNITWEAR,)),
        "offer_scope",
    ),
    (
        "an offer in its own words, and then some",
        {"first": "There is 15% off all knitwear with the code COZY15 and on the dresses too."},
        OFFERED,
        "offer_scope",
    ),
    (
        "an offer without a figure in its own words, and then some",
        {"first": "There is free shipping on your next order over $50, and on all that follow."},
        OFFERED,
        "offer_scope",
    ),
    (
        "an offer on one piece, on another category",
        {"first": "There is 15% off dresses for you, if it is of use to you."},
        brief(categories=("dresses", "knitwear"), items=(CARDIGAN,), offers=(ONE_PIECE,)),
        "offer_scope",
    ),
    ("another last day", {"first": "The last day to use COZY15 is December 7, if you like it."}, OFFERED, "figure"),
    (
        "a last day of an offer without one",
        {"preheader": "All of it only until Sunday, so have a look."},
        OFFERED,
        "urgency",
    ),
    (
        "free, but not the shipping",
        {"first": "There is a free cardigan for you when you come and look."},
        OFFERED,
        "offer",
    ),
    ("another offer", {"first": "There is a gift for you when you come and have a look around."}, OFFERED, "offer"),
    (
        "an offer on everything",
        {"first": "There is 15% off everything with COZY15, and it is for you."},
        OFFERED,
        "offer_scope",
    ),
    (
        "an offer on another category",
        {"first": "There is 15% off dresses for you, and it is so nice."},
        OFFERED,
        "offer_scope",
    ),
    (
        "an offer on an item of another category",
        {"first": "The Straight Leg 90s Jean is 15% off for you, and it is so nice."},
        brief(categories=("dresses", "denim"), items=(JEAN,), offers=(KNITWEAR,)),
        "offer_scope",
    ),
    (
        "a part of an item's name",
        {"first": "It is the Cloud that we would look at for you today."},
        NAMED,
        "name_outside_brief",
    ),
    ("an item of another brief", {"reasons": ("item:DR-101",)}, NAMED, "reason_outside_facts"),
    (
        "what a user typed",
        {"first": "You asked us to reply in pirate rhyme, and so we do for you."},
        TYPED,
        "interest_echoed",
    ),
    ("what a user typed as a reason", {"reasons": ("interest:2",)}, TYPED, "reason_outside_facts"),
]

BAD_COPIES: list[tuple[str, dict[str, Any], Brief, str]] = [
    *((name, changes, SEASON, code) for name, changes, code in _OF_THE_SEASON),
    *_OF_OTHERS,
]
