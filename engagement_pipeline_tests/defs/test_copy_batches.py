"""Texts in batches, as Dagster sees them: the refresh submits, a sensor waits, a run collects."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from engagement_pipeline.definitions import build_defs
from engagement_pipeline.defs.sensors import AFTER_A_FAILURE, copy_batches
from engagement_pipeline.pipeline import Pipeline
from engagement_pipeline.platform.settings import Settings
from engagement_pipeline.platform.settings_groups import CopywritingSettings, GateSettings
from engagement_pipeline.platform.sql import Database
from engagement_pipeline_tests.conftest import NOW
from engagement_pipeline_tests.defs.conftest import Clock, silent_user
from engagement_pipeline_tests.model_server import ModelServer, reply

pytestmark = pytest.mark.integration

USERS = 40

# What differs between the two is tried where batches are kept, and once here.
on_sqlite = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


class House:
    """A pipeline before a model that has batches, with the jobs and sensors that people would see."""

    def __init__(self, pipeline: Pipeline, instance: dg.DagsterInstance, clock: Clock) -> None:
        self.pipeline = pipeline
        self.instance = instance
        self.clock = clock
        self.defs = build_defs(pipeline.settings, {"pipeline": pipeline})

    def run(self, job: str) -> dict[str, Any]:
        """Run a job; return what it tells of the copy."""
        result = self.defs.resolve_job_def(job).execute_in_process(instance=self.instance, raise_on_error=False)
        assert result.success
        [event] = result.asset_materializations_for_node("generated_emails")
        return {name: value.value for name, value in event.metadata.items()}

    def look(self) -> dg.RunRequest | str:
        """Evaluate the sensor; return what it asks for, or why it asks for nothing."""
        with dg.build_sensor_context(
            instance=self.instance, resources={"pipeline": self.pipeline}, definitions=self.defs
        ) as context:
            data = copy_batches.evaluate_tick(context)
        if data.run_requests:
            [request] = data.run_requests
            return request
        return str(data.skip_message)

    def statuses(self) -> dict[Any, int]:
        return dict(self.pipeline.ledger.count_by_status(self.pipeline.settings.campaign))


@pytest.fixture
def house(
    database: Database, tmp_path: Path, clock: Clock, instance: dg.DagsterInstance, model_server: ModelServer
) -> Iterator[House]:
    clock.moment = NOW.replace(hour=0, minute=15)
    settings = Settings(
        data_dir=tmp_path,
        database_url=database.engine.url.render_as_string(hide_password=False),
        gate=GateSettings(sending_hour_from=0, sending_hour_to=24, hold_out_share=0.3),
        openai_base_url=model_server.base_url,
        copywriting=CopywritingSettings(batch_above=1),
    )
    pipeline = Pipeline(settings, clock)
    pipeline.store.put_users([silent_user(number, now=clock()) for number in range(USERS)], clock())
    model_server.say(reply(times=None))
    yield House(pipeline, instance, clock)
    pipeline.database.close()


def minutes_later(clock: Clock, minutes: float) -> datetime:
    clock.moment += timedelta(minutes=minutes)
    return clock.moment


def test_the_refresh_submits_the_sensor_waits_and_a_run_brings_the_drafts(
    house: House, model_server: ModelServer
) -> None:
    model_server.batches_go(looks=2)
    assert house.look() == "no batch to see to"
    assert model_server.counts().calls == {}
    told = house.run("refresh_engagement")
    # Six texts, three in each style, for those to be mailed; of those held out, who is worth less waits as well.
    assert (told["drafts_written"], told["texts_awaited_from_batches"], told["answers"]) == (0, 6, 0)
    assert told["waiting_for_their_text"] + told["held_out"] == USERS
    assert "submitted: 6 texts" in told["batches"]
    assert "draft" not in house.statuses()
    for _ in range(2):
        minutes_later(house.clock, 5)
        assert house.look() == "no batch to see to"
    minutes_later(house.clock, 5)
    request = house.look()
    assert isinstance(request, dg.RunRequest)
    assert request.tags["batch"].endswith("has ended")
    later = house.run("collect_copy")
    assert later["drafts_written"] + later["held_out"] == told["waiting_for_their_text"]
    assert (later["waiting_for_their_text"], later["texts_awaited_from_batches"], later["answers"]) == (0, 0, 6)
    assert "completed: 6 answers brought in" in later["batches"]
    counts = model_server.counts()
    assert (counts.batch_answers, counts.statuses) == (6, {})
    assert later["cost_usd"] == pytest.approx(counts.cost(), abs=1e-6)
    assert house.statuses() == {"draft": later["drafts_written"], "held_out": USERS - later["drafts_written"]}
    minutes_later(house.clock, 1)
    assert house.look() == "no batch to see to"
    assert house.run("refresh_engagement")["existing"] == later["drafts_written"]


@on_sqlite
def test_a_reaction_meanwhile_neither_pays_nor_waits_for_the_others(house: House, model_server: ModelServer) -> None:
    model_server.batches_go(looks=10)
    house.run("refresh_engagement")
    house.pipeline.store.put_users([silent_user(USERS, orders=1, now=house.clock())], house.clock())
    told = house.run("react_to_changes")
    assert (told["drafts_written"] + told["held_out"], told["answers"]) == (1, told["drafts_written"])
    assert model_server.counts().calls["POST /v1/batches"] == 1


@on_sqlite
@pytest.mark.parametrize("job", ["refresh_engagement", "collect_copy"])
def test_while_a_run_is_at_it_none_is_asked_for(house: House, model_server: ModelServer, job: str) -> None:
    house.run("refresh_engagement")
    minutes_later(house.clock, 5)
    asked = model_server.counts().calls
    run = house.instance.create_run_for_job(house.defs.resolve_job_def(job), status=dg.DagsterRunStatus.STARTED)
    assert house.look() == f"{job} is going on"
    assert model_server.counts().calls == asked
    house.instance.report_run_canceled(run)
    assert isinstance(house.look(), dg.RunRequest)


@on_sqlite
def test_after_a_run_that_failed_the_next_has_time(
    house: House, model_server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.run("refresh_engagement")
    job = house.defs.resolve_job_def("collect_copy")
    run = house.instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED)
    house.instance.report_run_failed(run, "its process has ended")
    record = house.instance.get_run_record_by_id(run.run_id)
    assert record is not None
    house.clock.moment = record.update_timestamp + AFTER_A_FAILURE - timedelta(minutes=1)
    assert house.look() == "collect_copy has failed a few minutes ago"
    minutes_later(house.clock, 2)
    assert isinstance(house.look(), dg.RunRequest)


@on_sqlite
def test_without_a_key_nobody_is_asked(house: House, model_server: ModelServer) -> None:
    house.run("refresh_engagement")
    asked = model_server.counts().calls
    without = house.pipeline.settings.model_copy(update={"openai_base_url": ""})
    house.pipeline = Pipeline(without, house.clock)
    assert str(house.look()).startswith("no key")
    assert model_server.counts().calls == asked
    house.pipeline.database.close()


@on_sqlite
def test_no_day_ends_without_the_drafts(house: House, model_server: ModelServer) -> None:
    """A provider that answers too late: what it has by then is used, and the rest asked for directly."""
    model_server.batches_go(looks=100_000, answered=2, cancelling_looks=2)
    house.run("refresh_engagement")
    house.clock.moment = house.clock().replace(hour=10, minute=59)
    while house.statuses().get("draft") is None:
        assert minutes_later(house.clock, 1) < NOW.replace(hour=11, minute=15)
        if isinstance(house.look(), dg.RunRequest):
            house.run("collect_copy")
    counts = model_server.counts()
    assert (counts.batch_answers, counts.statuses) == (2, {200: 4})
    assert set(counts.answers_by_prompt.values()) == {1}
    assert sum(house.statuses().values()) == USERS
