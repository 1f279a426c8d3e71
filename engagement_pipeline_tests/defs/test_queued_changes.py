"""Users on DynamoDB: what changes there is noticed, taken in, scored and written back."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest
import sqlalchemy as sa

from engagement_pipeline.changes import asking
from engagement_pipeline.definitions import build_defs
from engagement_pipeline.defs import sensors
from engagement_pipeline.defs.assets import REACTION
from engagement_pipeline.delivery.tables import emails
from engagement_pipeline.pipeline import Pipeline
from engagement_pipeline.platform import change_claims
from engagement_pipeline.platform.change_wait import wait_for_change
from engagement_pipeline.platform.dynamodb_tables import EMAILS, USERS
from engagement_pipeline.platform.dynamodb_writes import Put
from engagement_pipeline.platform.settings_groups import DynamoSettings, GateSettings
from engagement_pipeline.scoring.tables import scores
from engagement_pipeline.users.writing import users_of
from engagement_pipeline_tests.changes.cloud import Cloud, streaming_cloud, wait_until
from engagement_pipeline_tests.changes.parts import Tables, email_item, user_item
from engagement_pipeline_tests.defs.conftest import Clock, RunJob

pytestmark = pytest.mark.integration

SILENT = {"orderCount": 2, "averageOrderValue": 40, "lastOrderDate": "2025-12-02T00:00:00Z"}


@pytest.fixture
def cloud(ministack: str, dynamodb_tables: DynamoSettings) -> Iterator[Cloud]:
    with streaming_cloud(ministack, dynamodb_tables) as cloud:
        yield cloud


@pytest.fixture
def pipeline(cloud: Cloud, tmp_path: Path, clock: Clock) -> Iterator[Pipeline]:
    gate = GateSettings(sending_hour_from=0, sending_hour_to=24, hold_out_share=0)
    pipeline = Pipeline(cloud.settings.model_copy(update={"data_dir": tmp_path, "gate": gate}), clock)
    yield pipeline
    pipeline.database.close()


@pytest.fixture(autouse=True)
def _nobody_waits_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sensors, "WAIT_SECONDS", 0.0)


def email(number: int) -> Put:
    return Put(EMAILS, email_item(f"e{number}", "u1"))


def look(pipeline: Pipeline, instance: dg.DagsterInstance) -> tuple[list[tuple[str | None, str]], str | None]:
    """Return the jobs that a sensor asks for, each with the number of messages, and why it asks for none."""
    defs = build_defs(pipeline.settings, {"pipeline": pipeline})
    with dg.build_sensor_context(instance=instance, resources={"pipeline": pipeline}, definitions=defs) as context:
        data = sensors.queued_changes[0].evaluate_tick(context)
    return [(request.job_name, request.tags["messages_waiting"]) for request in data.run_requests or []], (
        data.skip_message
    )


def test_without_a_queue_nobody_looks_for_one(pipeline: Pipeline) -> None:
    def names(settings: object) -> set[str]:
        return {sensor.name for sensor in build_defs(settings).sensors or []}  # type: ignore[arg-type]

    bare = pipeline.settings.model_copy(update={"dynamodb": DynamoSettings()})
    assert names(pipeline.settings) - names(bare) == {"queued_changes_1", "queued_changes_2"}


def test_a_run_is_asked_for_once_and_again_for_what_it_left(
    pipeline: Pipeline, cloud: Cloud, instance: dg.DagsterInstance, clock: Clock
) -> None:
    assert look(pipeline, instance)[0] == []
    cloud.put(Tables().put("user", user_item("u1")))
    assert look(pipeline, instance)[0] == [("react_to_changes", "1")]
    assert look(pipeline, instance)[0] == []
    # That run has never come.
    clock.moment += timedelta(minutes=6)
    assert look(pipeline, instance)[0] == [("react_to_changes", "1")]
    # One has come, and this message was in somebody's hands.
    asking.answer(pipeline.database)
    assert look(pipeline, instance)[0] == [("react_to_changes", "1")]


def test_to_what_the_system_does_itself_nobody_reacts(
    pipeline: Pipeline, cloud: Cloud, instance: dg.DagsterInstance, clock: Clock, run_job: RunJob
) -> None:
    for number in range(1, 4):
        cloud.dynamo.write(email(number))
    wait_until(lambda: cloud.left() == 3)
    assert look(pipeline, instance)[0] == [("collect_changes", "3")]
    assert run_job("collect_changes").success
    assert cloud.left() == 0
    assert wait_for_change(pipeline.database, REACTION, 0, clock) is None
    cloud.dynamo.write(email(4))
    wait_until(lambda: cloud.left() == 1)
    # It can wait a little for others of its kind.
    assert look(pipeline, instance)[0] == []
    clock.moment += timedelta(seconds=31)
    assert look(pipeline, instance)[0] == [("collect_changes", "1")]


def test_a_changed_item_is_scored_and_its_score_written_back(
    pipeline: Pipeline, cloud: Cloud, instance: dg.DagsterInstance, run_job: RunJob
) -> None:
    cloud.dynamo.write(Put(USERS, user_item("u1", **SILENT)))
    wait_until(lambda: cloud.left() == 1)
    assert look(pipeline, instance)[0] == [("react_to_changes", "1")]
    result = run_job("react_to_changes")
    assert result.success
    item = cloud.dynamo.get(USERS, "u1")
    assert item is not None
    assert (item["engagementScore"], item["scoreBand"]) == published(pipeline)["u1"]
    assert item["orderCount"] == 2
    materialized = {event.asset_key: event for event in result.get_asset_materialization_events()}
    metadata = materialized[dg.AssetKey("raw_users")].materialization.metadata
    assert (metadata["from_the_queue_taken"].value, metadata["from_the_queue_applied"].value) == (1, 1)
    # The run has reacted: nobody else has to, neither to the change nor to what followed from it.
    with pipeline.database.read() as connection:
        assert change_claims.claimed(connection, REACTION) > 0
    assert wait_for_change(pipeline.database, REACTION, 0, pipeline.now) is None


def test_what_became_of_an_email_is_read_where_everything_is_read(
    pipeline: Pipeline, cloud: Cloud, instance: dg.DagsterInstance, run_job: RunJob
) -> None:
    cloud.dynamo.write(Put(USERS, user_item("u1", **SILENT)))
    wait_until(lambda: cloud.left() == 1)
    assert run_job("react_to_changes").success
    assert len(list(pipeline.settings.outbox_dir.glob("*.eml"))) == 1
    wait_until(lambda: statuses(pipeline, run_job) == ["delivered"])
    [user] = pipeline.store.get_users(["u1"])
    with pipeline.database.read() as connection:
        [row] = users_of(connection, ["u1"])
    assert (row, row.steps) == (user, 1)
    assert look(pipeline, instance)[0] == []
    assert wait_for_change(pipeline.database, REACTION, 0, pipeline.now) is None


def published(pipeline: Pipeline) -> dict[str, tuple[float, str]]:
    with pipeline.database.read() as connection:
        return {row.user_id: (row.score, row.band) for row in connection.execute(sa.select(scores))}


def statuses(pipeline: Pipeline, run_job: RunJob) -> list[str]:
    assert run_job("collect_changes").success
    with pipeline.database.read() as connection:
        return list(connection.execute(sa.select(emails.c.status)).scalars())
