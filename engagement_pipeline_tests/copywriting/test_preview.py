"""What the page of a preview says, sign by sign; how it looks, a browser tells."""

from html import unescape

from engagement_pipeline.copywriting.catalogue import Item, Offer
from engagement_pipeline.copywriting.facts import facts_of
from engagement_pipeline.copywriting.openai.prompt import Prompt
from engagement_pipeline.copywriting.preview import Preview, preview_page
from engagement_pipeline.copywriting.render import Links, Recipient, Renderer
from engagement_pipeline_tests.copywriting.samples import brand, brief, copy

BRAND = brand()
BRIEF = brief(
    categories=("dresses", "knitwear"),
    items=(Item(sku="KN-301", name="Cloud Cardigan", category="knitwear"),),
    offers=(Offer(id="shipping", text="Free shipping on your next order"),),
)
PREVIEW = Preview(
    user_id="u1",
    campaign="win-back",
    edition="3f42d8534419",
    variant="note",
    origin="Written for this preview.",
    may_go=True,
    verdict=("It would be sent now.",),
    score=("Score 37.3 of 100.",),
    email=Renderer(BRAND).render(
        copy(), Recipient("Zoë"), Links("https://a.example/", "https://a.example/unsubscribe")
    ),
    brief=BRIEF,
    facts=facts_of(BRIEF, BRAND),
    prompt=Prompt(BRAND).messages(BRIEF, 0),
    prompt_note="As it is sent, word for word.",
    copywriter="openai",
    record={"model": "some-model", "input_tokens": 1512, "cost_usd": 0.00082, "failures": ["figure", "offer"]},
    cost="This preview cost $0.00082.",
)


def test_the_page_holds_html_plain_text_brief_facts_prompt_and_cost() -> None:
    page = unescape(preview_page(PREVIEW))
    html = PREVIEW.email.html.replace("<head>", '<head><base target="_blank">', 1)
    assert page.count(html) == 2
    assert PREVIEW.email.text in page
    assert PREVIEW.email.subject in page
    for name, value in BRIEF.in_words().items():
        assert name in page
        assert value in page
    for fact in PREVIEW.facts:
        assert fact.id in page
        assert fact.text in page
    for message in PREVIEW.prompt:
        assert message["content"].strip() in page
    for said in (*PREVIEW.verdict, *PREVIEW.score, PREVIEW.origin, PREVIEW.edition, PREVIEW.prompt_note, PREVIEW.cost):
        assert said in page


def test_what_a_model_cost_stands_with_the_text() -> None:
    page = preview_page(PREVIEW)
    for said in ("some-model", "1,512", "$0.00082", "figure, offer"):
        assert said in page
