"""Turns the change records of DynamoDB's streams into events, and publishes them to the topic of changes.

It knows the shape of the tables, not what they mean: whoever listens decides that. Nothing but Python and what Lambda
brings along is needed. No record can hold up those behind it: what is too large for SNS, or what SNS finds fault with,
is announced without its contents, and whoever listens looks it up.

Our own notes are not announced: a score that we write to a user, a touch that we note at an address, and who holds an
e-mail. The system would only react to itself.
"""

import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import cache
from typing import Any

Image = Mapping[str, Any]

# What SNS takes at once, attributes included.
MOST_MESSAGES = 10
MOST_BYTES = 256 * 1024

# A table's primary key tells what its items are.
ENTITIES = {
    ("userId",): "user",
    ("orderId", "userId"): "order",
    ("emailId",): "email",
    ("addressKey",): "address",
    ("auditId",): "audit",
}
ID_ATTRIBUTES = {"user": "userId", "order": "orderId", "email": "emailId", "address": "addressKey", "audit": "auditId"}
OPERATIONS = {"INSERT": "created", "MODIFY": "updated", "REMOVE": "deleted"}

# What we write to a user ourselves: scores, which nobody has to hear of, and what follows from e-mails.
SCORE = {"engagementScore", "scoreBand", "scoredAt", "updatedAt"}
TOUCH = {"lastEmailDate", "touchedAt", "lastTouchAt", "touchesSinceOrder", "steps", "version"}
SUPPRESSION = ("reason", "source", "suppressedAt")
# Which sender has an e-mail in its hands.
CLAIM = {"claimedBy", "claimedUntil", "claimShard"}

_CONNECTIONS = 8
_TRIES = 4
_FIRST_PAUSE_SECONDS = 0.1


@dataclass(frozen=True)
class Message:
    """An event as it is published: `place` is that of its record in the batch."""

    place: int
    body: str
    attributes: Mapping[str, str]

    @property
    def size(self) -> int:
        """Bytes as SNS counts them."""
        return len(self.body) + sum(len(name) + len("String") + len(value) for name, value in self.attributes.items())


def handler(event: Mapping[str, Any], context: object) -> dict[str, list[dict[str, str]]]:
    """Publish what a batch of a stream says; report from which record on Lambda has to come again."""
    records = event["Records"]
    found = (message_of(place, record) for place, record in enumerate(records))
    messages = [message for message in found if message is not None]
    failed = publish(_sns(), os.environ["TOPIC_ARN"], messages)
    # Lambda goes on from the first one; what is published twice by that does no harm.
    return {
        "batchItemFailures": [
            {"itemIdentifier": records[place]["dynamodb"]["SequenceNumber"]} for place in sorted(failed)[:1]
        ]
    }


def message_of(place: int, record: Mapping[str, Any]) -> Message | None:
    """Return what is to be published of a record; None where it holds nothing but our own notes.

    Args:
        place: its place in the batch.
        record: as the stream gives it.

    Raises:
        KeyError: the table is none of ours: its stream must not be read.
    """
    change = record["dynamodb"]
    entity = ENTITIES[tuple(sorted(change["Keys"]))]
    new, old = _image(change.get("NewImage")), _image(change.get("OldImage"))
    if is_own_note(entity, old, new):
        return None
    keys = _image(change["Keys"]) or {}
    operation = OPERATIONS[record["eventName"]]
    event = {
        "version": 1,
        "event_id": record["eventID"],
        "entity": entity,
        "operation": operation,
        "entity_id": str(keys[ID_ATTRIBUTES[entity]]),
        "user_id": _user_id(entity, keys, new or old or {}),
        "sequence": change["SequenceNumber"],
        "occurred_at": _moment(change.get("ApproximateCreationDateTime", 0)),
        "new": new,
        "old": old,
        "fetch": False,
    }
    attributes = {"entity": entity, "operation": operation, "cause": cause_of(entity, old, new)}
    message = Message(place, _text(event), attributes)
    if message.size <= MOST_BYTES:
        return message
    return without_contents(message)


def without_contents(message: Message) -> Message:
    """Return the announcement of a change that does not say what the item is now: whoever listens looks it up."""
    event = json.loads(message.body)
    is_there = event["operation"] != "deleted"
    return Message(message.place, _text({**event, "new": None, "old": None, "fetch": is_there}), message.attributes)


def is_own_note(entity: str, old: Image | None, new: Image | None) -> bool:
    """Tell whether a change holds nothing but what we note for ourselves."""
    if entity == "address":
        return all((old or {}).get(name) == (new or {}).get(name) for name in SUPPRESSION)
    notes = {"user": SCORE, "email": CLAIM}.get(entity)
    return notes is not None and old is not None and new is not None and changed(old, new) <= notes


def cause_of(entity: str, old: Image | None, new: Image | None) -> str:
    """Tell who is behind a change: the shop, its programs and people; or the system itself."""
    if entity == "order" or (entity == "email" and old is None and (new or {}).get("requestedBy") is not None):
        return "shop"
    if entity != "user":
        return "system"
    return "system" if old is not None and new is not None and changed(old, new) <= SCORE | TOUCH else "shop"


def changed(old: Image, new: Image) -> set[str]:
    """Return the names of the attributes that are not as they were."""
    return {name for name in {*old, *new} if not (name in old and name in new and old[name] == new[name])}


def batches(messages: Iterable[Message]) -> Iterator[list[Message]]:
    """Split messages so that SNS takes each part at once."""
    batch: list[Message] = []
    size = 0
    for message in messages:
        if batch and (len(batch) == MOST_MESSAGES or size + message.size > MOST_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(message)
        size += message.size
    if batch:
        yield batch


def publish(sns: Any, topic: str, messages: Sequence[Message]) -> set[int]:
    """Publish messages, some batches at once; return the places of those that SNS has not taken."""
    left = list(messages)
    for tried in range(_TRIES):
        if not left:
            break
        if tried:
            time.sleep(_FIRST_PAUSE_SECONDS * 2**tried)
        with ThreadPoolExecutor(_CONNECTIONS) as pool:
            refused = list(pool.map(lambda batch: _publish_batch(sns, topic, batch), batches(left)))
        left = [message for batch in refused for message in batch]
    return {message.place for message in left}


def _publish_batch(sns: Any, topic: str, batch: Sequence[Message]) -> list[Message]:
    """Return what has to be published again; what SNS finds fault with, without its contents."""
    from botocore.exceptions import BotoCoreError, ClientError
    from botocore.parsers import ResponseParserError

    entries = [
        {
            "Id": str(number),
            "Message": message.body,
            "MessageAttributes": {
                name: {"DataType": "String", "StringValue": value} for name, value in message.attributes.items()
            },
        }
        for number, message in enumerate(batch)
    ]
    try:
        answer = sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=entries)
    except (BotoCoreError, ClientError, ResponseParserError) as error:
        # Its class alone: a message could quote what was to be published.
        print(f"a batch was not published: {type(error).__name__}")  # noqa: T201 - Lambda's log
        return list(batch)
    return [
        without_contents(message) if failure.get("SenderFault") else message
        for failure in answer.get("Failed", [])
        for message in [batch[int(failure["Id"])]]
    ]


@cache
def _sns() -> Any:
    import botocore.session
    from botocore.config import Config

    config = Config(
        retries={"mode": "standard", "max_attempts": 3},
        connect_timeout=3,
        read_timeout=5,
        max_pool_connections=_CONNECTIONS,
    )
    return botocore.session.get_session().create_client("sns", config=config)


def _image(image: Mapping[str, Mapping[str, Any]] | None) -> dict[str, Any] | None:
    return None if image is None else {name: plain(value) for name, value in image.items()}


def plain(value: Mapping[str, Any]) -> Any:
    """Return a value of DynamoDB as JSON has it: numbers as numbers, sets as lists, bytes in base64."""
    [(kind, content)] = value.items()
    if kind == "N":
        return _number(content)
    if kind == "NS":
        return [_number(member) for member in content]
    if kind == "L":
        return [plain(member) for member in content]
    if kind == "M":
        return {name: plain(member) for name, member in content.items()}
    return None if kind == "NULL" else content


def _number(text: str) -> int | float:
    try:
        return int(text)
    except ValueError:
        number = float(text)
        return int(number) if number.is_integer() and abs(number) < 2**53 else number


def _user_id(entity: str, keys: Image, item: Image) -> str | None:
    if entity not in ("user", "order", "email"):
        return None
    user_id = keys.get("userId", item.get("userId"))
    return None if user_id is None else str(user_id)


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat().replace("+00:00", "Z")


def _text(event: Mapping[str, Any]) -> str:
    # In ASCII: SNS knows characters that it does not take, and bytes and characters are the same number.
    return json.dumps(event, separators=(",", ":"))
