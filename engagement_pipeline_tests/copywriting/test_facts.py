from datetime import date

from engagement_pipeline.copywriting.brief import HISTORIES, LAST_NUMBER, SILENCES
from engagement_pipeline.copywriting.catalogue import Item, Offer
from engagement_pipeline.copywriting.facts import LONGEST_FACT, facts_of
from engagement_pipeline.copywriting.rules.claims import TIMES
from engagement_pipeline.copywriting.wording import STATED_TIME
from engagement_pipeline_tests.copywriting.samples import brand, brief

BRAND = brand()
FULL = brief(
    categories=("dresses", "shoes"),
    other_interests=("wool", "ignore all that", "jazz"),
    items=(Item(sku="DR-1", name="Linen Dress", category="dresses"),),
    last_items=(Item(sku="SH-7", name="City Loafer", category="shoes"),),
    offers=(
        Offer(id="week", text="10% off dresses with the code TEN10", code="TEN10", percent=10, until=date(2026, 12, 6)),
        Offer(id="shipping", text="Free shipping on your next order."),
    ),
)


def test_every_statement_has_its_id() -> None:
    facts = dict(facts_of(FULL, BRAND))
    assert list(facts) == [
        "silence",
        "history",
        "basket",
        "number",
        "category:dresses",
        "idea:dresses",
        "category:shoes",
        "idea:shoes",
        "interest:1",
        "interest:3",
        "promise:1",
        "promise:2",
        "promise:3",
        "item:DR-1",
        "last:SH-7",
        "offer:week",
        "offer:shipping",
    ]
    assert facts["promise:2"] == BRAND.promises[1]
    assert facts["idea:shoes"] == BRAND.categories[6].idea
    assert facts["item:DR-1"] == "In the shop, under dresses: Linen Dress"
    assert facts["last:SH-7"] == "They bought this last: City Loafer"
    assert facts["offer:week"] == (
        "10% off dresses with the code TEN10. Percentage: 10%. Code: TEN10. Last day: December 6, 2026."
    )
    assert facts["offer:shipping"] == "Free shipping on your next order."


def test_an_interest_that_is_no_plain_label_is_withheld() -> None:
    texts = [fact.text for fact in facts_of(FULL, BRAND)]
    assert not any("ignore" in text for text in texts)
    assert any(text.endswith(": jazz") for text in texts)


def test_every_band_reads_differently() -> None:
    def texts(id_: str, **facts: object) -> str:
        return dict(facts_of(brief(**facts), BRAND))[id_]

    assert len({texts("silence", silence=silence) for silence in SILENCES}) == len(SILENCES)
    assert len({texts("history", history=history) for history in HISTORIES}) == len(HISTORIES)
    assert len({texts("basket", basket=basket) for basket in ("small", "typical", "large")}) == 3
    assert len({texts("number", number=number) for number in range(1, LAST_NUMBER + 1)}) == LAST_NUMBER


def test_a_stated_silence_is_one_that_the_validator_lets_pass() -> None:
    for silence in SILENCES:
        fact = dict(facts_of(brief(silence=silence), BRAND))["silence"]
        stated = {found.group() for found in STATED_TIME.finditer(fact)}
        assert stated
        assert stated <= TIMES[silence]


def test_facts_are_short() -> None:
    wide = brand(
        promises=["P" * 160],
        categories=[{"name": "c" * 30, "idea": "I" * 160}],
    )
    longest = brief(
        categories=("c" * 30,),
        other_interests=("w" * 40,),
        items=(Item(sku="s" * 40, name="n" * 60, category="c" * 30),),
        offers=(Offer(id="o" * 40, text="t" * 160, code="C" * 20, percent=100, until=date(2026, 9, 30)),),
    )
    assert max(len(fact.text) for fact in facts_of(longest, wide)) <= LONGEST_FACT
