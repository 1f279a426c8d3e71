"""The shop's own programs write to the tables past us and count no versions: what they change is seen in time."""

from datetime import datetime, timezone
from typing import Any

import pytest

from engagement_pipeline.platform.dynamodb import Dynamo
from engagement_pipeline.platform.dynamodb_tables import USERS
from engagement_pipeline.platform.dynamodb_writes import Put, Update
from engagement_pipeline_tests.conftest import NOW
from engagement_pipeline_tests.delivery.parts import CAMPAIGN, Parts, silent_user
from engagement_pipeline_tests.delivery.steps import LEASE, US, Provider, lease, mark, queued, ticket

pytestmark = pytest.mark.integration


@pytest.mark.parametrize(
    "change",
    [
        {"email": "new@example.com"},
        {"consent": False},
        {"consent": "no"},
        {"consent": None},
        {"lastOrderDate": "2026-03-01T00:00:00Z"},
        {"orderCount": 7},
        {"timeZone": "Asia/Tokyo"},
        {"lastEmailDate": "2026-03-01T00:00:00Z"},
    ],
)
def test_nothing_is_marked_when_the_shop_has_changed_what_the_gate_has_judged(
    parts: Parts, dynamo: Dynamo, change: dict[str, Any]
) -> None:
    [user_id] = queued(parts, 1)
    [entry] = lease(parts, US)
    seen = ticket(parts, entry)
    dynamo.write(Update(USERS, (user_id,), sets=change))
    assert not parts.ledger.advance(US, None, seen, NOW, LEASE)


@pytest.mark.parametrize("attribute", ["email", "consent", "lastOrderDate"])
def test_nothing_is_marked_when_the_shop_has_taken_it_away(parts: Parts, dynamo: Dynamo, attribute: str) -> None:
    [user_id] = queued(parts, 1)
    [entry] = lease(parts, US)
    seen = ticket(parts, entry)
    dynamo.write(Update(USERS, (user_id,), removes=(attribute,)))
    assert not parts.ledger.advance(US, None, seen, NOW, LEASE)


def test_nothing_is_marked_when_the_shop_has_deleted_and_written_the_user_anew(parts: Parts, dynamo: Dynamo) -> None:
    [user_id] = queued(parts, 1)
    [entry] = lease(parts, US)
    seen = ticket(parts, entry)
    dynamo.write(Put(USERS, {"userId": user_id, "email": silent_user(0).email, "consent": True}))
    assert not parts.ledger.advance(US, None, seen, NOW, LEASE)


@pytest.mark.parametrize(
    "item",
    [
        {"consent": True, "lastOrderDate": "2025-10-01", "averageOrderValue": "42.50", "orderCount": 5},
        {"consent": "yes", "lastOrderDate": 1_760_000_000, "averageOrderValue": 12.34, "version": "3"},
        {"consent": 1, "lastOrderDate": "2025-10-01T10:00:00+02:00", "lastEmailDate": None},
    ],
)
def test_a_user_whom_only_the_shop_has_written_can_be_marked(
    parts: Parts, dynamo: Dynamo, item: dict[str, Any]
) -> None:
    dynamo.write(Put(USERS, {"userId": "u00000", "email": "Ada@Example.com", "name": "Ada", **item}))
    parts.add_drafts(["u00000"], NOW)
    parts.ledger.queue(CAMPAIGN, NOW)
    [entry] = lease(parts, US)
    assert mark(parts, US, entry)


def test_an_email_of_which_only_the_users_item_tells_goes_on_counting(parts: Parts, dynamo: Dynamo) -> None:
    mailed_at = "2026-02-27T09:00:00Z"
    item = {"userId": "u00000", "email": "ada@example.com", "consent": True, "lastEmailDate": mailed_at, "version": "3"}
    dynamo.write(Put(USERS, {**item, "lastOrderDate": "2025-10-01", "orderCount": 5}))
    for steps, reason in ((1, "cool_down"), (2, "capped")):
        parts.add_drafts(["u00000"], NOW)
        parts.ledger.queue(CAMPAIGN, NOW)
        [entry] = lease(parts, US)
        parts.ledger.skip(US, {entry.email_id: reason}, NOW)
        parts.ledger.settle(US, Provider(None), NOW)
        user = parts.store.get_user("u00000")
        assert user is not None
        assert user.last_touch_at == user.last_email_at == datetime(2026, 2, 27, 9, tzinfo=timezone.utc)
        assert user.steps == steps
