import json
import logging
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engagement_pipeline.delivery.events import KINDS
from engagement_pipeline.delivery.feedback.errors import BadEventError
from engagement_pipeline_tests.conftest import NOW
from engagement_pipeline_tests.delivery.feedback.examples import MESSAGE_ID, NAMES, RECIPIENT, example, parse, text
from engagement_pipeline_tests.delivery.feedback.parts import key

KIND_OF = {
    "event_bounce": "hard_bounce",
    "event_bounce_transient": "soft_bounce",
    "event_bounce_undetermined": "soft_bounce",
    "event_click": "click",
    "event_complaint": "complaint",
    "event_delivery": "delivery",
    "event_delivery_delay": "delivery_delay",
    "event_open": "open",
    "event_reject": "reject",
    "event_rendering_failure": "rendering_failure",
    "event_send": "send",
    "event_subscription": "unsubscribe",
    "notification_bounce": "hard_bounce",
    "notification_bounce_transient": "soft_bounce",
    "notification_bounce_without_dsn": "hard_bounce",
    "notification_complaint": "complaint",
    "notification_complaint_without_report": "complaint",
    "notification_delivery": "delivery",
}


@pytest.mark.parametrize("name", NAMES)
def test_each_example_is_read(name: str) -> None:
    first, *others = parse(text(name))
    assert first.kind == KIND_OF[name]
    assert first.email_id == ("0" * 32 if name.startswith("event") else None)
    assert first.provider_message_id == MESSAGE_ID
    assert first.address_key == key(RECIPIENT)
    assert first.source == "ses"
    assert json.loads(first.original) == example(name)
    assert [other.address_key for other in others] == ([key("richard@example.com")] if "without_dsn" in name else [])


def test_every_kind_that_ses_reports_is_among_the_examples() -> None:
    ours = {"machine_open", "machine_click", "other", "subscription"}
    assert set(KIND_OF.values()) == set(KINDS) - ours
    assert list(KIND_OF) == NAMES


@pytest.mark.parametrize(
    ("name", "moment"),
    [
        ("event_bounce", datetime(2017, 8, 5, 0, 41, 2, 669_000, timezone.utc)),
        ("event_delivery_delay", datetime(2017, 8, 5, 0, 45, 40, 95_000, timezone.utc)),
        ("event_send", datetime(2017, 8, 5, 0, 40, 2, 12_000, timezone.utc)),
    ],
)
def test_the_time_is_that_of_what_happened_else_of_the_mail(name: str, moment: datetime) -> None:
    assert parse(text(name))[0].occurred_at == moment


def test_without_any_time_that_can_be_read_it_is_that_of_the_intake() -> None:
    event = example("event_send")
    event["mail"]["timestamp"] = "yesterday"
    assert parse(event)[0].occurred_at == NOW
    event["mail"]["timestamp"] = "0001-01-01T00:00:00+10:00"
    assert parse(event)[0].occurred_at == NOW


def test_an_event_is_the_same_however_its_json_is_written_and_no_other_is() -> None:
    event = example("notification_bounce_without_dsn")
    ids = [one.event_id for one in parse(event)]
    reordered = dict(reversed(event.items()))
    assert [one.event_id for one in parse(json.dumps(reordered, indent=4))] == ids
    event["bounce"]["feedbackId"] = "another"
    assert not set(ids) & {one.event_id for one in parse(event)}
    assert len(set(ids)) == 2


def test_our_id_is_found_among_the_headers_too() -> None:
    event = example("notification_delivery")
    event["mail"]["headers"].append({"name": "X-Engagement-Email-ID", "value": "a" * 32})
    assert parse(event)[0].email_id == "a" * 32


@pytest.mark.parametrize("tag", ["", "a" * 31, "A" * 32, "g" * 32, 7, None])
def test_what_is_not_one_of_our_ids_is_ignored(tag: object) -> None:
    event = example("event_send")
    event["mail"]["tags"]["email_id"] = [tag]
    assert parse(event)[0].email_id is None


@pytest.mark.parametrize("spelling", [f"Zoë <{RECIPIENT}>", f'"Doe, Jane" <{RECIPIENT}>', RECIPIENT.upper()])
def test_an_address_is_found_within_its_name(spelling: str) -> None:
    event = example("event_bounce")
    event["bounce"]["bouncedRecipients"][0]["emailAddress"] = spelling
    assert parse(event)[0].address_key == key(RECIPIENT)


@pytest.mark.parametrize("address", ["nobody", "", "@", 7, "(" * 5_000, "a@\ud800.example", "x" * 100_000])
def test_an_address_that_cannot_be_read_is_not_fatal_and_is_not_logged(
    address: object, caplog: pytest.LogCaptureFixture
) -> None:
    event = example("event_bounce")
    event["bounce"]["bouncedRecipients"][0]["emailAddress"] = address
    with caplog.at_level(logging.WARNING):
        (one,) = parse(event)
    assert (one.kind, one.address_key, one.email_id) == ("hard_bounce", None, "0" * 32)
    assert caplog.messages == ["An event of SES names a recipient whose address cannot be read; it is kept without."]


def test_of_several_recipients_an_event_that_lists_none_names_nobody() -> None:
    event = example("event_open")
    event["mail"]["destination"] = [RECIPIENT, "mary@example.com"]
    assert [one.address_key for one in parse(event)] == [None]


def test_scanners_are_told_apart() -> None:
    scanned = example("event_click")
    scanned["click"]["userAgent"] = "Barracuda Sentinel (EE)"
    assert parse(scanned)[0].kind == "machine_click"
    prefetched = example("event_open")
    prefetched["open"]["timestamp"] = prefetched["mail"]["timestamp"]
    assert parse(prefetched)[0].kind == "machine_open"


def test_a_report_that_a_mail_is_no_spam_is_no_complaint() -> None:
    event = example("event_complaint")
    event["complaint"]["complaintFeedbackType"] = "not-spam"
    assert parse(event)[0].kind == "other"


def test_leaving_one_topic_is_not_unsubscribing() -> None:
    event = example("event_subscription")
    event["subscription"]["newTopicPreferences"]["unsubscribeAll"] = False
    assert parse(event)[0].kind == "subscription"


@pytest.mark.parametrize("named", [{"eventType": "Teleported"}, {"notificationType": "AmazonSnsSubscriptionSucceeded"}])
def test_kinds_that_nobody_knows_are_kept(named: dict[str, str]) -> None:
    (one,) = parse({**named, "message": "…", "news": [1, {"x": None}]})
    assert one.kind == "other"


def test_the_greeting_of_ses_is_no_event() -> None:
    assert parse("Successfully validated SNS topic for Amazon SES event publishing.") == []


@pytest.mark.parametrize(
    ("said", "fault"),
    [
        ("", "is not JSON"),
        ("Bounce!", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ('{"eventType": "\ud800"}', "is not JSON"),
        ("[]", "is not a JSON object"),
        ("{}", "eventType is missing"),
        ('{"eventType": 1}', "eventType is missing"),
        ('{"eventType": "Bounce", "mail": {}}', "mail.messageId is missing"),
        ('{"eventType": "Bounce", "mail": {"messageId": "a\\u0000"}}', "mail.messageId is missing"),
    ],
)
def test_what_is_no_event_is_refused_with_field_and_reason(said: str, fault: str) -> None:
    with pytest.raises(BadEventError) as caught:
        parse(said)
    assert str(caught.value) == fault


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(deeper for name, part in inner for deeper in paths(part, (*path, name)))]


@given(st.data(), st.sampled_from(NAMES), ANYTHING)
def test_whatever_stands_in_an_event_it_is_read_or_refused(data: st.DataObject, name: str, value: Any) -> None:
    event = example(name)
    *way, last = data.draw(st.sampled_from(paths(event)[1:]))
    place: Any = event
    for step in way:
        place = place[step]
    place[last] = value
    try:
        events = parse(event)
    except BadEventError:
        return
    for one in events:
        assert one.kind in KINDS
        assert one.occurred_at.utcoffset() == timedelta(0)
        one.original.encode()
        assert len(one.provider_message_id or "") <= 256
