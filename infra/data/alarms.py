"""Alarms on the way from a changed item to a message taken, and on our reputation as a sender."""

from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_sqs as sqs

from infra.alarms import Alarms, each_minute
from infra.data.changes import Changes
from infra.data.mail import Mail
from infra.data.tables import Tables, title

# A run takes what waits within seconds; minutes mean that nobody takes anything.
_OLDEST_SECONDS = 600
# SES reviews an account at 5 % and 0.1 %; `engagement deliveries` stops by itself there.
_BOUNCES = 0.04
_COMPLAINTS = 0.0008


def watch_data(alarms: Alarms, changes: Changes, mail: Mail, tables: Tables) -> None:
    """Make the alarms of the data stack."""
    _watch_queue(alarms, "Changes", changes.channel.queue, changes.channel.dead_letters)
    _watch_queue(alarms, "Feedback", mail.feedback.queue, mail.feedback.dead_letters)
    _watch_dead_letters(
        alarms,
        "UnpublishedChanges",
        changes.unpublished,
        "Records of a stream could not be published; each message names the shard and the sequence numbers, which the "
        "stream keeps for a day.",
    )
    _watch_processor(alarms, changes)
    for name, table in tables.items():
        _watch_table(alarms, name, table.table_name)
    _watch_reputation(alarms)


def _watch_queue(alarms: Alarms, name: str, queue: sqs.Queue, dead_letters: sqs.Queue) -> None:
    age = each_minute("AWS/SQS", "ApproximateAgeOfOldestMessage", QueueName=queue.queue_name)
    alarms.above(
        f"{name}Age",
        age,
        _OLDEST_SECONDS,
        f"{name}: the oldest message has waited for more than {_OLDEST_SECONDS // 60} minutes. Do runs fail, or is the "
        "daemon down?",
        minutes=3,
    )
    _watch_dead_letters(
        alarms, f"{name}DeadLetters", dead_letters, f"{name}: messages that nobody could take; `engagement rejected`."
    )


def _watch_dead_letters(alarms: Alarms, name: str, queue: sqs.Queue, meaning: str) -> None:
    waiting = each_minute("AWS/SQS", "ApproximateNumberOfMessagesVisible", QueueName=queue.queue_name)
    alarms.above(name, waiting, 0, meaning)


def _watch_processor(alarms: Alarms, changes: Changes) -> None:
    function = changes.processor.function_name
    errors = each_minute("AWS/Lambda", "Errors", "Sum", FunctionName=function)
    alarms.above("ProcessorErrors", errors, 0, "The stream processor failed; its records are tried again.", minutes=3)
    behind = each_minute("AWS/Lambda", "IteratorAge", FunctionName=function)
    alarms.above("ProcessorBehind", behind, 120_000, "The stream processor is two minutes behind.", minutes=5)


def _watch_table(alarms: Alarms, name: str, called: str) -> None:
    # Not `ThrottledRequests`, which is counted by operation and says nothing of a table as a whole.
    for calls in ("Read", "Write"):
        throttled = each_minute("AWS/DynamoDB", f"{calls}ThrottleEvents", "Sum", TableName=called)
        meaning = f"DynamoDB refuses {calls.lower()}s of {name}: too many at once."
        alarms.above(f"{title(name)}{calls}sThrottled", throttled, 10, meaning, minutes=5)


def _watch_reputation(alarms: Alarms) -> None:
    # An account's own figures; silence is an account that has sent too little to have any.
    ignore = cloudwatch.TreatMissingData.IGNORE
    bounces, complaints = (
        each_minute("AWS/SES", f"Reputation.{kind}Rate", "Average") for kind in ("Bounce", "Complaint")
    )
    alarms.above("Bounces", bounces, _BOUNCES, "4 % of what we send bounces; SES reviews at 5 %.", silence=ignore)
    alarms.above(
        "Complaints", complaints, _COMPLAINTS, "0.08 % of recipients complain; SES reviews at 0.1 %.", silence=ignore
    )
