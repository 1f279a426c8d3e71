"""What the function on the streams makes of their records, and what it does when SNS does not take it."""

import json
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engagement_pipeline.changes.events import parse
from engagement_pipeline.delivery.dynamodb import writes
from engagement_pipeline.platform.dynamodb_values import attributes_of, item_of
from engagement_pipeline_tests.conftest import NOW
from infra.stream_processor import handler as processor
from infra.stream_processor.handler import MOST_BYTES, MOST_MESSAGES, Message, batches, message_of, plain

ENTITIES = {"Users": "user", "Orders": "order", "Emails": "email", "Addresses": "address", "Audit": "audit"}
KEYS = {
    "Users": ("userId",),
    "Orders": ("userId", "orderId"),
    "Emails": ("emailId",),
    "Addresses": ("addressKey",),
    "Audit": ("auditId",),
}
USER = {"userId": "u1", "email": "ada@example.com", "orderCount": 2, "engagementScore": 40, "version": 3}
EMAIL = {"emailId": "e1", "userId": "u1", "status": "draft"}


def record(
    table: str, old: Mapping[str, Any] | None, new: Mapping[str, Any] | None, sequence: int = 1
) -> dict[str, Any]:
    """A record as a stream gives it."""
    name = "INSERT" if old is None else "REMOVE" if new is None else "MODIFY"
    keys = {key: (new or old or {})[key] for key in KEYS[table]}
    change: dict[str, Any] = {
        "Keys": attributes_of(keys),
        "SequenceNumber": str(sequence),
        "ApproximateCreationDateTime": 1_772_463_600,
    }
    if old is not None:
        change["OldImage"] = attributes_of(old)
    if new is not None:
        change["NewImage"] = attributes_of(new)
    arn = f"arn:aws:dynamodb:us-east-1:123456789012:table/{table}/stream/2026-03-02T15:00:00.000"
    return {"eventID": f"id-{sequence}", "eventName": name, "eventSourceARN": arn, "dynamodb": change}


def message(table: str, old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> Message | None:
    return message_of(0, record(table, old, new))


@pytest.mark.parametrize(
    ("table", "item", "entity_id", "user_id", "cause"),
    [
        ("Users", USER, "u1", "u1", "shop"),
        ("Orders", {"userId": "u1", "orderId": "o1", "totalValue": 9.5}, "o1", "u1", "shop"),
        ("Emails", EMAIL, "e1", "u1", "system"),
        ("Emails", {**EMAIL, "requestedBy": "crm"}, "e1", "u1", "shop"),
        ("Addresses", {"addressKey": "ab", "reason": "complaint"}, "ab", None, "system"),
        ("Audit", {"auditId": "a1", "entity": "user", "entityId": "u1"}, "a1", None, "system"),
    ],
)
def test_what_is_created_and_deleted(
    table: str, item: dict[str, Any], entity_id: str, user_id: str | None, cause: str
) -> None:
    created, deleted = message(table, None, item), message(table, item, None)
    assert created is not None
    assert deleted is not None
    event, end = parse(created.body), parse(deleted.body)
    assert (event.operation, event.entity, event.entity_id, event.user_id) == (
        "created",
        ENTITIES[table],
        entity_id,
        user_id,
    )
    assert (event.new, event.old, event.fetch) == (item, None, False)
    assert event.occurred_at.isoformat() == "2026-03-02T15:00:00+00:00"
    assert created.attributes == {"entity": ENTITIES[table], "operation": "created", "cause": cause}
    assert (end.operation, end.entity_id, end.user_id, end.new, end.old) == ("deleted", entity_id, user_id, None, item)


@pytest.mark.parametrize(
    ("changed", "cause"),
    [
        ({"email": "grace@example.com"}, "shop"),
        ({"orderCount": 3, "version": 4, "touchesSinceOrder": 0}, "shop"),
        ({"engagementScore": 10, "name": "Ada"}, "shop"),
        ({"lastEmailDate": "2026-03-02T15:00:00Z", "version": 4, "updatedAt": "2026-03-02T15:00:00Z"}, "system"),
        ({"engagementScore": 41, "scoreBand": "at_risk", "scoredAt": "2026-03-02T15:00:00Z"}, None),
        ({"engagementScore": None}, None),
    ],
)
def test_our_own_notes_at_a_user(changed: dict[str, Any], cause: str | None) -> None:
    published = message("Users", USER, {**USER, **changed})
    assert (published.attributes["cause"] if published else None) == cause


def test_an_attribute_that_goes_or_is_empty_has_changed() -> None:
    without = {name: value for name, value in USER.items() if name != "email"}
    gone = message("Users", USER, without)
    emptied = message("Users", without, {**without, "email": None})
    assert gone is not None
    assert emptied is not None
    assert parse(gone.body).new == without


def test_of_an_address_only_whether_it_is_suppressed_is_told() -> None:
    touched = {"addressKey": "ab", "touchedAt": "2026-03-02T15:00:00Z", "touchedBy": "e1"}
    suppressed = {**touched, "reason": "complaint", "source": "ses", "suppressedAt": "2026-03-02T15:00:00Z"}
    assert message("Addresses", None, touched) is None
    assert message("Addresses", touched, {**touched, "touchedBy": "e2"}) is None
    assert message("Addresses", touched, None) is None
    assert message("Addresses", touched, suppressed) is not None
    assert message("Addresses", suppressed, touched) is not None
    assert message("Addresses", suppressed, None) is not None


def test_who_holds_an_email_is_not_told() -> None:
    queued = {**EMAIL, "status": "queued"}
    claiming = writes.claiming("e1", "worker", NOW, NOW)
    held = {**queued, **claiming.sets}
    assert message("Emails", queued, held) is None
    assert set(writes.giving_back("worker", "e1").removes) == claiming.sets.keys()
    assert message("Emails", held, queued) is None
    assert message("Emails", held, {**held, "status": "sending"}) is not None
    assert message("Emails", held, {**queued, "notBefore": "2026-03-02T16:00:00Z"}) is not None
    assert message("Emails", None, held) is not None
    assert message("Emails", held, None) is not None


def test_what_is_too_large_is_to_be_looked_up() -> None:
    wordy = {**USER, "name": "ä" * 50_000}
    created, deleted = message("Users", None, wordy), message("Users", wordy, None)
    assert created is not None
    assert deleted is not None
    event, end = parse(created.body), parse(deleted.body)
    assert (event.fetch, event.new, event.entity_id) == (True, None, "u1")
    assert (end.fetch, end.old, end.operation) == (False, None, "deleted")
    assert max(created.size, deleted.size) < 1_000


words = st.text(max_size=8)
values = st.recursive(
    st.none()
    | st.booleans()
    | words
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False, min_value=-1e100, max_value=1e100),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(words, values, max_size=4))
def test_an_item_arrives_as_it_is(item: dict[str, Any]) -> None:
    arrived = json.loads(json.dumps({name: plain(value) for name, value in attributes_of(item).items()}))
    assert arrived == item_of(attributes_of(item))


@pytest.mark.parametrize(
    ("attribute", "expected"),
    [
        ({"N": "12.50"}, 12.5),
        ({"N": "1E+3"}, 1_000),
        ({"NS": ["1", "2.5"]}, [1, 2.5]),
        ({"SS": ["a", "b"]}, ["a", "b"]),
        ({"B": "QUJD"}, "QUJD"),
        ({"NULL": True}, None),
    ],
)
def test_values_that_only_others_write(attribute: dict[str, Any], expected: object) -> None:
    assert plain(attribute) == expected


@given(st.lists(st.integers(1, MOST_BYTES - 60)))
def test_batches_are_as_sns_takes_them(sizes: Sequence[int]) -> None:
    messages = [Message(place, "x" * size, {"cause": "shop"}) for place, size in enumerate(sizes)]
    parts = list(batches(messages))
    assert [message for part in parts for message in part] == messages
    assert all(1 <= len(part) <= MOST_MESSAGES for part in parts)
    assert all(sum(message.size for message in part) <= MOST_BYTES for part in parts)
    # None more than needed: neither of two neighbours could have gone with the other.
    for left, right in pairwise(parts):
        assert len(left) == MOST_MESSAGES or sum(message.size for message in [*left, right[0]]) > MOST_BYTES


class Topic:
    """Takes what it is told to, and notes it."""

    def __init__(self) -> None:
        self.taken: list[str] = []
        self.refuses: dict[str, bool] = {}
        self.calls = 0

    def publish_batch(self, TopicArn: str, PublishBatchRequestEntries: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803
        self.calls += 1
        failed = []
        for entry in PublishBatchRequestEntries:
            event = json.loads(entry["Message"])
            if event["event_id"] in self.refuses and event["new"] is not None:
                failed.append({"Id": entry["Id"], "SenderFault": self.refuses[event["event_id"]]})
            else:
                self.taken.append(event["event_id"])
        return {"Failed": failed}


@pytest.fixture
def topic(monkeypatch: pytest.MonkeyPatch) -> Topic:
    topic = Topic()
    monkeypatch.setattr(processor, "_sns", lambda: topic)
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    monkeypatch.setenv("TOPIC_ARN", "arn:aws:sns:us-east-1:123456789012:changes")
    return topic


def test_lambda_comes_again_from_the_first_that_was_not_taken(topic: Topic) -> None:
    records = [record("Users", None, {**USER, "userId": f"u{number}"}, number) for number in range(1, 41)]
    topic.refuses = {"id-31": False, "id-17": False}
    assert processor.handler({"Records": records}, None) == {"batchItemFailures": [{"itemIdentifier": "17"}]}
    assert sorted(topic.taken) == sorted(f"id-{number}" for number in range(1, 41) if number not in (17, 31))
    topic.refuses = {}
    topic.taken.clear()
    assert processor.handler({"Records": records[16:]}, None) == {"batchItemFailures": []}
    assert len(topic.taken) == 24


def test_what_sns_finds_fault_with_is_announced_without_its_contents(topic: Topic) -> None:
    topic.refuses = {"id-2": True}
    records = [record("Users", None, USER, number) for number in range(1, 4)]
    assert processor.handler({"Records": records}, None) == {"batchItemFailures": []}
    assert sorted(topic.taken) == ["id-1", "id-2", "id-3"]


def test_a_batch_of_nothing_but_notes_asks_sns_nothing(topic: Topic) -> None:
    records = [record("Users", USER, {**USER, "engagementScore": 12}, number) for number in range(1, 4)]
    assert processor.handler({"Records": records}, None) == {"batchItemFailures": []}
    assert topic.calls == 0
