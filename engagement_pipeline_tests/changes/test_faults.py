"""With faults before the server: throttling, errors, slow and lost answers. Nothing is lost, nothing applied twice."""

import random
from contextlib import suppress
from pathlib import Path

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from engagement_pipeline.changes.events import parse
from engagement_pipeline.changes.queue import ChangeQueue
from engagement_pipeline.platform.dynamodb import UnavailableError
from engagement_pipeline.platform.dynamodb_tables import ORDERS
from engagement_pipeline.platform.dynamodb_writes import Put
from engagement_pipeline.platform.settings_groups import DynamoSettings
from engagement_pipeline.platform.sql import Database
from engagement_pipeline_tests.aws_server import FaultProxy
from engagement_pipeline_tests.changes.cloud import Cloud
from engagement_pipeline_tests.changes.flood import flood
from engagement_pipeline_tests.changes.test_read_model import state, truth
from engagement_pipeline_tests.changes.test_stream_processor import record
from engagement_pipeline_tests.faults import Fault
from infra.stream_processor import handler as processor

pytestmark = pytest.mark.integration

FAULTS = [
    Fault(status=400, code="RequestThrottled", reply="slow down"),
    Fault(status=500, code="InternalError"),
    Fault(status=503),
    Fault(drop=True),
    Fault(drop=True, taken=True),
    Fault(status=502, taken=True),
    Fault(delay=0.3),
]


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_nothing_is_lost(
    ministack: str, fault_proxy: FaultProxy, dynamodb_tables: DynamoSettings, database: Database, tmp_path: Path
) -> None:
    what = flood(400)
    cloud = Cloud(ministack, dynamodb_tables, visibility_seconds=1)
    for item in what.tables.of("order"):
        cloud.dynamo.write(Put(ORDERS, item))
    cloud.put(*what.messages)
    disturbed = cloud.settings.model_copy(update={"aws_endpoint_url": fault_proxy.url})
    chance = random.Random(5)
    fault_proxy.faults.decide = lambda stage: chance.choice(FAULTS) if chance.random() < 0.2 else None
    cloud.settings, undisturbed = disturbed, cloud.settings
    while cloud.left():
        with suppress(BotoCoreError, ClientError, UnavailableError):
            cloud.consume(database)
    cloud.settings = undisturbed
    assert state(database) == truth(what.tables)
    assert set(cloud.buried()) == what.poison
    assert len([request for request in fault_proxy.requests if request.status >= 400]) > 5


def test_everything_is_published(
    ministack: str, fault_proxy: FaultProxy, dynamodb_tables: DynamoSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud = Cloud(ministack, dynamodb_tables)
    monkeypatch.setenv("TOPIC_ARN", cloud.make_topic())
    monkeypatch.setenv("AWS_ENDPOINT_URL_SNS", fault_proxy.url)
    processor._sns.cache_clear()
    chance = random.Random(3)
    # At first nobody answers, then only now and then.
    fault_proxy.faults.add("/", Fault(status=503), times=8 * 12)
    fault_proxy.faults.decide = lambda stage: chance.choice(FAULTS) if chance.random() < 0.5 else None
    records = [record("Users", None, {"userId": f"u{number}"}, number) for number in range(1, 81)]
    rest, calls = records, 0
    while rest:
        # As Lambda does it.
        failed = processor.handler({"Records": rest}, None)["batchItemFailures"]
        places = [each["dynamodb"]["SequenceNumber"] for each in rest]
        rest = rest[places.index(failed[0]["itemIdentifier"]) :] if failed else []
        calls += 1
    processor._sns.cache_clear()
    with ChangeQueue(cloud.settings) as queue:
        arrived = [parse(message.text).entity_id for message in queue.receive(1)]
    assert set(arrived) == {f"u{number}" for number in range(1, 81)}
    assert len(arrived) > 80
    assert calls > 1
