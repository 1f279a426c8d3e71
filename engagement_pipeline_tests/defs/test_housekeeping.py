"""Dropped files, old runs and abandoned ones."""

import os
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest

from engagement_pipeline.changes import sequences
from engagement_pipeline.cli.dagster_home import end_abandoned_runs
from engagement_pipeline.definitions import build_defs
from engagement_pipeline.defs.importing import IncomingFile
from engagement_pipeline.defs.pruning import delete_pages, delete_runs
from engagement_pipeline.delivery import erasure
from engagement_pipeline.delivery.unknowns import list_unknown
from engagement_pipeline.pipeline import Pipeline
from engagement_pipeline.platform import change_log, clock
from engagement_pipeline_tests.conftest import NOW
from engagement_pipeline_tests.defs.conftest import Clock, RunJob, silent_user
from engagement_pipeline_tests.delivery.sent_emails import add_sent

USERS = "user_id,email,consent\nu1,u1@example.com,true\nu2,nonsense,true\n"


def import_dropped(pipeline: Pipeline, path: Path) -> dg.ExecuteInProcessResult:
    job = build_defs(pipeline.settings, {"pipeline": pipeline}).resolve_job_def("import_files")
    config = dg.RunConfig(ops={"import_file": IncomingFile(path=str(path))})
    return job.execute_in_process(run_config=config, raise_on_error=False)


def drop(pipeline: Pipeline, folder: str, content: str) -> Path:
    path = pipeline.settings.incoming_dir / folder / "dropped.csv"
    path.parent.mkdir(parents=True)
    path.write_text(content)
    return path


@pytest.mark.parametrize("folder", ["users", "."])
def test_a_dropped_file_is_imported_and_moved_away(pipeline: Pipeline, folder: str) -> None:
    path = drop(pipeline, folder, USERS)
    assert import_dropped(pipeline, path).success
    assert pipeline.store.get_user("u1") is not None
    assert not path.exists()
    assert len(list((pipeline.settings.data_dir / "imported").glob("*-dropped.csv"))) == 1
    assert import_dropped(pipeline, path).success


def test_a_dropped_file_that_cannot_be_read_fails_the_run_and_is_kept(pipeline: Pipeline) -> None:
    path = drop(pipeline, "orders", "")
    result = import_dropped(pipeline, path)
    assert not result.success
    assert "dropped.csv is empty" in str(result.failure_data_for_node("import_file"))
    assert len(list((pipeline.settings.data_dir / "unreadable").glob("*-dropped.csv"))) == 1


def test_old_runs_go_and_young_ones_stay(pipeline: Pipeline, run_job: RunJob, instance: dg.DagsterInstance) -> None:
    pipeline.store.put_users([silent_user(1)], NOW)
    run_job("react_to_changes")
    assert delete_runs(instance, clock.now() - timedelta(days=14)) == 0
    assert delete_runs(instance, clock.now() + timedelta(days=1)) == 1
    assert instance.get_runs_count() == 0


def test_pruning_keeps_changes_that_somebody_has_yet_to_read(pipeline: Pipeline, run_job: RunJob, clock: Clock) -> None:
    pipeline.store.put_users([silent_user(1)], NOW)
    for job in ("refresh_engagement", "send_emails", "react_to_changes", "send_emails"):
        assert run_job(job).success
    clock.moment += timedelta(days=40)
    pipeline.store.put_users([silent_user(2)], clock.moment)
    with pipeline.database.read() as connection:
        newest = change_log.head(connection)
    assert run_job("prune_history").success
    with pipeline.database.read() as connection:
        left = connection.execute(change_log.change_log.select()).fetchall()
    assert [row.seq for row in left][-1] == newest
    assert len(left) < newest
    assert run_job("react_to_changes").success
    with pipeline.warehouse(read_only=True) as con:
        assert con.execute("SELECT count(*) FROM raw_users").fetchone() == (2,)


def test_nobody_is_asked_for_ever_what_became_of_an_e_mail(pipeline: Pipeline, run_job: RunJob) -> None:
    days = pipeline.settings.delivery.unknown_expires_days
    add_sent(pipeline.database, 2, NOW - timedelta(days=days, seconds=1), "unknown")
    [young] = add_sent(pipeline.database, 1, NOW - timedelta(days=days), "unknown")
    for expired in (2, 0):
        result = run_job("prune_history")
        assert result.success
        [output] = [event for event in result.all_events if event.is_successful_output]
        assert output.step_output_data.metadata["expired_unknown"].value == expired
    with pipeline.database.read() as connection:
        assert [each.email_id for each in list_unknown(connection, 9)] == [young]
        statuses = connection.exec_driver_sql("SELECT status, count(*) FROM emails GROUP BY 1").fetchall()
    assert [tuple(row) for row in statuses] == [("unknown", 3)]


def test_old_previews_go_and_nothing_else(tmp_path: Path) -> None:
    assert delete_pages(tmp_path / "preview", NOW) == 0
    for name, days in (("old.html", 8), ("young.html", 6), ("old.txt", 8)):
        (tmp_path / name).write_text("Hello Ada,")
        moment = (NOW - timedelta(days=days)).timestamp()
        os.utime(tmp_path / name, (moment, moment))
    assert delete_pages(tmp_path, NOW - timedelta(days=7)) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["old.txt", "young.html"]


@pytest.mark.parametrize("status", [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.SUCCESS])
def test_a_run_that_nobody_runs_any_more_is_ended(status: dg.DagsterRunStatus) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        run = instance.create_run_for_job(build_defs_job(), status=status)
        abandoned = status == dg.DagsterRunStatus.STARTED
        assert end_abandoned_runs(instance) == int(abandoned)
        after = instance.get_run_by_id(run.run_id)
        assert after is not None
        assert after.status == (dg.DagsterRunStatus.FAILURE if abandoned else status)


def build_defs_job() -> dg.JobDefinition:
    @dg.op
    def nothing() -> None:
        pass

    @dg.job
    def idle() -> None:
        nothing()

    return idle


def test_an_erasure_that_was_begun_is_finished(
    pipeline: Pipeline, run_job: RunJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline.store.put_users([silent_user(1)], NOW)
    with monkeypatch.context() as patch:
        patch.setattr(erasure, "AT_ONCE_BYTES", 0)
        patch.setattr("engagement_pipeline.platform.wiping._holds", lambda *_: True)
        report = erasure.erase(pipeline.stores, pipeline.settings, "user-1", "cli", NOW)
    assert report.left == "store_files"
    result = run_job("prune_history")
    assert result.success
    [output] = [event for event in result.all_events if event.is_successful_output]
    metadata = output.step_output_data.metadata
    assert (metadata["finished_erasures"].value, metadata["unfinished_erasures"].value) == (1, 0)
    assert erasure.finish(pipeline.stores, pipeline.settings, NOW) == []


def test_numbers_of_items_stay_as_long_as_a_change_can_be_on_its_way(
    pipeline: Pipeline, run_job: RunJob, clock: Clock
) -> None:
    def known() -> int:
        with pipeline.database.read() as connection:
            return len(sequences.Sequences(pipeline.secret_key).applied(connection, [("user", "", "u1")]))

    with pipeline.database.write() as connection:
        sequences.Sequences(pipeline.secret_key).note(connection, [(("user", "", "u1"), 1)], clock())
    clock.moment += sequences.KEPT_FOR
    assert run_job("prune_history").success
    assert known() == 1
    clock.moment += timedelta(seconds=1)
    assert run_job("prune_history").success
    assert known() == 0
