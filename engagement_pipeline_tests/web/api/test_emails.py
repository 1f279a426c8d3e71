"""E-mails, suppressions, figures and the system over the API."""

import io
from datetime import timedelta

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from engagement_pipeline.copywriting.copy import Provenance, Text
from engagement_pipeline.copywriting.keeping import keep
from engagement_pipeline.delivery import breaker
from engagement_pipeline.delivery.tables import emails
from engagement_pipeline.platform import facts, published, run_failures, run_marks
from engagement_pipeline.platform.audit import audit_log
from engagement_pipeline_tests.conftest import NOW
from engagement_pipeline_tests.copywriting.samples import brief
from engagement_pipeline_tests.delivery.parts import COPY
from engagement_pipeline_tests.users.builders import log_of, newest_seq
from engagement_pipeline_tests.web.api.shop import Shop

UNKNOWN = "2" * 32


def test_emails_are_listed_and_read_as_they_are_received(api: TestClient) -> None:
    listed = api.get("/api/emails?status=clicked").json()["items"]
    assert [each["email_id"] for each in listed] == ["4" * 32]
    email = api.get(f"/api/emails/{listed[0]['email_id']}").json()
    assert email["rendered"]["subject"] == "It has been a while, Zoë"
    assert "/unsubscribe?token=" in email["rendered"]["text"]
    assert email["events"] == []
    assert api.get("/api/emails?created_from=2026-03-01T00:00:00Z").json()["items"] == []
    assert api.get(f"/api/emails/{'0' * 32}").status_code == 404
    assert api.get("/api/emails/..%2F..%2Fetc").status_code == 422


def test_an_email_is_read_with_its_brief_and_where_its_text_comes_from(api_shop: Shop, api: TestClient) -> None:
    path = f"/api/emails/{'4' * 32}"
    before = api.get(path).json()
    assert (before["brief"], before["provenance"]) == (None, None)
    paid = Provenance("v1", "a-model", "f" * 32, 0, 100, 50, 0.001)
    kept = keep(Text(COPY, "openai", paid), brief())
    with api_shop.database.write() as connection:
        connection.execute(sa.update(emails).where(emails.c.email_id == "4" * 32).values(provenance=kept))
    email = api.get(path).json()
    assert email["brief"]["silence"] == "about_a_season"
    assert (email["provenance"]["model"], "brief" in email["provenance"]) == ("a-model", False)


def test_a_person_says_what_became_of_an_unknown_one(api_shop: Shop, api: TestClient) -> None:
    path = f"/api/emails/{UNKNOWN}/resolve"
    assert api.post(path, json={"became": "lost"}).status_code == 422
    answer = api.post(path, json={"became": "failed", "note": "not in the provider's log"})
    assert answer.json()["status"] == "failed"
    assert api.post(path, json={"became": "sent"}).status_code == 409
    assert api.post(f"/api/emails/{'0' * 32}/resolve", json={"became": "sent"}).status_code == 404
    assert [(row["action"], row["details"]) for row in api_shop.rows(audit_log)] == [
        ("email.resolved", {"became": "failed"})
    ]


def test_writing_now_goes_through_the_gate(api_shop: Shop, api: TestClient) -> None:
    seq = newest_seq(api_shop.database)
    # Written to three days ago.
    with api_shop.database.write() as connection:
        last = NOW - timedelta(days=3)
        connection.execute(
            sa.text("UPDATE users SET last_touch_at = :at, last_email_at = :at WHERE user_id = 'u5'").bindparams(
                sa.bindparam("at", last, emails.c.sent_at.type)
            )
        )
    refused = api.post("/api/users/u5/emails", json={})
    assert (refused.status_code, refused.json()["reason"]) == (200, "cool_down")
    written = api.post("/api/users/u5/emails", json={"override_cool_down": True})
    assert (written.status_code, written.json()["overridden"]) == (201, ["cool_down"])
    email = api.get(written.headers["location"]).json()
    assert (email["status"], email["requested_by"], email["overrides"]) == ("queued", "shop", ["cool_down"])
    open_one = api.post("/api/users/u5/emails", json={})
    assert (open_one.status_code, open_one.json()["email_id"]) == (409, email["email_id"])
    assert ("request", email["email_id"], "u5", "created") in log_of(api_shop.database, seq)
    assert api.post("/api/users/nobody/emails", json={}).status_code == 404


def test_suppressions(api_shop: Shop, api: TestClient) -> None:
    added = api.post("/api/suppressions", json={"address": "U1@Example.com", "reason": "asked_by_phone"})
    assert added.status_code == 201
    key = added.json()["address_key"]
    again = api.post("/api/suppressions", json={"address": key, "reason": "other"})
    assert (again.status_code, again.json()["reason"]) == (200, "asked_by_phone")
    assert api.get("/api/users/u1").json()["suppression"]["reason"] == "asked_by_phone"
    looked_up = api.post("/api/suppression-lookups", json={"address": "u1@example.com"}).json()
    assert looked_up == {"address_key": key, "suppression": added.json()}
    assert api.get("/api/suppressions?reason=asked_by_phone").json()["items"] == [added.json()]
    assert api.get("/api/suppressions?source=ses").json()["items"] == []
    assert api.delete(f"/api/suppressions/{key}").status_code == 204
    assert api.delete(f"/api/suppressions/{key}").status_code == 404
    assert api.get(f"/api/suppressions/{key}").status_code == 404
    assert [row["action"] for row in api_shop.rows(audit_log)] == ["suppression.added", "suppression.removed"]
    assert api.post("/api/suppressions", json={"address": "nobody"}).json()["errors"][0]["field"] == "address"


def test_suppressions_as_a_file(api_shop: Shop, api: TestClient) -> None:
    text = "email,reason\nu1@example.com,left\n=cmd()@example.com,left\nno address,left\n"
    headers = {"Content-Type": "text/csv"}
    report = api.post("/api/suppression-file", content=text.encode(), headers=headers).json()
    assert (report["read"], report["added"] + report["rejected"]) == (3, 3)
    exported = api.get("/api/suppression-file")
    assert exported.headers["content-type"].startswith("text/csv")
    assert "attachment" in exported.headers["content-disposition"]
    lines = io.StringIO(exported.text).readlines()
    assert any("u1@example.com" in line for line in lines)
    assert not any(cell.startswith(("=", "+", "-", "@")) for line in lines for cell in line.split(","))
    assert api.post("/api/suppression-file", content=b"name\nAda\n", headers=headers).status_code == 422
    assert api.post("/api/suppression-file", content=b"\xff\xfe\x00", headers=headers).status_code == 422
    assert not list((api_shop.settings.data_dir).glob("**/api.csv"))


@pytest.mark.parametrize(
    "name", ["overview", "users-by-band", "score-distribution", "funnel", "email-status", "effectiveness"]
)
def test_figures_are_there_before_they_are_computed(api: TestClient, name: str) -> None:
    answer = api.get(f"/api/metrics/{name}")
    assert answer.status_code == 200
    assert name == "overview" or answer.json()["computed_at"] is None


@pytest.mark.parametrize("payload", [[], "text", {"today": 1, "bins": 1, "steps": 1, "counts": 1, "segments": 1}])
def test_figures_of_another_version_count_as_not_computed(api_shop: Shop, api: TestClient, payload: object) -> None:
    names = ("users_by_band", "score_distribution", "funnel", "email_status", "effectiveness")
    with api_shop.database.write() as connection:
        published.put(connection, dict.fromkeys(names, payload), NOW)
    whole = api.get("/api/metrics/overview").json()
    for name in names:
        answer = api.get(f"/api/metrics/{name.replace('_', '-')}")
        assert (answer.status_code, answer.json()["computed_at"]) == (200, None), name
        assert whole[name] == answer.json()


def test_figures_are_those_published(api_shop: Shop, api: TestClient) -> None:
    payload = {"as_of": "2026-03-02", "today": {"critical": 3, "at_risk": 2, "moderate": 1, "good": 0}}
    with api_shop.database.write() as connection:
        published.put(connection, {"users_by_band": payload}, NOW)
    body = api.get("/api/metrics/users-by-band").json()
    assert (body["today"], body["computed_at"]) == (payload["today"], "2026-03-02T15:00:00Z")
    assert api.get("/api/metrics/overview").json()["users_by_band"] == body


def test_the_system_tells_how_it_stands(api_shop: Shop, api: TestClient) -> None:
    with api_shop.database.write() as connection:
        run_marks.record(connection, "refresh_engagement", succeeded=True, ended_at=NOW - timedelta(hours=5))
        run_failures.record(
            connection, run_id="r1", job="send_emails", steps=["email_deliveries"], error="OSError", failed_at=NOW
        )
    body = api.get("/api/system").json()
    assert body["unknown"]["number"] == 2
    assert body["jobs"][0]["job"] == "refresh_engagement"
    assert body["failures"][0]["error"] == "OSError"
    assert body["unanswered_changes"] > 0
    assert body["stopped"] is None


def test_going_on_after_a_stop(api_shop: Shop, api: TestClient) -> None:
    assert api.post("/api/system/resume").status_code == 409
    with api_shop.database.write() as connection:
        facts.put(connection, breaker._TRIPPED, "too many bounces")
    assert api.get("/api/system").json()["stopped"] == "too many bounces"
    assert api.post("/api/system/resume").json()["stopped"] is None
    assert [row["action"] for row in api_shop.rows(audit_log)] == ["sending.resumed"]


def test_readiness(api_shop: Shop) -> None:
    client = api_shop.client()
    assert client.get("/ready").json()["last_run_at"] is None
    with api_shop.database.write() as connection:
        run_marks.record(connection, "refresh_engagement", succeeded=True, ended_at=NOW - timedelta(hours=5))
    assert client.get("/ready").json()["last_run_age_seconds"] == 5 * 3600
    with api_shop.database.write() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    stale = client.get("/ready")
    assert (stale.status_code, stale.json()["ready"]) == (503, False)
    with api_shop.database.write() as connection:
        connection.execute(sa.text("DROP TABLE run_marks"))
    gone = client.get("/ready")
    assert (gone.status_code, gone.json()["store"]) == (503, False)


def test_measurements_for_prometheus(api_shop: Shop, api: TestClient) -> None:
    api.get("/api/users/u1")
    api.get("/api/users/u2")
    api.get("/api/nothing/u3@example.com")
    assert 'engagement_emails{status="unknown"}' not in api.get("/metrics").text, "counted once it is answered"
    text = api.get("/metrics").text
    assert 'engagement_http_request_seconds_count{method="GET",path="/api/users/{user_id}",status="200"} 2.0' in text
    assert 'engagement_emails{status="unknown"} 2.0' in text
    assert "engagement_unknown_emails 2.0" in text
    assert "engagement_sending_stopped 0.0" in text
    assert "u3" not in text
    assert api_shop.client().get("/metrics").status_code == 401
    assert api_shop.here().get("/metrics").status_code == 200
    assert api_shop.client(api_shop.token("watch", "read")).get("/metrics").status_code == 200


def test_the_documentation_is_whole_in_itself(api_shop: Shop) -> None:
    page = api_shop.client().get("/api/docs")
    assert page.status_code == 200
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "<script" not in page.text
    assert "http-equiv" not in page.text
    assert 'src="' not in page.text
    described = api_shop.client().get("/api/openapi.json").json()
    operations = [each for item in described["paths"].values() for each in item.values()]
    for operation in operations:
        assert f'id="{operation["operationId"]}"' in page.text
    assert len({operation["operationId"] for operation in operations}) == len(operations)
    for name in ("NewUser", "OrderFields", "OrderBatch", "WriteNow", "Resolution", "NewSuppression"):
        assert described["components"]["schemas"][name]["examples"], name


def test_what_waits_for_approval(api_shop: Shop, api: TestClient) -> None:
    with api_shop.database.write() as connection:
        connection.execute(sa.update(emails).where(emails.c.email_id == "5" * 32).values(status="draft", edition="e1"))
    body = api.get("/api/approvals").json()
    assert [(each["edition"], each["number"], each["is_more"]) for each in body["waiting"]] == [("e1", 1, False)]
    assert body["waiting"][0]["samples"][0]["subject"] == "It has been a while, {{first_name}}"
    assert (body["decided"], body["needed"]) == ([], False)


def test_an_edition_is_decided_on(api_shop: Shop, api: TestClient) -> None:
    with api_shop.database.write() as connection:
        waits = {"status": "draft", "campaign": api_shop.pipeline.settings.campaign, "edition": "0123abcd4567"}
        connection.execute(sa.update(emails).where(emails.c.email_id == "4" * 32).values(waits))
    [waiting] = [each for each in api.get("/api/approvals").json()["waiting"] if each["edition"] == "0123abcd4567"]
    path = "/api/approvals/0123abcd4567"
    assert api.put(path, json={"verdict": "maybe"}).status_code == 422
    assert api.put(path, json={"verdict": "approved", "note": "ada@example.com"}).status_code == 422
    assert api.put("/api/approvals/ffffffffffff", json={"verdict": "approved"}).status_code == 404
    approved = api.put(path, json={"verdict": "approved", "note": "reads well"}).json()
    assert (approved["decided"]["verdict"], approved["decided"]["decided_by"]) == ("approved", "shop")
    assert (approved["waiting"], approved["closed"]) == (waiting["number"], 0)
    rejected = api.put(path, json={"verdict": "rejected"}).json()
    assert (rejected["waiting"], rejected["closed"]) == (0, waiting["number"])
    assert [row["action"] for row in api_shop.rows(audit_log)] == ["copy.approved", "copy.rejected"]
    assert {row["status"] for row in api_shop.rows(emails) if row["edition"] == "0123abcd4567"} == {"skipped"}


def test_what_the_campaign_says_now_is_decided_on_before_anything_waits(api_shop: Shop, api: TestClient) -> None:
    edition = api_shop.pipeline.edition
    rejected = api.put(f"/api/approvals/{edition}", json={"verdict": "rejected", "note": "too pushy"})
    assert (rejected.status_code, rejected.json()["closed"], rejected.json()["waiting"]) == (200, 0, 0)
    [decided] = api.get("/api/approvals").json()["decided"]
    assert (decided["edition"], decided["note"]) == (edition, "too pushy")
