"""The same requests on SQLite, PostgreSQL and DynamoDB: only settings differ, not what becomes of them."""

import json
from collections.abc import Callable
from datetime import timedelta

import pytest
import sqlalchemy as sa

from engagement_pipeline.copywriting.approvals import Approval
from engagement_pipeline.delivery import erasure, tokens, unknowns
from engagement_pipeline.delivery.approving import decide
from engagement_pipeline.delivery.events import Event, Kind
from engagement_pipeline.delivery.feedback.replay import replay
from engagement_pipeline.delivery.suppressions import Suppression
from engagement_pipeline.delivery.tables import email_events
from engagement_pipeline.users.addresses import address_key
from engagement_pipeline.users.tables import orders, users
from engagement_pipeline_tests.conftest import NOW
from engagement_pipeline_tests.delivery.parts import CAMPAIGN, SECRET
from engagement_pipeline_tests.end_to_end.any_store import AnyShop, any_shop

__all__ = ["any_shop"]

KEY = address_key("u1@example.com", SECRET)
ADA = {"user_id": "ada", "email": "ada@example.com", "name": "Ada Test", "consent": True}


def event(number: int, kind: Kind, email_id: str | None, **values: str) -> Event:
    return Event(
        event_id=f"event-{number}",
        kind=kind,
        email_id=email_id,
        provider_message_id=values.get("message_id"),
        address_key=values.get("address_key"),
        occurred_at=NOW + timedelta(minutes=number),
        source="ses",
        original="{}",
    )


def test_a_user_is_created_once_and_changed_by_who_has_seen_the_newest(any_shop: AnyShop) -> None:
    client = any_shop.client
    key = {"Idempotency-Key": "one"}
    created = client.post("/api/users", json=ADA, headers=key)
    assert created.status_code == 201
    again = client.post("/api/users", json=ADA, headers=key)
    assert (again.status_code, again.headers["Idempotency-Replayed"]) == (201, "true")
    assert client.post("/api/users", json=ADA).status_code == 409
    seen = client.get("/api/users/ada")
    assert seen.headers["ETag"] == created.headers["ETag"]
    others = client.patch("/api/users/ada", json={"name": "Ada Other"}, headers={"If-Match": "*"})
    assert others.status_code == 200
    mine = client.put("/api/users/ada", json={"name": "Mine"}, headers={"If-Match": seen.headers["ETag"]})
    assert mine.status_code == 412
    same = client.patch("/api/users/ada", json={"name": "Ada Other"}, headers={"If-Match": others.headers["ETag"]})
    assert same.headers["ETag"] == others.headers["ETag"]
    assert client.delete("/api/users/ada", headers={"If-Match": seen.headers["ETag"]}).status_code == 412
    assert client.delete("/api/users/ada").status_code == 204
    assert client.get("/api/users/ada").status_code == 404
    assert any_shop.audited() == [("user.created", "ada"), ("user.updated", "ada"), ("user.deleted", "ada")]


def test_orders_bring_the_user_in_line_at_once(any_shop: AnyShop) -> None:
    any_shop.publish_population()
    any_shop.client.post("/api/users", json=ADA)
    placed = {"order_id": "o/1", "user_id": "ada", "ordered_at": "2026-02-01T10:00:00Z", "total_value": 80.0}
    written = any_shop.client.post("/api/orders", json=placed)
    assert (written.status_code, written.json()["result"]) == (201, "created")
    assert written.json()["user"]["score"]["score"] > 0
    assert any_shop.client.post("/api/orders", json=placed).json()["result"] == "unchanged"
    assert any_shop.client.get("/api/orders/o%2F1").json()["total_value"] == 80.0
    assert any_shop.client.get("/api/users/ada").json()["order_count"] == 1
    unknown = any_shop.client.post("/api/orders", json={**placed, "order_id": "o2", "user_id": "nobody"})
    assert unknown.status_code == 422
    assert any_shop.client.get("/api/orders/o2").status_code == 404
    assert [action for action, _ in any_shop.audited()] == ["user.created", "order.written", "order.written"]


def test_the_list_of_addresses_that_are_not_written_to(any_shop: AnyShop) -> None:
    client = any_shop.client
    wish = {"address": "u1@example.com", "reason": "manual"}
    assert [client.post("/api/suppressions", json=wish).status_code for _ in range(2)] == [201, 200]
    assert client.get(f"/api/suppressions/{KEY}").json()["reason"] == "manual"
    looked_up = client.post("/api/suppression-lookups", json={"address": "U1@Example.com"})
    assert looked_up.json()["suppression"]["source"] == "person"
    [user_id] = any_shop.add_users(1)
    any_shop.draft(user_id)
    assert any_shop.pipeline.send().skipped_by_reason == {"suppressed": 1}
    assert client.delete(f"/api/suppressions/{KEY}").status_code == 204
    assert client.delete(f"/api/suppressions/{KEY}").status_code == 404
    file = b"email,reason\nu1@example.com,complaint\nu2@example.com,\nnobody,\n"
    imported = client.post("/api/suppression-file", content=file, headers={"Content-Type": "text/csv"})
    assert imported.json()["added"] == 2
    assert client.get(f"/api/suppressions/{KEY}").json()["reason"] == "complaint"
    any_shop.let_lists_follow()
    assert len(client.get("/api/suppressions").json()["items"]) == 2
    actions = [action for action, _ in any_shop.audited()]
    assert actions == ["suppression.added", "suppression.removed", "suppressions.imported"]


def test_from_draft_to_leaving(any_shop: AnyShop) -> None:
    [user_id] = any_shop.add_users(1)
    [email_id] = any_shop.draft(user_id)
    assert any_shop.pipeline.send().sent == 1
    assert any_shop.outbox == [email_id]
    any_shop.now += timedelta(hours=1)
    opened = tokens.issue(email_id, "open", SECRET)
    browser = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"}
    assert any_shop.client.get(f"/o/{opened}.gif", headers=browser).status_code == 200
    assert any_shop.email(email_id).status == "opened"
    shown = any_shop.client.get(f"/api/emails/{email_id}").json()
    assert (shown["status"], shown["rendered"]["subject"]) == ("opened", "It has been a while, Zoë")
    assert [each["kind"] for each in shown["events"]] == ["delivery", "open"]
    leave = f"/unsubscribe?token={tokens.issue(email_id, 'unsubscribe', SECRET)}"
    assert any_shop.client.post(leave).status_code == 200
    assert any_shop.stores.suppressions.find([KEY])[KEY].reason == "unsubscribed"
    [user] = any_shop.stores.users.get_users([user_id])
    assert (user.steps, user.last_email_at) == (1, NOW)


def test_a_person_is_written_to_on_request_once(any_shop: AnyShop) -> None:
    any_shop.publish_population()
    [user_id] = any_shop.add_users(1)
    ask = f"/api/users/{user_id}/emails"
    asked = any_shop.client.post(ask, json={})
    assert asked.status_code == 201
    email_id = asked.json()["email_id"]
    assert any_shop.client.get(asked.headers["Location"]).json()["requested_by"] == "local"
    assert any_shop.client.post(ask, json={}).json()["email_id"] == email_id
    preview = any_shop.pipeline.preview(user_id)
    assert preview.may_go, preview.verdict
    assert any_shop.pipeline.send().sent == 1
    refused = any_shop.client.post(ask, json={})
    assert (refused.status_code, refused.json()["reason"]) == (200, "cool_down")
    again = any_shop.client.post(ask, json={"override_cool_down": True})
    assert again.status_code == 201
    assert any_shop.email(again.json()["email_id"]).step == 2
    assert any_shop.audited() == [("email.requested", email_id), ("email.requested", again.json()["email_id"])]


def test_what_is_rejected_is_not_sent(any_shop: AnyShop) -> None:
    first, second = any_shop.draft(*any_shop.add_users(1, 2), edition="aaaaaaaaaaaa")
    database, ledger = any_shop.pipeline.database, any_shop.stores.ledger
    any_shop.let_lists_follow()
    answer = any_shop.client.put("/api/approvals/aaaaaaaaaaaa", json={"verdict": "rejected", "note": "too stiff"})
    assert (answer.status_code, answer.json()["closed"]) == (200, 2)
    assert {any_shop.email(email_id).reason for email_id in (first, second)} == {"copy_rejected"}
    assert any_shop.pipeline.send().sent == 0
    assert not ledger.has_rejected(CAMPAIGN)
    changed = decide(database, ledger, Approval(CAMPAIGN, "aaaaaaaaaaaa", "approved", "Ada", "", NOW))
    assert (changed.is_new, changed.closed) == (True, 0)
    assert any_shop.audited() == [("copy.rejected", "aaaaaaaaaaaa")]


def test_a_persons_word_on_what_nobody_knows(any_shop: AnyShop) -> None:
    [email_id] = any_shop.draft(*any_shop.add_users(1))
    ledger = any_shop.stores.ledger
    assert not unknowns.resolve(any_shop.stores, email_id, "failed", "", NOW)
    any_shop.pipeline.send()
    [row] = ledger.get_emails([email_id]).values()
    assert row.status == "delivered"
    assert any_shop.client.post(f"/api/emails/{email_id}/resolve", json={"became": "sent"}).status_code == 409
    assert any_shop.audited() == []


def test_events_that_come_again_after_a_crash_change_nothing_more(any_shop: AnyShop) -> None:
    """A process dies after the ledger and the list were written, before the events were kept."""
    [email_id] = any_shop.draft(*any_shop.add_users(1))
    any_shop.pipeline.send()
    events = [event(1, "hard_bounce", email_id, address_key=KEY), event(2, "open", email_id)]
    with pytest.raises(ZeroDivisionError), any_shop.pipeline.database.write():  # noqa: PT012 - both belong to it
        any_shop.stores.feedback.take(events, NOW)
        raise ZeroDivisionError
    assert {row["kind"] for row in any_shop.rows(email_events)} == {"delivery"}
    for new in (2, 0):
        assert any_shop.stores.feedback.take(events, NOW).new == new
        assert any_shop.email(email_id).status == "bounced"
        assert any_shop.stores.suppressions.find([KEY])[KEY].reason == "hard_bounce"


def test_the_gravest_reason_wins_and_a_habit_is_lifted(any_shop: AnyShop) -> None:
    take, listed = any_shop.stores.feedback.take, any_shop.stores.suppressions
    take([event(number, "soft_bounce", None, address_key=KEY, message_id=f"m{number}") for number in (1, 3, 5)], NOW)
    assert listed.find([KEY])[KEY].reason == "soft_bounces"
    take([event(4, "delivery", None, address_key=KEY)], NOW)
    assert listed.find([KEY]) == {}
    take([event(6, "hard_bounce", None, address_key=KEY), event(7, "complaint", None, address_key=KEY)], NOW)
    take([event(8, "hard_bounce", None, address_key=KEY)], NOW)
    assert listed.find([KEY])[KEY].reason == "complaint"


def test_a_report_that_is_quicker_than_our_note_of_its_name(any_shop: AnyShop) -> None:
    [email_id] = any_shop.draft(*any_shop.add_users(1))
    feedback = any_shop.stores.feedback
    assert feedback.take([event(1, "hard_bounce", None, message_id="m1")], NOW).unmatched == 1
    any_shop.pipeline.send()
    assert feedback.match_late({"m1": email_id}, NOW) == 1
    assert any_shop.email(email_id).status == "bounced"
    assert feedback.take([event(2, "complaint", None, message_id="m1")], NOW).unmatched == 0
    assert any_shop.email(email_id).status == "complained"


def test_statuses_are_worked_out_again(any_shop: AnyShop) -> None:
    [email_id] = any_shop.draft(*any_shop.add_users(1))
    any_shop.pipeline.send()
    any_shop.let_lists_follow()
    clicked = {
        **dict.fromkeys(("provider_message_id", "address_key")),
        "event_id": "lost",
        "email_id": email_id,
        "kind": "click",
        "source": "ses",
        "original": "{}",
        "occurred_at": NOW,
        "received_at": NOW,
    }
    with any_shop.pipeline.database.write() as connection:
        connection.execute(sa.insert(email_events), [clicked])
    for changed in (1, 0):
        report = replay(any_shop.pipeline.database, any_shop.stores.ledger, NOW)
        assert (report.rows, report.changed) == (1, changed)
        assert any_shop.email(email_id).status == "clicked"


def test_who_is_erased_is_gone_and_never_written_to_again(any_shop: AnyShop) -> None:
    user_id, other = any_shop.add_users(1, 2)
    [email_id, _] = any_shop.draft(user_id, other)
    any_shop.pipeline.send()
    any_shop.stores.feedback.take([event(1, "click", email_id, address_key=KEY)], NOW)
    waiting = any_shop.client.patch(f"/api/users/{user_id}", json={"name": "Zoë"}, headers={"If-Match": "*"})
    assert waiting.status_code == 200
    report = erasure.erase(any_shop.stores, any_shop.settings, user_id, "cli", NOW)
    assert (report.orders, report.emails, report.events, report.suppressed, report.left) == (1, 1, 2, 1, None)
    assert any_shop.stores.users.get_user(user_id) is None
    assert any_shop.stores.users.orders_of(user_id) == []
    assert any_shop.stores.ledger.emails_of(user_id) == []
    assert any_shop.stores.ledger.get_emails([email_id]) == {}
    [renamed] = {row["email_id"] for row in any_shop.rows(email_events)} - {any_shop.email_of(other)}
    row = any_shop.email(renamed)
    assert (row.status, row.user_id[:7], row.address_key[:7]) == ("clicked", "erased:", "erased:")
    assert any_shop.stores.suppressions.find([KEY])[KEY].reason == "erased"
    assert user_id not in json.dumps(any_shop.audited())
    assert [action for action, _ in any_shop.audited()] == ["user.updated", "user.erased"]
    assert any_shop.stores.suppressions.add([Suppression(KEY, "manual", "person", NOW)], NOW) == 0
    assert not erasure.erase(any_shop.stores, any_shop.settings, user_id, "cli", NOW).found


@pytest.mark.parametrize("step", ["_forget_in_audit", "anonymise", "delete_user"])
def test_an_erasure_that_dies_between_two_stores_is_finished_later(
    any_shop: AnyShop, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    [user_id] = any_shop.add_users(1)
    [email_id] = any_shop.draft(user_id)
    any_shop.pipeline.send()
    places: dict[str, object] = {"anonymise": any_shop.stores.ledger, "delete_user": any_shop.stores.users}
    place = places.get(step, erasure._Erasure)
    original: Callable[..., object] = getattr(place, step)

    def die(*args: object, **more: object) -> object:
        original(*args, **more)
        raise ZeroDivisionError

    with monkeypatch.context() as dying:
        dying.setattr(type(place) if step in places else place, step, _unbound(die) if step in places else die)
        with pytest.raises(ZeroDivisionError):
            erasure.erase(any_shop.stores, any_shop.settings, user_id, "cli", NOW)
    [report] = erasure.finish(any_shop.stores, any_shop.settings, NOW)
    assert report.left is None
    assert any_shop.stores.users.get_user(user_id) is None
    [event_row] = any_shop.rows(email_events)
    assert event_row["email_id"] != email_id
    assert any_shop.email(event_row["email_id"]).user_id.startswith("erased:")
    assert erasure.finish(any_shop.stores, any_shop.settings, NOW) == []


def _unbound(function: Callable[..., object]) -> Callable[..., object]:
    return lambda _self, *args, **more: function(*args, **more)


@pytest.mark.integration
@pytest.mark.parametrize("any_shop", ["dynamodb"], indirect=True)
def test_lists_that_still_show_somebody_keep_an_erasure_open(any_shop: AnyShop) -> None:
    [user_id] = any_shop.add_users(1)
    any_shop.let_lists_follow()
    assert erasure.erase(any_shop.stores, any_shop.settings, user_id, "cli", NOW).left == "store_files"
    for table in (users, orders):
        [report] = erasure.finish(any_shop.stores, any_shop.settings, NOW)
        assert report.left == "store_files"
        with any_shop.pipeline.database.write() as connection:
            connection.execute(sa.delete(table))
    [report] = erasure.finish(any_shop.stores, any_shop.settings, NOW)
    assert report.left is None
