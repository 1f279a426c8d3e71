"""The reactions: who waits, who claims, what is asked for."""

import threading
import time
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest
import sqlalchemy as sa

from engagement_pipeline.definitions import build_defs
from engagement_pipeline.defs import sensors
from engagement_pipeline.defs.assets import REACTION
from engagement_pipeline.defs.importing import incoming_files
from engagement_pipeline.pipeline import Pipeline
from engagement_pipeline.platform import change_claims, run_failures, run_marks
from engagement_pipeline.platform.change_wait import wait_for_change
from engagement_pipeline.platform.sql import Database
from engagement_pipeline_tests.conftest import NOW
from engagement_pipeline_tests.defs.conftest import Clock, RunJob, silent_user


def test_of_many_who_wait_one_goes_on(pipeline: Pipeline) -> None:
    pipeline.store.put_users([silent_user(0)], NOW)
    assert wait_for_change(pipeline.database, "reader", 0) == 1
    results: list[int | None] = []
    waiting = [
        threading.Thread(target=lambda: results.append(wait_for_change(pipeline.database, "reader", 3)))
        for _ in range(4)
    ]
    for thread in waiting:
        thread.start()
    time.sleep(0.3)
    start = time.monotonic()
    pipeline.store.put_users([silent_user(1)], NOW)
    for thread in waiting:
        thread.join()
    assert sorted(result for result in results if result is not None) == [2]
    assert time.monotonic() - start < 4


def test_our_own_writing_wakes_nobody(pipeline: Pipeline, run_job: RunJob) -> None:
    pipeline.store.put_users([silent_user(1)], NOW)
    wait_for_change(pipeline.database, "reader", 0)
    run_job("react_to_changes")
    assert wait_for_change(pipeline.database, "reader", 0) is None


def test_nothing_to_wait_for(database: Database) -> None:
    assert wait_for_change(database, "reader", 0) is None


def test_sensor_asks_for_one_run_per_change(pipeline: Pipeline, instance: dg.DagsterInstance) -> None:
    pipeline.store.put_users([silent_user(1)], NOW)
    defs = build_defs(pipeline.settings, {"pipeline": pipeline})
    with dg.build_sensor_context(instance=instance, resources={"pipeline": pipeline}, definitions=defs) as context:
        data = sensors.new_user_data[0].evaluate_tick(context)
    assert data.run_requests is not None
    assert [request.tags["change_seq"] for request in data.run_requests] == ["1"]


def test_a_claim_that_no_run_answered_is_taken_up_again(pipeline: Pipeline, run_job: RunJob, clock: Clock) -> None:
    pipeline.store.put_users([silent_user(1)], NOW)
    assert wait_for_change(pipeline.database, REACTION, 0, clock) == 1

    def again() -> int | None:
        with pipeline.database.write() as connection:
            return change_claims.take_up_again(connection, REACTION, clock() - sensors.UNANSWERED_AFTER, clock())

    assert again() is None
    clock.moment += timedelta(minutes=6)
    assert again() == 1
    assert again() is None
    clock.moment += timedelta(minutes=6)
    run_job("react_to_changes")
    assert again() is None


def test_incoming_users_come_before_orders(tmp_path: Path) -> None:
    for name in ("orders/a.csv", "users/b.csv", "users/.hidden.csv", "c-orders.csv", "d-Users.csv"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    later = NOW.replace(year=2099)
    assert [path.name for path in incoming_files(tmp_path, later)] == ["b.csv", "d-Users.csv", "c-orders.csv", "a.csv"]


def test_the_folder_sensor_asks_for_an_import_that_works(pipeline: Pipeline, clock: Clock) -> None:
    dropped = pipeline.settings.incoming_dir / "users.csv"
    dropped.parent.mkdir()
    dropped.write_text("user_id,email,consent\nu1,u1@example.com,true\n")
    clock.moment = NOW.replace(year=2099)
    defs = build_defs(pipeline.settings, {"pipeline": pipeline})
    with dg.build_sensor_context(resources={"pipeline": pipeline}, definitions=defs) as context:
        data = sensors.incoming_folder.evaluate_tick(context)
    assert data.run_requests is not None
    [request] = data.run_requests
    job = defs.resolve_job_def("import_files")
    assert job.execute_in_process(run_config=request.run_config).success
    assert pipeline.store.get_user("u1") is not None


def test_a_file_still_being_written_waits(tmp_path: Path, pipeline: Pipeline) -> None:
    folder = tmp_path / "users"
    folder.mkdir()
    (folder / "a.csv").touch()
    modified = NOW.fromtimestamp((folder / "a.csv").stat().st_mtime, tz=NOW.tzinfo)
    assert incoming_files(tmp_path, modified + timedelta(seconds=1)) == []
    assert len(incoming_files(tmp_path, modified + timedelta(seconds=3))) == 1


def test_failed_runs_are_kept_without_their_text(pipeline: Pipeline, instance: dg.DagsterInstance) -> None:
    @dg.op
    def breaks() -> None:
        raise ValueError("the address was ada@example.com")

    @dg.job
    def broken() -> None:
        breaks()

    result = broken.execute_in_process(instance=instance, raise_on_error=False)
    context = dg.build_run_status_sensor_context(
        sensor_name="failed_runs",
        dagster_instance=instance,
        dagster_run=result.dagster_run,
        dagster_event=result.get_run_failure_event(),
        resources={"pipeline": pipeline},
    ).for_run_failure()
    sensors.failed_runs(context)
    with pipeline.database.read() as connection:
        failures = run_failures.since(connection, NOW - timedelta(days=36500))
        marks = connection.execute(sa.select(run_marks.run_marks)).one()
    assert [(row.job, row.steps, row.error) for row in failures] == [("broken", "breaks", "ValueError")]
    assert (marks.job, marks.last_success_at) == ("broken", None)
    assert marks.last_failure_at == failures[0].failed_at


def test_the_end_of_a_run_that_succeeded_is_noted(pipeline: Pipeline, instance: dg.DagsterInstance) -> None:
    @dg.job
    def empty() -> None:
        pass

    result = empty.execute_in_process(instance=instance)
    context = dg.build_run_status_sensor_context(
        sensor_name="finished_runs",
        dagster_instance=instance,
        dagster_run=result.dagster_run,
        dagster_event=result.get_run_success_event(),
        resources={"pipeline": pipeline},
    )
    sensors.finished_runs(context)
    ended_at = instance.get_run_stats(result.run_id).end_time
    with pipeline.database.read() as connection:
        marks = connection.execute(sa.select(run_marks.run_marks)).one()
    assert (marks.job, marks.last_failure_at) == ("empty", None)
    assert marks.last_success_at.timestamp() == pytest.approx(ended_at)
