"""Tables, their streams, the stream processor, a topic and a queue with dead letters, in an AWS-compatible server."""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from pydantic import SecretStr

from engagement_pipeline.changes.consumer import ConsumerReport, consume
from engagement_pipeline.platform import aws
from engagement_pipeline.platform.dynamodb import Dynamo, connect
from engagement_pipeline.platform.settings import Settings
from engagement_pipeline.platform.settings_groups import DynamoSettings
from engagement_pipeline.platform.sql import Database
from engagement_pipeline_tests.aws_server import REGION
from engagement_pipeline_tests.conftest import NOW
from engagement_pipeline_tests.delivery.parts import SECRET
from infra.artefacts import STREAM_PROCESSOR

_ROLE = "arn:aws:iam::000000000000:role/stream-processor"


class Cloud:
    """What the stack of data has, made by hand.

    Args:
        url: the server.
        named: the tables.
        visibility_seconds: after which a message comes again that was taken and not deleted.
    """

    def __init__(self, url: str, named: DynamoSettings, visibility_seconds: int = 30) -> None:
        self._bare = Settings(aws_region=REGION, aws_endpoint_url=url, secret_key=SecretStr(SECRET))
        self.sqs: Any = aws.client(self._bare, "sqs", max_pool_connections=32)
        self.dead_letters = self.sqs.create_queue(QueueName="changes-dead")["QueueUrl"]
        redrive = {"deadLetterTargetArn": self._arn(self.dead_letters), "maxReceiveCount": 1_000}
        attributes = {"RedrivePolicy": json.dumps(redrive), "VisibilityTimeout": str(visibility_seconds)}
        self.queue = self.sqs.create_queue(QueueName="changes", Attributes=attributes)["QueueUrl"]
        tables = named.model_copy(update={"changes_queue_url": self.queue})
        self.settings = self._bare.model_copy(update={"dynamodb": tables})
        self.dynamo: Dynamo = connect(self.settings)

    def put(self, *messages: str) -> None:
        for start in range(0, len(messages), 10):
            part = messages[start : start + 10]
            entries = [{"Id": str(place), "MessageBody": body} for place, body in enumerate(part)]
            self.sqs.send_message_batch(QueueUrl=self.queue, Entries=entries)

    def consume(self, database: Database, **options: Any) -> ConsumerReport:
        return consume(self.settings, database, lambda: NOW, **options)

    def left(self, queue: str | None = None) -> int:
        """Return how many messages are in a queue, in somebody's hands or not."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        answer = self.sqs.get_queue_attributes(QueueUrl=queue or self.queue, AttributeNames=names)["Attributes"]
        return sum(int(answer[name]) for name in names)

    def buried(self) -> list[str]:
        """Take out the dead letters and return what they say."""
        found: list[str] = []
        while messages := self._some(self.dead_letters):
            found += [message["Body"] for message in messages]
        return sorted(found)

    def make_topic(self) -> str:
        """Make the topic that the queue listens to, and return its name."""
        sns = aws.client(self._bare, "sns")
        topic: str = sns.create_topic(Name="changes")["TopicArn"]
        raw = {"RawMessageDelivery": "true"}
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=self._arn(self.queue), Attributes=raw)
        return topic

    def connect_streams(self, named: DynamoSettings) -> None:
        """Let the stream processor publish what changes in the tables from now on."""
        topic = self.make_topic()
        functions = aws.client(self._bare, "lambda")
        functions.create_function(
            FunctionName="stream-processor",
            Runtime="python3.13",
            Handler="handler.handler",
            Role=_ROLE,
            Code={"ZipFile": STREAM_PROCESSOR.content},
            Environment={"Variables": {"TOPIC_ARN": topic}},
            Timeout=60,
        )
        for called in named.tables.values():
            table = self.dynamo.client.describe_table(TableName=called)["Table"]
            if "LatestStreamArn" in table:
                functions.create_event_source_mapping(
                    FunctionName="stream-processor",
                    EventSourceArn=table["LatestStreamArn"],
                    StartingPosition="TRIM_HORIZON",
                    BatchSize=100,
                    FunctionResponseTypes=["ReportBatchItemFailures"],
                )

    def disconnect_streams(self) -> None:
        functions = aws.client(self._bare, "lambda")
        for mapping in functions.list_event_source_mappings()["EventSourceMappings"]:
            functions.delete_event_source_mapping(UUID=mapping["UUID"])

    def _some(self, queue: str) -> Sequence[dict[str, Any]]:
        messages: list[dict[str, Any]] = self.sqs.receive_message(
            QueueUrl=queue, MaxNumberOfMessages=10, VisibilityTimeout=600
        ).get("Messages", [])
        return messages

    def _arn(self, queue: str) -> str:
        answer = self.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
        return str(answer["Attributes"]["QueueArn"])


@contextmanager
def streaming_cloud(url: str, named: DynamoSettings) -> Iterator[Cloud]:
    """Make all of it, with streams that are connected for so long."""
    cloud = Cloud(url, named)
    cloud.connect_streams(named)
    try:
        yield cloud
    finally:
        cloud.disconnect_streams()


def wait_until(is_so: Callable[[], bool], seconds: float = 20) -> None:
    until = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > until:
            raise AssertionError("it has not come to be")
        time.sleep(0.05)
