"""What a person gets who asks for everything: all of it, nobody else's, as JSON."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from engagement_pipeline.delivery import suppressions
from engagement_pipeline.delivery.events import Event
from engagement_pipeline.delivery.export import export_person
from engagement_pipeline.delivery.outbox import OutboxMailer
from engagement_pipeline.delivery.tables import emails
from engagement_pipeline.platform.audit import AuditEntry, record
from engagement_pipeline.platform.sql import Database
from engagement_pipeline.scoring.tables import scores
from engagement_pipeline.users.addresses import address_key
from engagement_pipeline.users.rejects import Reject
from engagement_pipeline_tests.conftest import NOW
from engagement_pipeline_tests.copywriting.samples import brief
from engagement_pipeline_tests.delivery.parts import SECRET, Parts, silent_user
from engagement_pipeline_tests.delivery.sql_stores import sql_stores

KEY = address_key("zoe@example.com", SECRET)


def report(parts: Parts, event_id: str, email_id: str | None, key: str | None) -> None:
    event = Event(event_id, "open", email_id, None, key, NOW, "ses", '{"ip": "192.0.2.7"}')
    sql_stores(parts.database).feedback.take([event], NOW)


@pytest.fixture
def parts(database: Database, tmp_path: Path) -> Parts:
    parts = Parts(database)
    parts.add_users([silent_user(1, "zoe@example.com", name="Zoë Ångström"), silent_user(2)], NOW)
    parts.add_drafts(["u00001", "u00002"], NOW)
    parts.sender(OutboxMailer(tmp_path / "outbox")).run(lambda: NOW)
    return parts


def exported(parts: Parts, user_id: str = "u00001") -> dict[str, Any]:
    found = export_person(parts.database, user_id)
    assert found is not None
    assert json.loads(json.dumps(found)) == found
    return found


def test_everything_is_there(parts: Parts) -> None:
    email_id = parts.rows()["u00001"].email_id
    parts.keep("u00001", brief())
    report(parts, "e1", email_id, KEY)
    report(parts, "e2", None, KEY)
    reject = Reject("user", "users.csv", 7, "consent", "not_a_truth", "is no yes or no", "u00001,zoe@example.com,maybe")
    parts.store.record_rejects([reject], NOW)
    with parts.database.write() as connection:
        record(connection, AuditEntry("shop backend", "user.updated", "user", "u00001", {"fields": ["consent"]}, NOW))
        record(connection, AuditEntry("marketer", "email.requested", "email", email_id, {}, NOW))
        suppressions.add(connection, KEY, "manual", "person", NOW)
        score = {"user_id": "u00001", "score": 30.5, "band": "at_risk", "as_of": NOW.date(), "published_at": NOW}
        connection.execute(sa.insert(scores), [score])
    found = exported(parts)
    assert (found["user"]["email"], found["user"]["name"]) == ("zoe@example.com", "Zoë Ångström")
    assert found["user"]["preferred_categories"] == ["dresses"]
    assert found["score"]["score"] == 30.5
    assert [order["total_value"] for order in found["orders"]] == [50.0]
    [email] = found["emails"]
    assert email["copy"]["subject"] == "It has been a while, Zoë"
    assert (email["brief"]["silence"], email["provenance"]) == ("about_a_season", None)
    assert email["status"] == "opened"
    assert {event["kind"]: event["original"] for event in email["events"]} == {
        "delivery": {},
        "open": {"ip": "192.0.2.7"},
    }
    assert [event["event_id"] for event in found["other_events"]] == ["e2"]
    assert found["suppression"]["reason"] == "manual"
    assert [row["line"] for row in found["rejected_records"]] == [7]
    assert [(row["actor"], row["action"]) for row in found["changes"]] == [
        ("shop backend", "user.updated"),
        ("marketer", "email.requested"),
    ]
    assert set(found["about_this"]) <= {*found, "address_key"}


def test_nobody_elses_is_there(parts: Parts) -> None:
    parts.add_users([silent_user(3, "ZOE@example.com", name="Ann Other")], NOW)
    with parts.database.write() as connection:
        record(connection, AuditEntry("shop backend", "user.updated", "user", "u00002", {}, NOW))
        given = sa.update(emails).where(emails.c.user_id == "u00002").values(address_key=KEY)
        connection.execute(given)
    report(parts, "e3", parts.rows()["u00002"].email_id, KEY)
    text = json.dumps(exported(parts), ensure_ascii=False)
    for other in ("u00002", "u00003", "u2@example.com", "Ann Other", "e3"):
        assert other not in text


def test_how_we_find_somebody_and_who_holds_a_row_is_left_out(parts: Parts) -> None:
    found = exported(parts)
    assert not {"search_name", "search_surname"} & set(found["user"])
    assert not {"claimed_by", "claimed_until"} & set(found["emails"][0])


def test_who_was_deleted_has_left_emails(parts: Parts) -> None:
    parts.store.delete_user("u00001", NOW + timedelta(days=1))
    found = exported(parts)
    assert (found["user"], found["orders"], len(found["emails"])) == (None, [], 1)
    assert found["emails"][0]["copy"]["subject"] == "It has been a while"


def test_nobody_has_nothing(parts: Parts) -> None:
    assert export_person(parts.database, "nobody") is None
