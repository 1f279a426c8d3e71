"""Looking at the queue and asking for runs wears no message out: SQS counts how often each was handed out."""

from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise

import pytest

from engagement_pipeline.changes import asking
from engagement_pipeline.changes.looking import wait_for_messages
from engagement_pipeline.migrations import upgrade
from engagement_pipeline.platform.settings_groups import DynamoSettings
from engagement_pipeline.platform.sql import Database
from engagement_pipeline_tests.changes.cloud import Cloud
from engagement_pipeline_tests.changes.parts import Tables, user_item
from engagement_pipeline_tests.conftest import NOW

# A message becomes a dead letter after so many; each run asked for tries three times, and two sensors look before.
MOST_RECEPTIONS = 1_000
OF_ONE_RUN = 3 + 2


@pytest.fixture
def database(sqlite_url: str) -> Iterator[Database]:
    database = Database(sqlite_url)
    upgrade(database)
    yield database
    database.close()


@pytest.mark.integration
def test_what_a_run_was_asked_for_is_not_looked_at_again(
    ministack: str, dynamodb_tables: DynamoSettings, database: Database
) -> None:
    cloud = Cloud(ministack, dynamodb_tables)
    cloud.put(Tables().put("user", user_item("u1")))
    assert wait_for_messages(cloud.settings, database, 0, lambda: NOW) is not None
    assert wait_for_messages(cloud.settings, database, 3, lambda: NOW) is None
    [message] = cloud.sqs.receive_message(
        QueueUrl=cloud.queue, MessageSystemAttributeNames=["ApproximateReceiveCount"], WaitTimeSeconds=1
    )["Messages"]
    # Once by the first look, and once just now.
    assert int(message["Attributes"]["ApproximateReceiveCount"]) == 2


def test_runs_that_fail_for_two_weeks_wear_no_message_out(database: Database) -> None:
    asked = sum(asking.ask(database, NOW + timedelta(minutes=minute)) for minute in range(14 * 24 * 60))
    assert asked * OF_ONE_RUN < MOST_RECEPTIONS


def test_a_run_that_failed_is_asked_for_again_soon_and_then_ever_more_seldom(database: Database) -> None:
    asked = [minute for minute in range(36 * 60) if asking.ask(database, NOW + timedelta(minutes=minute))]
    waits = [later - earlier for earlier, later in pairwise(asked)]
    assert waits[0] <= 6
    assert waits == sorted(waits)
    assert 2 * 60 < waits[-1] <= 3 * 60 + 1
    asking.answer(database)
    assert asking.ask(database, NOW + timedelta(hours=36))
