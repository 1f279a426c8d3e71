"""Changes from the queue into the operational store, beside one call of Lambda and one write for each.

    python -m benchmarks.changes [--changes 5_000] [--without-server]

Both read the same messages from the same AWS-compatible server (ministack) on this machine, whose answers are most of
the time; *without server* is ours alone, from the messages' texts to SQLite, durably. One for each is the way that the
system was once designed: Lambda is called for every message and puts its item into a table. Here it is a loop that does
just that, so without Lambda's own start.

What a million changes cost is on paper: requests times list price (us-east-1, US dollars), for changes of about
1 KB that come in full batches. No free tier; what is kept, transfer and the database that ours writes to are left out.
"""

import argparse
import json
import logging
import os
import tempfile
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from engagement_pipeline.changes.events import parse
from engagement_pipeline.changes.item_reader import ItemReader
from engagement_pipeline.changes.queue import Message
from engagement_pipeline.changes.read_model import ReadModel
from engagement_pipeline.migrations import upgrade
from engagement_pipeline.platform.sql import Database
from engagement_pipeline_tests.aws_server import CREDENTIALS, running_ministack
from engagement_pipeline_tests.changes.cloud import Cloud
from engagement_pipeline_tests.changes.flood import flood
from engagement_pipeline_tests.changes.parts import SETTINGS
from engagement_pipeline_tests.conftest import NOW
from engagement_pipeline_tests.delivery.parts import SECRET
from engagement_pipeline_tests.dynamodb import fresh_tables

MILLION = 1_000_000
BATCH = 2_000
# List prices of a million: requests of SNS and SQS, calls of Lambda, writes of up to 1 KB on demand; and of a GB-second
# of Lambda on ARM. Reads of a stream by Lambda cost nothing, and neither do SNS's deliveries to SQS.
SNS, SQS, LAMBDA, WRITE, GB_SECOND = 0.50, 0.40, 0.20, 0.625, 0.0000133334
# What a call of Lambda takes, in GB and seconds: one of a hundred records, and one of a single message.
PROCESSOR = (0.25, 0.25)
SINGLE = (0.25, 0.05)


class Line(NamedTuple):
    """One kind of request: how many for a million changes, and what a million of it costs."""

    name: str
    requests: float
    price: float

    @property
    def cost(self) -> float:
        return self.requests / MILLION * self.price


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--changes", type=lambda text: int(text.replace("_", "")), default=5_000)
    parser.add_argument("--without-server", action="store_true", help="only what needs no server")
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    os.environ.update(CREDENTIALS)
    messages = [text for text in flood(options.changes).messages if "poison" not in text]
    print(f"{len(messages):,} changes{'':17}{'per second':>12}{'CPU ms each':>13}")
    show("ours, without server", len(messages), lambda: without_server(messages))
    if not options.without_server:
        with_server(messages)
    paper()


def show(name: str, changes: int, work: Callable[[], object]) -> None:
    cpu, started = time.process_time(), time.perf_counter()
    work()
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    print(f"{name:30}{changes / seconds:12,.0f}{1_000 * cpu / changes:13.2f}", flush=True)


def store(folder: Path) -> Database:
    database = Database(f"sqlite:///{folder / 'engagement.db'}")
    upgrade(database)
    return database


def without_server(messages: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        database = store(Path(folder))
        items = ItemReader(SETTINGS, database)
        model = ReadModel(SECRET, lambda keys: [], lambda user_ids, now: None)
        for start in range(0, len(messages), BATCH):
            readings = []
            for text in messages[start : start + BATCH]:
                event = parse(text)
                readings.append(items.read(event))
                items.faults(event, NOW)
            with database.write() as connection:
                model.apply(connection, readings, NOW)
        database.close()


def with_server(messages: list[str]) -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        running_ministack(Path(folder) / "log") as url,
        fresh_tables(url) as named,
    ):
        cloud = Cloud(url, named, visibility_seconds=600)
        database = store(Path(folder))
        for name, work in {"ours": ours, "one for each": one_for_each}.items():
            cloud.put(*messages)
            show(name, len(messages), partial(work, cloud, database))
            if cloud.left():
                raise SystemExit("not everything was taken")
        database.close()


def ours(cloud: Cloud, database: Database) -> None:
    while cloud.consume(database, longest_seconds=3_600).taken:
        pass


def one_for_each(cloud: Cloud, database: Database) -> None:
    dynamo = cloud.dynamo.client
    table = cloud.settings.dynamodb.users_table
    asked = {"QueueUrl": cloud.queue, "MaxNumberOfMessages": 1}
    while messages := cloud.sqs.receive_message(**asked).get("Messages", []):
        message = Message(messages[0]["Body"], messages[0]["ReceiptHandle"])
        event: Mapping[str, Any] = json.loads(message.text)
        item = {"userId": {"S": str(event["entity_id"])}, "event": {"S": message.text}}
        dynamo.put_item(TableName=table, Item=item)
        cloud.sqs.delete_message(QueueUrl=cloud.queue, ReceiptHandle=message.handle)


def paper() -> None:
    calls = MILLION / 100
    tens = MILLION / 10
    compare = {
        "ours": [
            Line("Lambda, a hundred records each", calls, LAMBDA),
            Line("Lambda, its time", calls * PROCESSOR[0] * PROCESSOR[1], GB_SECOND * MILLION),
            Line("SNS, ten each", tens, SNS),
            Line("SQS, taking ten each", tens, SQS),
            Line("SQS, deleting ten each", tens, SQS),
            Line("DynamoDB, a score each at most", MILLION, WRITE),
        ],
        "one for each": [
            Line("Lambda on the stream, one each", MILLION, LAMBDA),
            Line("Lambda on the queue, one each", MILLION, LAMBDA),
            Line("Lambda, their time", 2 * MILLION * SINGLE[0] * SINGLE[1], GB_SECOND * MILLION),
            Line("SNS, one each", MILLION, SNS),
            Line("SQS, taking one each", MILLION, SQS),
            Line("SQS, deleting one each", MILLION, SQS),
            Line("DynamoDB, a score each", MILLION, WRITE),
        ],
    }
    for name, lines in compare.items():
        print(f"\n{name}, a million changes{'':8}{'requests':>14}{'US$':>8}")
        for line in lines:
            print(f"{line.name:32}{line.requests:14,.0f}{line.cost:8.3f}")
        print(f"{'in all':46}{sum(line.cost for line in lines):8.3f}")


if __name__ == "__main__":
    main()
