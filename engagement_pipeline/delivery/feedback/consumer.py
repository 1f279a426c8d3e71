"""Takes events from the SQS queue that SES's topic feeds, with or without SNS's envelope around them.

A message is deleted after the transaction that holds its events has committed. A process that dies in between, and a
deletion that fails, bring it once more, which changes nothing. Whoever may write to the queue is trusted as far as raw
messages go, since these carry no signature: the queue's policy should let in the topic alone.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from engagement_pipeline.delivery.events import Event
from engagement_pipeline.delivery.feedback import reception, sns
from engagement_pipeline.delivery.feedback.errors import BadEventError, ForgedError
from engagement_pipeline.delivery.feedback.json_text import read_object
from engagement_pipeline.delivery.feedback.reception import Received
from engagement_pipeline.delivery.feedback.sns import Certificates
from engagement_pipeline.delivery.stores import Stores
from engagement_pipeline.platform import aws
from engagement_pipeline.platform.settings import Settings

logger = logging.getLogger(__name__)

_Message = dict[str, Any]

# The most that SQS hands out at once.
_BATCH = 10
# Asked at once, only some of SQS's servers answer, and a queue can look empty that is not.
_WAIT_SECONDS = 1


@dataclass(frozen=True)
class ConsumerReport:
    """What a run brought: new events, known ones, those of the new that match no e-mail yet, and unusable messages.

    `left` messages stay in the queue, since nobody can tell for now who sent them; they come again.
    """

    taken: int = 0
    duplicates: int = 0
    unmatched: int = 0
    set_aside: int = 0
    left: int = 0

    def __add__(self, other: "ConsumerReport") -> "ConsumerReport":
        return ConsumerReport(
            self.taken + other.taken,
            self.duplicates + other.duplicates,
            self.unmatched + other.unmatched,
            self.set_aside + other.set_aside,
            self.left + other.left,
        )


class _CannotCheckError(Exception):
    """Nobody can tell for now who sent a message; it says why."""


def consume(settings: Settings, stores: Stores, now: Callable[[], datetime]) -> ConsumerReport:
    """Take events from the queue until it gives nothing more. Several may do so at once.

    Args:
        settings: name the queue and the topic.
        stores: the ledger and what goes with it.
        now: tells the time, timezone-aware.

    Raises:
        botocore.exceptions.BotoCoreError, ClientError: the queue cannot be read. Nothing is lost: what was not taken
            stays queued.
    """
    client = aws.client(settings, "sqs")
    # An emulator cannot sign as AWS does.
    certificates = None if settings.aws_endpoint_url else Certificates(sns.fetch)
    queue = settings.ses.feedback_queue_url
    total = ConsumerReport()
    while messages := _receive(client, queue):
        report, done = _take(messages, settings, stores, certificates, now())
        total += report
        if not done:
            break
        _delete(client, queue, done)
    return total


def depth(settings: Settings) -> int:
    """Return about how many messages wait in the queue."""
    name = "ApproximateNumberOfMessages"
    queue = settings.ses.feedback_queue_url
    answer = aws.client(settings, "sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=[name])
    return int(answer["Attributes"][name])


def _take(
    messages: Sequence[_Message],
    settings: Settings,
    stores: Stores,
    certificates: Certificates | None,
    now: datetime,
) -> tuple[ConsumerReport, list[_Message]]:
    """Store what the messages say; return what that brought, and those that can be deleted."""
    received = Received()
    done = []
    for message in messages:
        text = message["Body"]
        try:
            received.events += _read(text, settings, certificates, now)
        except (BadEventError, ForgedError) as error:
            received.set_aside.append(reception.reject(text, error, settings.ses.feedback_queue_url.rsplit("/")[-1]))
        except _CannotCheckError as error:
            # It must not keep back all others: it may name a host that does not exist.
            logger.warning("A message stays in the queue: %s.", error)
            continue
        done.append(message)
    intake = reception.take(stores, received, settings, now)
    left = len(messages) - len(done)
    return ConsumerReport(intake.new, intake.duplicates, intake.unmatched, len(received.set_aside), left), done


def _read(text: str, settings: Settings, certificates: Certificates | None, now: datetime) -> Sequence[Event]:
    if not _is_envelope(text):
        return reception.read(text, settings, now)
    topic = settings.ses.feedback_topic_arn
    if not topic:
        raise _CannotCheckError("ENGAGEMENT_SES__FEEDBACK_TOPIC_ARN does not say from which topic it may come")
    try:
        envelope = sns.open_envelope(text, topic, certificates)
    except OSError as error:
        raise _CannotCheckError("SNS's certificate cannot be fetched") from error
    if envelope.kind != "Notification":
        raise BadEventError("Type", "is not a notification")
    return reception.read(envelope.message, settings, now)


def _is_envelope(text: str) -> bool:
    try:
        return "Type" in read_object(text)
    except BadEventError:
        return False


def _receive(client: Any, queue: str) -> Sequence[_Message]:
    answer = client.receive_message(QueueUrl=queue, MaxNumberOfMessages=_BATCH, WaitTimeSeconds=_WAIT_SECONDS)
    messages: list[_Message] = answer.get("Messages", [])
    return messages


def _delete(client: Any, queue: str, messages: Sequence[_Message]) -> None:
    entries = [{"Id": str(place), "ReceiptHandle": message["ReceiptHandle"]} for place, message in enumerate(messages)]
    failed = client.delete_message_batch(QueueUrl=queue, Entries=entries).get("Failed", [])
    if failed:
        logger.warning("SQS did not delete %d of %d messages; they will come again.", len(failed), len(entries))
