"""The SQS queue of changes: many messages at once, looking without taking, and its dead letters."""

import json
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import cached_property
from typing import Any, Final

from engagement_pipeline.platform import aws
from engagement_pipeline.platform.batches import in_batches
from engagement_pipeline.platform.settings import Settings

logger = logging.getLogger(__name__)

# The most that SQS hands out, or takes back, at once.
AT_ONCE: Final = 10
# How many messages, and about how many characters of them, are held at once.
MOST_MESSAGES: Final = 2_000
MOST_CHARACTERS: Final = 32 * 1024 * 1024

_CALLS_AT_ONCE: Final = 16
_COUNT: Final = "ApproximateNumberOfMessages"
_CAUSE: Final = "cause"
_SHOP: Final = "shop"


@dataclass(frozen=True)
class Message:
    """What SQS hands out; the handle is for giving it back or having it deleted."""

    text: str
    handle: str


@dataclass(frozen=True)
class Waiting:
    """What a look at the queue has shown.

    Attributes:
        messages: about how many wait.
        oldest_at: since when the oldest of those looked at has been there.
        is_urgent: whether one of those looked at is a change that people or the shop have made, not the system itself.
    """

    messages: int
    oldest_at: datetime
    is_urgent: bool


class ChangeQueue:
    """The queue that settings name; use as a context manager.

    Raises:
        botocore.exceptions.BotoCoreError, ClientError: in every method, where SQS does not answer. Nothing is lost:
            what was not deleted comes again.
    """

    def __init__(self, settings: Settings) -> None:
        self.url = settings.dynamodb.changes_queue_url
        self._sqs = aws.client(
            settings, "sqs", retries={"mode": "standard", "max_attempts": 5}, max_pool_connections=_CALLS_AT_ONCE
        )
        self._pool = ThreadPoolExecutor(_CALLS_AT_ONCE)

    def __enter__(self) -> "ChangeQueue":
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()

    @property
    def name(self) -> str:
        return self.url.rsplit("/", 1)[-1]

    def receive(self, wait_seconds: int) -> list[Message]:
        """Take some messages, which nobody else gets for a while; none where none came in this time."""
        messages = self._receive(wait_seconds)
        characters = 0
        # A full answer says that there are more: many are asked for at once.
        some = messages if len(messages) == AT_ONCE else []
        while some and len(messages) < MOST_MESSAGES and characters < MOST_CHARACTERS:
            answers = self._pool.map(lambda _: self._receive(0), range(_CALLS_AT_ONCE))
            some = [message for answer in answers for message in answer]
            messages += some
            characters = sum(len(message.text) for message in messages)
        return messages

    def delete(self, messages: Sequence[Message]) -> None:
        """Delete messages for good. Where SQS does not do as it is told, they come again."""
        failed = self._for_each_part(messages, self._delete)
        if failed:
            logger.warning("SQS did not delete %d of %d messages; they will come again.", sum(failed), len(messages))

    def give_back(self, messages: Sequence[Message]) -> None:
        """Let others have messages at once that were taken in vain; where SQS does not answer, they have to wait."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            self._for_each_part(messages, self._show)
        except (BotoCoreError, ClientError) as error:
            logger.warning("%d messages could not be given back: %s.", len(messages), type(error).__name__)

    def bury(self, messages: Sequence[Message]) -> None:
        """Put copies of messages into the queue of dead letters; a queue without one only loses them."""
        if self._dead_letters is None:
            logger.warning("The queue has no dead letters: %d messages are kept as rejected only.", len(messages))
            return
        # Each by itself: together they could be more than SQS takes at once.
        list(self._pool.map(self._bury, messages))

    def look(self, wait_seconds: int) -> Waiting | None:
        """Wait until messages are there, and leave them there; None where none came in this time."""
        answer = self._sqs.receive_message(
            QueueUrl=self.url,
            MaxNumberOfMessages=AT_ONCE,
            WaitTimeSeconds=wait_seconds,
            VisibilityTimeout=0,
            MessageSystemAttributeNames=["SentTimestamp"],
            MessageAttributeNames=[_CAUSE],
        )
        seen = answer.get("Messages", [])
        if not seen:
            return None
        attributes = self._sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=[_COUNT])["Attributes"]
        oldest = min(int(message["Attributes"]["SentTimestamp"]) for message in seen)
        return Waiting(
            messages=max(int(attributes[_COUNT]), len(seen)),
            oldest_at=datetime.fromtimestamp(oldest / 1000, timezone.utc),
            is_urgent=any(_cause(message) == _SHOP for message in seen),
        )

    @cached_property
    def _dead_letters(self) -> str | None:
        asked = {"QueueUrl": self.url, "AttributeNames": ["RedrivePolicy"]}
        policy = self._sqs.get_queue_attributes(**asked).get("Attributes", {}).get("RedrivePolicy")
        if policy is None:
            return None
        # Of the same account and region, which is the rest of the address.
        return f"{self.url.rsplit('/', 1)[0]}/{str(json.loads(policy)['deadLetterTargetArn']).rsplit(':', 1)[-1]}"

    def _receive(self, wait_seconds: int) -> list[Message]:
        answer = self._sqs.receive_message(QueueUrl=self.url, MaxNumberOfMessages=AT_ONCE, WaitTimeSeconds=wait_seconds)
        return [Message(message["Body"], message["ReceiptHandle"]) for message in answer.get("Messages", [])]

    def _delete(self, part: Sequence[Message]) -> int:
        entries = [{"Id": str(place), "ReceiptHandle": message.handle} for place, message in enumerate(part)]
        return len(self._sqs.delete_message_batch(QueueUrl=self.url, Entries=entries).get("Failed", []))

    def _show(self, part: Sequence[Message]) -> int:
        entries = [
            {"Id": str(place), "ReceiptHandle": message.handle, "VisibilityTimeout": 0}
            for place, message in enumerate(part)
        ]
        return len(self._sqs.change_message_visibility_batch(QueueUrl=self.url, Entries=entries).get("Failed", []))

    def _bury(self, message: Message) -> None:
        self._sqs.send_message(QueueUrl=self._dead_letters, MessageBody=message.text)

    def _for_each_part(self, messages: Sequence[Message], call: Callable[[Sequence[Message]], int]) -> list[int]:
        return [failed for failed in self._pool.map(call, in_batches(messages, AT_ONCE)) if failed]


def _cause(message: dict[str, Any]) -> str | None:
    # One that does not say so is looked at without delay as well.
    attribute = message.get("MessageAttributes", {}).get(_CAUSE)
    return _SHOP if attribute is None else str(attribute["StringValue"])
