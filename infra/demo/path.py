"""From a changed item to SES and back: done as the shop and SES would do it, and timed."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from engagement_pipeline_tests.aws_server import sent_through_ses
from infra.demo.cloud import Cloud

_T = TypeVar("_T")
_PATIENCE_SECONDS = 120
_LOOK_SECONDS = 0.05


@dataclass(frozen=True)
class Arrival:
    """What one change has led to.

    Attributes:
        user_id: whose item was changed.
        score: what stands with the item now.
        band: its band.
        subject: of the e-mail that SES has.
        email_id: our name for it.
        message_id: SES's name for it.
        seconds: from the change to the e-mail.
    """

    user_id: str
    score: float
    band: str
    subject: str
    email_id: str
    message_id: str
    seconds: float


def agree(cloud: Cloud, user_id: str, now: datetime) -> Arrival:
    """Let a user agree to be written to: one attribute of one item; wait for what comes of it.

    Raises:
        TimeoutError: nothing came of it.
    """
    begun = time.perf_counter()
    cloud.client("dynamodb").update_item(
        TableName=cloud.table("users"),
        Key={"userId": {"S": user_id}},
        UpdateExpression="SET consent = :yes, updatedAt = :now",
        ExpressionAttributeValues={":yes": {"BOOL": True}, ":now": {"S": now.isoformat()}},
    )
    message = _wait_for(lambda: _message_to(cloud, f"{user_id}@example.com"), f"an e-mail to {user_id}")
    seconds = time.perf_counter() - begun
    email = _wait_for(lambda: _email_of(cloud, user_id), f"an item in Emails for {user_id}")
    user = _item(cloud, "users", "userId", user_id)
    return Arrival(
        user_id,
        float(user["engagementScore"]["N"]),
        user["scoreBand"]["S"],
        message["Subject"],
        email["emailId"]["S"],
        email["providerMessageId"]["S"],
        seconds,
    )


def bounce(cloud: Cloud, arrival: Arrival, now: datetime) -> float:
    """Report, as SES does, that an address does not exist; return the seconds until it is suppressed.

    Raises:
        TimeoutError: it never was.
    """
    begun = time.perf_counter()
    address = f"{arrival.user_id}@example.com"
    event = {
        "eventType": "Bounce",
        "mail": {
            "messageId": arrival.message_id,
            "timestamp": now.isoformat(),
            "destination": [address],
            "tags": {},
        },
        "bounce": {
            "bounceType": "Permanent",
            "bounceSubType": "General",
            "bouncedRecipients": [{"emailAddress": address, "status": "5.1.1"}],
            "timestamp": now.isoformat(),
            "feedbackId": f"feedback-{arrival.message_id}",
        },
    }
    cloud.client("sns").publish(TopicArn=cloud.feedback_topic, Message=json.dumps(event))
    key = _item(cloud, "emails", "emailId", arrival.email_id)["addressKey"]["S"]
    _wait_for(lambda: "reason" in _item(cloud, "addresses", "addressKey", key), "the address to be suppressed")
    return time.perf_counter() - begun


def status_of(cloud: Cloud, arrival: Arrival) -> str:
    """Return what stands with an e-mail's item."""
    return str(_item(cloud, "emails", "emailId", arrival.email_id)["status"]["S"])


def wait_until_quiet(cloud: Cloud, at_least: int) -> int:
    """Wait until no more changes come into the queue; return how many there are.

    Raises:
        TimeoutError: there are fewer than there must be.
    """
    seen, since = -1, time.monotonic()
    give_up = since + 600
    while time.monotonic() < give_up:
        now = cloud.waiting()
        if now != seen:
            seen, since = now, time.monotonic()
        elif now >= at_least and time.monotonic() - since > 3:
            return now
        time.sleep(0.5)
    raise TimeoutError(f"only {seen:,} of {at_least:,} changes came through the streams")


def _message_to(cloud: Cloud, address: str) -> Any:
    return next((each for each in sent_through_ses(cloud.url) if address in each["To"]), None)


def _email_of(cloud: Cloud, user_id: str) -> Any:
    found = cloud.client("dynamodb").query(
        TableName=cloud.table("emails"),
        IndexName="user",
        KeyConditionExpression="userId = :user",
        ExpressionAttributeValues={":user": {"S": user_id}},
        ScanIndexForward=False,
        Limit=1,
    )["Items"]
    item = _item(cloud, "emails", "emailId", found[0]["emailId"]["S"]) if found else {}
    # The sender notes it together with its next message, or at the end of its run.
    return item if "providerMessageId" in item else None


def _item(cloud: Cloud, table: str, key: str, value: str) -> Any:
    answer = cloud.client("dynamodb").get_item(
        TableName=cloud.table(table), Key={key: {"S": value}}, ConsistentRead=True
    )
    return answer.get("Item", {})


def _wait_for(what: Callable[[], _T | None], meaning: str) -> _T:
    give_up = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < give_up:
        found = what()
        if found:
            return found
        time.sleep(_LOOK_SECONDS)
    raise TimeoutError(f"{_PATIENCE_SECONDS} s, and still not: {meaning}")
