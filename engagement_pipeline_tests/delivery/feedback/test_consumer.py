"""SES's events through a real topic and a real queue, over HTTP."""

import json
import logging
import random
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.error import URLError

import pytest
import sqlalchemy as sa

from engagement_pipeline.delivery.feedback import consumer, intake, sns
from engagement_pipeline.delivery.feedback.consumer import ConsumerReport, consume, depth
from engagement_pipeline.delivery.tables import email_events
from engagement_pipeline.platform import aws
from engagement_pipeline.platform.settings import Settings
from engagement_pipeline.platform.sql import Database
from engagement_pipeline.users.keys import SecretKeyChangedError
from engagement_pipeline.users.tables import rejected_records
from engagement_pipeline_tests.conftest import NOW
from engagement_pipeline_tests.delivery.feedback.examples import NAMES, parse, text
from engagement_pipeline_tests.delivery.feedback.parts import LATER, add_emails, key, set_row, state, suppressed, take
from engagement_pipeline_tests.delivery.parts import SECRET
from engagement_pipeline_tests.delivery.sql_stores import sql_stores

pytestmark = pytest.mark.integration


class Feedback:
    """A topic, a queue that hears of it, and a store that takes what comes."""

    def __init__(self, url: str, database: Database) -> None:
        self.database = database
        bare = Settings.model_validate({"aws_region": "us-east-1", "aws_endpoint_url": url, "secret_key": SECRET})
        self.sqs: Any = aws.client(bare, "sqs")
        self.sns: Any = aws.client(bare, "sns")
        attributes = {"VisibilityTimeout": "1"}
        self.queue = self.sqs.create_queue(QueueName="ses-feedback", Attributes=attributes)["QueueUrl"]
        self.topic = self.sns.create_topic(Name="ses-events")["TopicArn"]
        named = {"feedback_queue_url": self.queue, "feedback_topic_arn": self.topic}
        self.settings = Settings.model_validate({**bare.model_dump(), "secret_key": SECRET, "ses": named})

    def subscribe(self, topic: str, raw: bool) -> None:
        asked = {"QueueUrl": self.queue, "AttributeNames": ["QueueArn"]}
        queue = self.sqs.get_queue_attributes(**asked)["Attributes"]["QueueArn"]
        raw_delivery = {"RawMessageDelivery": json.dumps(raw)}
        self.sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue, Attributes=raw_delivery)

    def publish(self, *messages: str, topic: str | None = None) -> None:
        for message in messages:
            self.sns.publish(TopicArn=topic or self.topic, Message=message)

    def put(self, *messages: str) -> None:
        for message in messages:
            self.sqs.send_message(QueueUrl=self.queue, MessageBody=message)

    def consume(self) -> ConsumerReport:
        return consume(self.settings, sql_stores(self.database), lambda: LATER)

    def rejected(self) -> list[tuple[str, ...]]:
        table = rejected_records
        columns = (table.c.entity, table.c.file, table.c.reason, table.c.message, table.c.original)
        with self.database.read() as connection:
            return [tuple(row) for row in connection.execute(sa.select(*columns).order_by(table.c.message))]


@pytest.fixture
def feedback(ministack: str, database: Database) -> Feedback:
    return Feedback(ministack, database)


@pytest.mark.parametrize("raw", [False, True])
def test_every_example_goes_from_the_topic_to_the_ledger(feedback: Feedback, raw: bool) -> None:
    email_ids = add_emails(feedback.database, len(NAMES))
    for place, email_id in enumerate(email_ids):
        set_row(feedback.database, email_id, "sent", sent_at=NOW, provider_message_id=f"m{place}")
    messages = [
        text(name, email_id, f"m{place}", f"u{place}@example.com")
        for place, (name, email_id) in enumerate(zip(NAMES, email_ids, strict=True))
    ]
    feedback.subscribe(feedback.topic, raw)
    feedback.publish(*messages)
    assert depth(feedback.settings) == len(NAMES)
    events = [event for message in messages for event in parse(message)]
    assert feedback.consume() == ConsumerReport(taken=len(events))
    assert depth(feedback.settings) == 0
    through_the_queue = state(feedback.database)
    assert through_the_queue["rows"][email_ids[NAMES.index("event_click")]][0] == "clicked"
    assert take(feedback.database, events).duplicates == len(events)
    assert state(feedback.database) == through_the_queue


def test_the_same_event_by_both_ways_is_kept_once(feedback: Feedback) -> None:
    add_emails(feedback.database, 1)
    feedback.subscribe(feedback.topic, raw=False)
    feedback.publish(text("event_bounce"), text("event_bounce"))
    feedback.put(text("event_bounce"))
    assert feedback.consume() == ConsumerReport(taken=1, duplicates=2, unmatched=1)


def test_poison_is_set_aside_and_the_rest_goes_on(feedback: Feedback, caplog: pytest.LogCaptureFixture) -> None:
    add_emails(feedback.database, 1)
    foreign = feedback.sns.create_topic(Name="somebody-elses")["TopicArn"]
    feedback.subscribe(feedback.topic, raw=False)
    feedback.subscribe(foreign, raw=False)
    feedback.publish(text("event_complaint", recipient="a@example.com"), "Bounce! jane@example.com")
    feedback.publish(text("event_complaint", recipient="victim@example.com"), topic=foreign)
    feedback.put(
        "not JSON: jane@example.com", '{"eventType": "Bounce", "mail": {"messageId": "jane@example.com\\u0000"}}'
    )
    feedback.put("[" * 50_000, '{"Type": "SubscriptionConfirmation"}')
    feedback.publish(text("event_complaint", recipient="b@example.com"))
    with caplog.at_level(logging.INFO, logger="engagement_pipeline"):
        report = feedback.consume()
    assert report == ConsumerReport(taken=2, unmatched=2, set_aside=6)
    assert set(suppressed(feedback.database)) == {key("a@example.com"), key("b@example.com")}
    rejected = feedback.rejected()
    assert [row[:4] for row in rejected] == [
        ("event", "ses-feedback", "bad_event", "Message is missing or not text"),
        ("event", "ses-feedback", "bad_event", "is not JSON"),
        ("event", "ses-feedback", "bad_event", "is not JSON"),
        ("event", "ses-feedback", "bad_event", "is not JSON"),
        ("event", "ses-feedback", "forged", "it is of another topic"),
        ("event", "ses-feedback", "bad_event", "mail.messageId is missing"),
    ]
    assert any("victim@example.com" in row[4] for row in rejected)
    assert depth(feedback.settings) == 0
    assert "@example.com" not in caplog.text


def test_poison_that_comes_twice_is_kept_once(feedback: Feedback) -> None:
    feedback.put("not JSON", "not JSON")
    assert feedback.consume().set_aside == 2
    assert len(feedback.rejected()) == 1


def test_dying_between_commit_and_deletion_changes_nothing(feedback: Feedback, monkeypatch: pytest.MonkeyPatch) -> None:
    (email_id,) = add_emails(feedback.database, 1)
    set_row(feedback.database, email_id, "sent", sent_at=NOW)
    feedback.put(text("event_delivery", email_id), text("event_click", email_id), "not JSON")

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(consumer, "_delete", die)
        with pytest.raises(KeyboardInterrupt):
            feedback.consume()
    before = state(feedback.database)
    assert before["rows"][email_id][0] == "clicked"
    assert wait_for(feedback, 3) == ConsumerReport(duplicates=2, set_aside=1)
    assert state(feedback.database) == before
    assert len(feedback.rejected()) == 1


def test_what_cannot_be_stored_stays_in_the_queue(feedback: Feedback, monkeypatch: pytest.MonkeyPatch) -> None:
    feedback.put(text("event_complaint"), "not JSON")
    take_them = intake.Feedback.take

    def fail_at_the_end(*arguments: Any) -> None:
        take_them(*arguments)
        raise sa.exc.OperationalError("", {}, Exception("the disk is full"))

    with monkeypatch.context() as patch:
        patch.setattr(intake.Feedback, "take", fail_at_the_end)
        with pytest.raises(sa.exc.OperationalError):
            feedback.consume()
    assert not suppressed(feedback.database)
    assert not feedback.rejected()
    assert wait_for(feedback, 2) == ConsumerReport(taken=1, unmatched=1, set_aside=1)


def test_what_cannot_be_checked_for_now_stays_in_the_queue_and_the_rest_goes_on(
    feedback: Feedback, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    open_it = sns.open_envelope

    def open_unless_signed_from_nowhere(message: str, *others: Any) -> Any:
        if "nowhere" in message:
            raise URLError("no such host")
        return open_it(message, *others)

    feedback.put('{"Type": "Notification", "from": "nowhere"}', text("event_complaint", recipient="a@example.com"))
    with monkeypatch.context() as patch:
        patch.setattr(sns, "open_envelope", open_unless_signed_from_nowhere)
        report = feedback.consume()
    assert (report.taken, report.set_aside) == (1, 0)
    assert report.left >= 1
    assert "certificate" in caplog.text
    assert not feedback.rejected()
    assert wait_for(feedback, 1).set_aside == 1


def test_while_no_topic_is_set_what_a_topic_brings_stays_in_the_queue(
    feedback: Feedback, caplog: pytest.LogCaptureFixture
) -> None:
    feedback.subscribe(feedback.topic, raw=False)
    feedback.publish(text("event_complaint", recipient="a@example.com"))
    right = feedback.settings
    without = right.ses.model_copy(update={"feedback_topic_arn": ""})
    feedback.settings = right.model_copy(update={"ses": without})
    assert feedback.consume() == ConsumerReport(left=1)
    assert "ENGAGEMENT_SES__FEEDBACK_TOPIC_ARN" in caplog.text
    feedback.settings = right
    assert wait_for(feedback, 1).taken == 1


def test_another_secret_key_takes_nothing_and_loses_nothing(feedback: Feedback) -> None:
    add_emails(feedback.database, 1)
    feedback.put(text("event_complaint"))
    right = feedback.settings
    feedback.settings = Settings.model_validate({**right.model_dump(), "secret_key": "another-secret-key-for-tests"})
    with pytest.raises(SecretKeyChangedError):
        feedback.consume()
    feedback.settings = right
    assert wait_for(feedback, 1).taken == 1


def test_several_consumers_at_once_take_each_event_once(feedback: Feedback) -> None:
    email_ids = add_emails(feedback.database, 40)
    messages = []
    for place, email_id in enumerate(email_ids):
        set_row(feedback.database, email_id, "unknown", sent_at=NOW, reason="sender_stopped")
        for name in ("event_send", "event_delivery", "notification_delivery", "event_open", "event_bounce_transient"):
            messages.append(text(name, email_id, f"m{place}", f"u{place}@example.com"))
    random.Random(1).shuffle(messages)
    for first in range(0, len(messages), 10):
        entries = [{"Id": str(n), "MessageBody": body} for n, body in enumerate(messages[first : first + 10])]
        feedback.sqs.send_message_batch(QueueUrl=feedback.queue, Entries=entries)
    with ThreadPoolExecutor(4) as pool:
        reports = list(pool.map(lambda _: feedback.consume(), range(4)))
    assert sum(report.taken for report in reports) == len(messages)
    assert {row[0] for row in state(feedback.database)["rows"].values()} == {"opened"}
    with feedback.database.read() as connection:
        assert not connection.execute(sa.select(email_events).where(email_events.c.email_id.is_(None))).all()


def wait_for(feedback: Feedback, messages: int) -> ConsumerReport:
    """Consume until the queue has handed out again what it was not told to delete."""
    total = ConsumerReport()
    for _ in range(10):
        total += feedback.consume()
        if total.taken + total.duplicates + total.set_aside == messages:
            break
    return total
