"""One user's e-mail as it would be now: the same as a run would write, judged as a sender would judge it."""

from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
import sqlalchemy as sa

from engagement_pipeline.copywriting.approvals import Approval
from engagement_pipeline.copywriting.copy import Copy, Copywriter
from engagement_pipeline.copywriting.preview import Preview, preview_page
from engagement_pipeline.copywriting.template import TemplateCopywriter
from engagement_pipeline.delivery import suppressions
from engagement_pipeline.delivery.previewing import Previewer
from engagement_pipeline.delivery.tables import emails
from engagement_pipeline.pipeline import Pipeline
from engagement_pipeline.platform.change_log import head
from engagement_pipeline.platform.errors import BadInputError
from engagement_pipeline.platform.settings import Settings
from engagement_pipeline.platform.settings_groups import CopywritingSettings, DeliverySettings, GateSettings
from engagement_pipeline.platform.sql import Database
from engagement_pipeline.scoring.population import publish_population
from engagement_pipeline_tests.conftest import NOW
from engagement_pipeline_tests.delivery.parts import CAMPAIGN, COPY, SECRET, Parts, brand, order, silent_user
from engagement_pipeline_tests.delivery.sql_stores import sql_stores
from engagement_pipeline_tests.delivery.test_drafts import Rooms
from engagement_pipeline_tests.model_server import ModelServer, reply, truncated

BRAND = brand()
ALL_DAY = {"sending_hour_from": 0, "sending_hour_to": 24}


@pytest.fixture
def rooms(con: duckdb.DuckDBPyConnection, database: Database) -> Rooms:
    """Thirty users who have been scored, and decided on."""
    rooms = Rooms(con, database)
    rooms.parts.add_users([silent_user(number) for number in range(30)], NOW)
    rooms.decide(NOW, full=True)
    publish_population(con, database, NOW)
    return rooms


def settings(**changes: Any) -> Settings:
    gate = GateSettings(hold_out_share=0, **ALL_DAY)
    return Settings.model_validate({"secret_key": SECRET, "gate": gate, **changes})


def preview(
    database: Database,
    user_id: str = "u00001",
    now: datetime = NOW,
    *,
    with_settings: Settings | None = None,
    **how: Any,
) -> Preview:
    previewer = Previewer(
        with_settings or settings(), sql_stores(database), TemplateCopywriter(BRAND), "no key", BRAND, catalogue=None
    )
    return previewer.preview(user_id, now, **how)


def test_it_is_what_a_run_would_write(rooms: Rooms) -> None:
    before = {user.user_id: preview(rooms.parts.database, user.user_id) for user in some_users(rooms)}
    rooms.draft(NOW, full=True)
    for user_id, row in rooms.parts.rows().items():
        if user_id not in before:
            continue
        shown = before[user_id]
        assert shown.email.subject == Copy.model_validate(row.copy).personalised("Zoë").subject
        assert (shown.variant, shown.edition, shown.copywriter) == (row.variant, row.edition, row.copywriter)
        waiting = preview(rooms.parts.database, user_id)
        assert (waiting.email, waiting.brief, waiting.facts) == (shown.email, shown.brief, shown.facts)
        assert waiting.origin.startswith("It waits as a draft")
        assert waiting.may_go


def some_users(rooms: Rooms) -> list[Any]:
    """Users with different habits, so that briefs differ."""
    users = [silent_user(number, preferred_categories=("shoes", "Chess")) for number in range(30, 34)]
    rooms.parts.add_users(users, NOW, timedelta(days=200))
    rooms.parts.store.put_orders([order("u00031", NOW - timedelta(days=300 + day)) for day in range(9)], NOW)
    rooms.decide(NOW, full=True)
    publish_population(rooms.con, rooms.parts.database, NOW)
    return rooms.parts.store.get_users([f"u{number:05}" for number in range(26, 34)])


def test_it_changes_nothing(rooms: Rooms) -> None:
    rooms.draft(NOW, full=True)
    with rooms.parts.database.read() as connection:
        before = (head(connection), connection.execute(sa.select(emails).order_by(emails.c.email_id)).all())
    for how in ({}, {"fresh": True}, {"variant": "idea"}, {"variant": "note"}):
        preview(rooms.parts.database, **how)
    with rooms.parts.database.read() as connection:
        assert before == (head(connection), connection.execute(sa.select(emails).order_by(emails.c.email_id)).all())


def test_what_waits_is_shown_as_it_is_unless_something_else_is_asked_for(rooms: Rooms) -> None:
    with rooms.parts.database.write() as connection:
        connection.execute(sa.delete(emails))
    rooms.parts.add_drafts(["u00001"], NOW)
    assert preview(rooms.parts.database).email.subject == "It has been a while, Zoë"
    assert preview(rooms.parts.database).variant == "plain"
    assert preview(rooms.parts.database).edition == "unnamed"
    for how in ({"fresh": True}, {"variant": "idea"}):
        shown = preview(rooms.parts.database, **how)
        assert shown.email.subject != "It has been a while, Zoë"
        assert shown.origin.startswith("Written for this preview")
    assert preview(rooms.parts.database, variant="idea").variant == "idea"


def test_what_was_sent_is_not_what_the_user_would_get_now(rooms: Rooms) -> None:
    rooms.parts.add_drafts(["u00001"], NOW)
    with rooms.parts.database.write() as connection:
        connection.execute(sa.update(emails).values(status="delivered", sent_at=NOW))
    assert preview(rooms.parts.database).origin.startswith("Written for this preview")


def reason(shown: Preview) -> str:
    assert not shown.may_go
    return " ".join(shown.verdict)


def test_the_gate_says_why_not(rooms: Rooms) -> None:
    parts, database = rooms.parts, rooms.parts.database
    assert preview(database).may_go
    assert "(eligible)" in preview(database).verdict[0]
    everybody = settings(gate=GateSettings(hold_out_share=0.5, **ALL_DAY))
    verdicts = [preview(database, f"u{number:05}", with_settings=everybody).verdict for number in range(20)]
    assert any("(hold_out)" in verdict[0] for verdict in verdicts)
    at_night = settings(gate=GateSettings(hold_out_share=0, sending_hour_from=16, sending_hour_to=20))
    assert "Not before 2026-03-02 16:00 UTC" in reason(preview(database, with_settings=at_night))
    allowed = settings(delivery=DeliverySettings(allow_list=("@example.org",)))
    assert "(not_on_allow_list)" in reason(preview(database, with_settings=allowed))
    assert preview(database, "u00002").may_go
    parts.store.put_users([silent_user(2, consent=False)], NOW)
    assert "(no_consent)" in reason(preview(database, "u00002"))
    parts.store.put_orders([order("u00003", NOW)], NOW)
    assert "(not_at_risk)" in reason(preview(database, "u00003", fresh=True))
    user = parts.store.get_user("u00004")
    assert user is not None
    with database.write() as connection:
        suppressions.add(connection, user.address_key or "", "unsubscribed", "test", NOW)
    assert "(suppressed)" in reason(preview(database, "u00004"))


def test_an_email_that_waits_is_judged_as_the_sender_would(rooms: Rooms) -> None:
    parts, database = rooms.parts, rooms.parts.database
    parts.add_drafts(["u00001"], NOW, last_day=date(2026, 3, 3))
    assert preview(database).may_go
    assert "(offer_ended)" in reason(preview(database, now=NOW + timedelta(days=2)))
    with database.write() as connection:
        connection.execute(sa.update(emails).values(status="queued", not_before=NOW + timedelta(hours=2)))
    assert "Not before 2026-03-02 17:00 UTC" in reason(preview(database))


def test_words_that_nobody_has_agreed_to_are_said_to_wait(rooms: Rooms) -> None:
    database = rooms.parts.database
    careful = settings(needs_approval=True)
    shown = preview(database, with_settings=careful)
    assert reason(shown).startswith(f"Nobody has approved edition {shown.edition} yet")
    sql_stores(database).ledger.decide(Approval(CAMPAIGN, shown.edition, "approved", "Ada", "", NOW))
    shown = preview(database, with_settings=careful)
    assert shown.may_go
    assert "was approved by Ada on 2026-03-02" in shown.verdict[-1]
    sql_stores(database).ledger.decide(Approval(CAMPAIGN, shown.edition, "rejected", "Bob", "", NOW))
    assert "was rejected by Bob" in reason(preview(database))


def test_before_anybody_was_scored_it_says_so(database: Database) -> None:
    Parts(database).add_users([silent_user(1)], NOW)
    shown = preview(database)
    assert "has been scored yet" in reason(shown)
    assert shown.brief.basket == "typical"


def test_what_cannot_be_shown_is_said_in_a_sentence(rooms: Rooms) -> None:
    database = rooms.parts.database
    with pytest.raises(BadInputError, match="there is no user 'nobody'"):
        preview(database, "nobody")
    with pytest.raises(BadInputError, match="there is no variant 'loud'"):
        preview(database, variant="loud")
    rooms.parts.store.put_users([silent_user(99)], NOW)
    with pytest.raises(BadInputError, match="no order with a date"):
        preview(database, "u00099")
    rooms.parts.add_drafts(["u00001"], NOW)
    with database.write() as connection:
        connection.execute(sa.update(emails).values(copy={"subject": "half a copy"}))
    with pytest.raises(BadInputError, match="no copy"):
        preview(database)
    assert preview(database, fresh=True).may_go


def test_the_page_says_all_of_it_and_tells_nothing_private(rooms: Rooms) -> None:
    shown = preview(rooms.parts.database)
    page = preview_page(shown)
    for said in (*shown.verdict, shown.origin, shown.cost, *shown.score, shown.brief.fingerprint, "Zoë,"):
        assert said.replace("'", "&#39;") in page
    user = rooms.parts.store.get_user("u00001")
    assert user is not None
    for private in ("Ångström", "@example.com", user.address_key or "", "token="):
        assert private not in page + shown.email.html + shown.email.text
    assert "default-src 'none'" in page
    assert page.count('<iframe sandbox=""') == 2


HOSTILE = ["</pre><script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "{{ 7 * 7 }} {% raw %}"]


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_that_a_user_typed_becomes_part_of_the_page(database: Database, text: str) -> None:
    parts = Parts(database)
    parts.add_users([silent_user(1, name=text, preferred_categories=(text, text.upper()))], NOW)
    shown = preview(database)
    page = preview_page(shown)
    assert "<script" not in page.lower()
    assert "<img" not in page.lower()
    assert "49" not in shown.email.subject
    # In the frames everything stands in an attribute, escaped once more.
    assert page.count("<iframe") == page.count("</iframe>") == 2


# A model that writes.


@pytest.fixture
def with_model(rooms: Rooms, model_server: ModelServer, tmp_path: Path) -> Pipeline:
    model_server.say(reply(times=None))
    writing = CopywritingSettings(texts_per_brief=1)
    pipeline = Pipeline(
        settings(data_dir=tmp_path, openai_base_url=model_server.base_url, copywriting=writing), lambda: NOW
    )
    pipeline.__dict__["database"] = rooms.parts.database
    return pipeline


@pytest.mark.integration
def test_a_models_text_is_paid_for_once_and_kept(with_model: Pipeline, rooms: Rooms, model_server: ModelServer) -> None:
    shown = with_model.preview("u00001")
    assert shown.copywriter == "openai"
    assert shown.cost.startswith("This preview cost $0.00")
    assert [part["role"] for part in shown.prompt] == ["system", "user"]
    assert shown.prompt == model_server.questions()[0]
    assert shown.prompt_note == "As it is sent, word for word."
    again = with_model.preview("u00001")
    assert again.cost.startswith("Nothing was paid for this preview: the text was there already. It had cost $0.00")
    writer: Copywriter = with_model.copywriter
    rooms.draft(NOW, full=True, copywriter=writer)
    waiting = with_model.preview("u00001")
    assert (waiting.email, waiting.record) == (shown.email, shown.record)
    assert waiting.prompt_note == "As it was sent, word for word."
    assert "It had cost" not in waiting.cost
    assert "The text had cost $0.00" in waiting.cost
    # One for each variant.
    assert model_server.counts().answers == 2


@pytest.mark.integration
def test_a_text_that_cannot_be_sent_is_said_to_be_replaced(with_model: Pipeline, model_server: ModelServer) -> None:
    model_server.reset()
    model_server.say(truncated(2))
    shown = with_model.preview("u00001")
    assert shown.copywriter == "template"
    assert "2 answers" in shown.cost
    assert "A template stands in for the model's text: truncated." in shown.cost
    assert "truncated" in preview_page(shown)


@pytest.mark.integration
def test_a_text_that_the_budget_does_not_allow_is_said_to_be_missing(with_model: Pipeline) -> None:
    poor = with_model.settings.copywriting.model_copy(update={"budget_tokens": 10})
    pipeline = Pipeline(with_model.settings.model_copy(update={"copywriting": poor}), lambda: NOW)
    pipeline.__dict__["database"] = with_model.database
    shown = pipeline.preview("u00001")
    assert "not there yet (the run's budget is used up" in shown.cost
    assert shown.copywriter == "template"


@pytest.mark.integration
def test_a_prompt_that_has_changed_since_is_said_to_be_todays(with_model: Pipeline, rooms: Rooms) -> None:
    rooms.draft(NOW, full=True, copywriter=with_model.copywriter)
    rooms.parts.store.put_users([silent_user(1, preferred_categories=("shoes",))], NOW)
    assert with_model.preview("u00001").prompt_note.startswith("What is known of the user, or the prompt, has changed")
    rooms.parts.add_drafts(["u00001"], NOW)
    with rooms.parts.database.write() as connection:
        connection.execute(sa.update(emails).values(copy=COPY.model_dump(mode="json"), provenance=None))
    assert with_model.preview("u00001").prompt_note.startswith("The e-mail that waits was written without a model")
