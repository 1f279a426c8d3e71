"""The habits: asked for only where there is something to do."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest
import sqlalchemy as sa

from engagement_pipeline.copywriting.approvals import Approval
from engagement_pipeline.definitions import build_defs
from engagement_pipeline.defs import schedules
from engagement_pipeline.delivery import breaker
from engagement_pipeline.delivery.approving import decide
from engagement_pipeline.delivery.tables import emails
from engagement_pipeline.pipeline import Pipeline
from engagement_pipeline.users.models import Order, User
from engagement_pipeline_tests.conftest import NOW
from engagement_pipeline_tests.defs.conftest import Clock, RunJob, silent_user
from engagement_pipeline_tests.delivery.sent_emails import add_sent


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """An instance in a folder, which schedules can find again."""
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        yield instance


def tick(schedule: dg.ScheduleDefinition, pipeline: Pipeline, instance: dg.DagsterInstance) -> tuple[int, str | None]:
    """Return how many runs the schedule asks for, and why it asks for none."""
    defs = build_defs(pipeline.settings, {"pipeline": pipeline})
    context = dg.build_schedule_context(
        instance=instance, resources={"pipeline": pipeline}, repository_def=defs.get_repository_def()
    )
    data = schedule.evaluate_tick(context)
    return len(data.run_requests or []), data.skip_message


def test_sending_is_asked_for_while_an_email_is_due(
    pipeline: Pipeline, run_job: RunJob, instance: dg.DagsterInstance, clock: Clock
) -> None:
    pipeline.store.put_users([silent_user(1)], NOW)
    assert tick(schedules.sending_hours, pipeline, instance) == (0, "no e-mail is due")
    run_job("refresh_engagement")
    assert tick(schedules.sending_hours, pipeline, instance)[0] == 1
    run_job("send_emails")
    assert tick(schedules.sending_hours, pipeline, instance)[0] == 0


@pytest.mark.parametrize("status", [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED])
def test_sending_is_not_asked_for_while_a_run_sends(
    pipeline: Pipeline, run_job: RunJob, instance: dg.DagsterInstance, status: dg.DagsterRunStatus
) -> None:
    pipeline.store.put_users([silent_user(1)], NOW)
    run_job("refresh_engagement")
    job = build_defs(pipeline.settings, {"pipeline": pipeline}).resolve_job_def("send_emails")
    sending = instance.create_run_for_job(job, status=status)
    assert tick(schedules.sending_hours, pipeline, instance) == (0, "a run is sending already")
    instance.report_run_failed(sending)
    assert tick(schedules.sending_hours, pipeline, instance)[0] == 1


def test_what_a_sender_left_in_its_hands_is_seen_to(
    pipeline: Pipeline, run_job: RunJob, instance: dg.DagsterInstance, clock: Clock
) -> None:
    pipeline.store.put_users([silent_user(1)], NOW)
    run_job("refresh_engagement")
    pipeline.ledger.queue(pipeline.settings.campaign, NOW)
    pipeline.ledger.lease(pipeline.settings.campaign, NOW, 10, None, "another-host:1:aaaa:1", timedelta(minutes=5))
    with pipeline.database.write() as connection:
        connection.execute(sa.update(emails).values(status="sending", provider="outbox", sent_at=NOW))
    assert tick(schedules.sending_hours, pipeline, instance) == (0, "no e-mail is due")
    clock.moment += timedelta(minutes=6)
    assert tick(schedules.sending_hours, pipeline, instance)[0] == 1
    assert run_job("send_emails").success
    assert pipeline.ledger.count_by_status(pipeline.settings.campaign) == {"delivered": 1}


def test_what_a_sender_gave_back_after_a_rejection_is_seen_to(
    pipeline: Pipeline, run_job: RunJob, instance: dg.DagsterInstance
) -> None:
    pipeline.store.put_users([silent_user(1)], NOW)
    run_job("refresh_engagement")
    campaign = pipeline.settings.campaign
    pipeline.ledger.queue(campaign, NOW)
    pipeline.ledger.lease(campaign, NOW, 10, None, "another-host:1:aaaa:1", timedelta(minutes=5))
    decide(pipeline.database, pipeline.ledger, Approval(campaign, pipeline.edition, "rejected", "Ada", "", NOW))
    assert tick(schedules.sending_hours, pipeline, instance)[0] == 0
    pipeline.ledger.release("another-host:1:aaaa:1")
    assert tick(schedules.sending_hours, pipeline, instance)[0] == 1
    assert run_job("send_emails").success
    assert pipeline.ledger.count_by_status(campaign) == {"skipped": 1}
    assert tick(schedules.sending_hours, pipeline, instance) == (0, "no e-mail is due")


def test_sending_is_not_asked_for_while_a_person_has_to_look(
    pipeline: Pipeline, run_job: RunJob, instance: dg.DagsterInstance
) -> None:
    pipeline.store.put_users([silent_user(1)], NOW)
    run_job("refresh_engagement")
    add_sent(pipeline.database, 200, NOW, "bounced")
    with pipeline.database.write() as connection:
        reason = breaker.check(connection, NOW)
    assert tick(schedules.sending_hours, pipeline, instance) == (0, f"sending has stopped: {reason}")
    with pipeline.database.write() as connection:
        breaker.reset(connection, NOW)
    assert tick(schedules.sending_hours, pipeline, instance)[0] == 1


def test_checks_follow_reactions(pipeline: Pipeline, run_job: RunJob, instance: dg.DagsterInstance) -> None:
    assert tick(schedules.checks_after_reactions, pipeline, instance)[0] == 0
    pipeline.store.put_users([silent_user(1)], NOW)
    run_job("react_to_changes")
    assert tick(schedules.checks_after_reactions, pipeline, instance)[0] == 1
    result = run_job("check_tables")
    assert result.success
    assert len(result.get_asset_check_evaluations()) >= 15
    assert tick(schedules.checks_after_reactions, pipeline, instance)[0] == 0


def test_everything_that_repeats_is_on_from_the_start() -> None:
    for schedule in schedules.ALL_SCHEDULES:
        assert schedule.default_status == dg.DefaultScheduleStatus.RUNNING, schedule.name


def test_the_history_of_a_past_day_can_be_filled_in(
    pipeline: Pipeline, run_job: RunJob, instance: dg.DagsterInstance
) -> None:
    user = User(user_id="user-1", email="user-1@example.com", consent=True, created_at=NOW, updated_at=NOW)
    pipeline.store.put_users([user], NOW)
    order = Order(order_id="o1", user_id="user-1", ordered_at=NOW - timedelta(days=20), total_value=5.0, item_count=1)
    pipeline.store.put_orders([order], NOW)
    defs = build_defs(pipeline.settings, {"pipeline": pipeline})
    assert run_job("react_to_changes").success
    history = defs.resolve_job_def("record_score_history")
    for day in ("2026-02-10", "2026-02-11", "2026-02-20"):
        assert history.execute_in_process(instance=instance, partition_key=day).success
    with pipeline.warehouse(read_only=True) as con:
        days = con.execute("SELECT DISTINCT CAST(as_of AS VARCHAR) FROM engagement_score_history ORDER BY 1").fetchall()
    # On the day of the order itself it is not known yet.
    assert days == [("2026-02-11",), ("2026-02-20",)]
