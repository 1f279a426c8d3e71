"""A topic with one queue behind it, and behind that the dead letters."""

from dataclasses import dataclass

import aws_cdk as cdk
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_sqs as sqs
from constructs import Construct

# The most that SQS allows: a long week-end and then some.
_KEPT = cdk.Duration.days(14)
# Longer than a run takes to read a batch, write it and delete it, its wait for the warehouse included.
_IN_HAND = cdk.Duration.minutes(5)
# The most that SQS allows. Readers set poison aside themselves; what else became a dead letter would be good: a change,
# or a bounce after which somebody must not be written to again, that no run could take while a database was down.
_TRIES = 1_000


@dataclass(frozen=True)
class Channel:
    """Where messages are published, where they wait, and where those end that nobody could take."""

    topic: sns.Topic
    queue: sqs.Queue
    dead_letters: sqs.Queue


def make_channel(scope: Construct, name: str, key: kms.IKey) -> Channel:
    """Return a channel whose queue gets messages as they were published, without SNS's envelope.

    Args:
        scope: the stack.
        name: begins the names of its parts.
        key: encrypts what is published.
    """
    topic = sns.Topic(scope, f"{name}Topic", master_key=key, enforce_ssl=True)
    dead_letters = make_queue(scope, f"{name}DeadLetters")
    queue = sqs.Queue(
        scope,
        f"{name}Queue",
        encryption=sqs.QueueEncryption.SQS_MANAGED,
        enforce_ssl=True,
        retention_period=_KEPT,
        visibility_timeout=_IN_HAND,
        receive_message_wait_time=cdk.Duration.seconds(20),
        dead_letter_queue=sqs.DeadLetterQueue(queue=dead_letters, max_receive_count=_TRIES),
    )
    # The topic alone may write to it: what it holds carries no signature.
    topic.add_subscription(subscriptions.SqsSubscription(queue, raw_message_delivery=True))
    return Channel(topic, queue, dead_letters)


def make_queue(scope: Construct, name: str) -> sqs.Queue:
    """Return a queue for what a person has to look at."""
    return sqs.Queue(scope, name, encryption=sqs.QueueEncryption.SQS_MANAGED, enforce_ssl=True, retention_period=_KEPT)
