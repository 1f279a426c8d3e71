"""Every attack as a name, a preference and an item, from the store through a model to the bytes that are sent."""

import email
import json
from email import policy
from pathlib import Path

import duckdb
import pytest
from pydantic import ValidationError

from engagement_pipeline.cohorts.gate import decide
from engagement_pipeline.copywriting.catalogue import Catalogue
from engagement_pipeline.copywriting.openai.prompt import Prompt
from engagement_pipeline.delivery.drafts import write_drafts
from engagement_pipeline.delivery.outbox import OutboxMailer
from engagement_pipeline.platform.settings import Settings
from engagement_pipeline.platform.settings_groups import GateSettings, ScoringSettings
from engagement_pipeline.platform.sql import Database
from engagement_pipeline.scoring.scores import rescore
from engagement_pipeline.users.mirror import pull
from engagement_pipeline.users.models import User
from engagement_pipeline_tests.conftest import NOW
from engagement_pipeline_tests.copywriting.openai.parts import BRAND, writer
from engagement_pipeline_tests.copywriting.pages import Page
from engagement_pipeline_tests.copywriting.test_hostile import BARE, HOSTILE, catalogues
from engagement_pipeline_tests.delivery.parts import SECRET, Parts, silent_user
from engagement_pipeline_tests.model_server import ModelServer, reply

pytestmark = pytest.mark.integration


def hostile_users() -> list[User]:
    """As many as the store would take at all, and somebody harmless first."""
    users = [silent_user(0)]
    for attack in HOSTILE:
        for told in ({"name": attack}, {"preferred_categories": (attack, "dresses", attack.upper())}):
            try:
                users.append(silent_user(len(users), **told))
            except ValidationError:
                continue
    return users


def hostile_catalogue(folder: Path) -> Catalogue:
    """Return everything that would be accepted of them."""
    accepted = [catalogue for attack in BARE for catalogue in catalogues(folder, attack)]
    items = {item.sku: item for catalogue in accepted for item in catalogue.items}
    offers = {offer.id: offer for catalogue in accepted for offer in catalogue.offers}
    return Catalogue(items=tuple(items.values()), offers=tuple(offers.values()))


def around_facts(question: str) -> tuple[str, str]:
    """Check that what is fenced is lines of data; return what stands before and behind it."""
    before, _, rest = question.partition("<facts>\n")
    facts, _, behind = rest.partition("\n</facts>")
    for line in facts.splitlines():
        assert json.loads(line).keys() == {"id", "text"}
    assert "facts>" not in facts + behind
    return before, behind


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_no_attack_gets_anywhere(
    tmp_path: Path, con: duckdb.DuckDBPyConnection, database: Database, model_server: ModelServer
) -> None:
    users = hostile_users()
    assert len(users) > 300
    parts = Parts(database)
    parts.add_users(users, NOW)
    pull(con, database)
    rescore(con, NOW.date(), ScoringSettings(), full=True, now=NOW)
    decide(con, NOW, GateSettings(hold_out_share=0), ScoringSettings(), SECRET, full=True)
    model_server.say(reply(times=None))
    copywriter = writer(model_server.base_url, database, batch_above=None, texts_per_brief=1)
    catalogue = hostile_catalogue(tmp_path)
    report = write_drafts(con, parts.ledger, copywriter, BRAND, Settings(), NOW, full=True, catalogue=catalogue)
    assert (report.written, report.replaced) == (len(users), 0)

    prompt = Prompt(BRAND)
    questions = model_server.questions()
    assert len(questions) > 20
    assert {question[0]["content"] for question in questions} == {prompt.system}
    assert {len(question) for question in questions} == {2}
    assert len({around_facts(question[1]["content"]) for question in questions}) == len(prompt.styles)

    outbox = tmp_path / "outbox"
    assert parts.sender(OutboxMailer(outbox)).run(lambda: NOW).sent == len(users)
    messages = [email.message_from_bytes(path.read_bytes(), policy=policy.default) for path in outbox.glob("*.eml")]
    [keys] = {tuple(message.keys()) for message in messages}
    assert "Bcc" not in keys
    shapes = set()
    for message in messages:
        page = message.get_body(("html",))
        assert page is not None
        shapes.add(tuple(Page(page.get_content()).tags))
        assert "@example.com" in message["To"]
        assert message["To"].count("@") == 1
        assert len(message["Subject"]) <= 140
    assert len(shapes) == 1
