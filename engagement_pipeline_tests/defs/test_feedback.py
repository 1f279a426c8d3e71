"""What the provider reports: noticed by a sensor, taken in by an asset, and seen in the warehouse."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from engagement_pipeline.definitions import build_defs
from engagement_pipeline.defs import sensors
from engagement_pipeline.pipeline import Pipeline
from engagement_pipeline.platform import aws
from engagement_pipeline.platform.settings import Settings
from engagement_pipeline.platform.settings_groups import GateSettings, SesSettings
from engagement_pipeline_tests.aws_server import REGION
from engagement_pipeline_tests.conftest import NOW
from engagement_pipeline_tests.defs.conftest import Clock, RunJob
from engagement_pipeline_tests.delivery.feedback.examples import text
from engagement_pipeline_tests.delivery.sent_emails import add_sent


def look(pipeline: Pipeline, instance: dg.DagsterInstance) -> tuple[list[dict[str, str]], str | None]:
    """Return the tags of the runs that the sensor asks for, and why it asks for none."""
    defs = build_defs(pipeline.settings, {"pipeline": pipeline})
    with dg.build_sensor_context(instance=instance, resources={"pipeline": pipeline}, definitions=defs) as context:
        data = sensors.provider_feedback.evaluate_tick(context)
    return [dict(request.tags) for request in data.run_requests or []], data.skip_message


def test_without_a_queue_there_is_nothing_to_look_at(
    pipeline: Pipeline, run_job: RunJob, instance: dg.DagsterInstance
) -> None:
    requests, why = look(pipeline, instance)
    assert requests == []
    assert "ENGAGEMENT_SES__FEEDBACK_QUEUE_URL" in str(why)
    assert run_job("collect_feedback").success


@pytest.mark.integration
class TestWithAQueue:
    @pytest.fixture
    def queue(self, ministack: str) -> tuple[Any, str]:
        """A client of SQS, and the URL of a queue."""
        client = aws.client(Settings(aws_region=REGION, aws_endpoint_url=ministack), "sqs")
        return client, client.create_queue(QueueName="feedback")["QueueUrl"]

    @pytest.fixture
    def pipeline(self, tmp_path: Path, clock: Clock, ministack: str, queue: tuple[Any, str]) -> Iterator[Pipeline]:
        settings = Settings(
            data_dir=tmp_path,
            gate=GateSettings(hold_out_share=0),
            aws_region=REGION,
            aws_endpoint_url=ministack,
            ses=SesSettings(feedback_queue_url=queue[1]),
        )
        pipeline = Pipeline(settings, clock)
        yield pipeline
        pipeline.database.close()

    def test_messages_are_asked_for_once(
        self, pipeline: Pipeline, queue: tuple[Any, str], instance: dg.DagsterInstance
    ) -> None:
        assert look(pipeline, instance) == ([], "the queue is empty")
        client, url = queue
        client.send_message(QueueUrl=url, MessageBody=text("event_delivery"))
        [tags] = look(pipeline, instance)[0]
        assert tags["messages_waiting"] == "1"
        job = build_defs(pipeline.settings, {"pipeline": pipeline}).resolve_job_def("collect_feedback")
        instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED)
        assert look(pipeline, instance) == ([], "a run is taking messages already")

    def test_statuses_reach_the_warehouse_and_nothing_is_sent(
        self, pipeline: Pipeline, queue: tuple[Any, str], run_job: RunJob
    ) -> None:
        bounced, delivered = add_sent(pipeline.database, 2, NOW)
        assert run_job("collect_feedback").success
        client, url = queue
        for body in (text("event_bounce", bounced), text("event_delivery", delivered), "no event at all"):
            client.send_message(QueueUrl=url, MessageBody=body)
        result = run_job("collect_feedback")
        assert result.success
        materialized = {event.asset_key: event for event in result.get_asset_materialization_events()}
        metadata = materialized[dg.AssetKey("email_events")].materialization.metadata
        assert (metadata["from_the_queue_taken"].value, metadata["from_the_queue_set_aside"].value) == (2, 1)
        with pipeline.warehouse(read_only=True) as con:
            statuses = dict(con.execute("SELECT email_id, status FROM email_deliveries").fetchall())
            kinds = con.execute("SELECT kind FROM email_events ORDER BY 1").fetchall()
        assert statuses == {bounced: "bounced", delivered: "delivered"}
        assert kinds == [("delivery",), ("hard_bounce",)]
        assert not pipeline.settings.outbox_dir.exists()
        assert run_job("collect_feedback").success
