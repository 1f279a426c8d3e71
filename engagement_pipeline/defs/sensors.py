"""Reactions: to changed users and orders, requests to write, dropped files, providers' reports and batches, runs' ends.

A sensor that has fired rests until the daemon's next round, up to five seconds. Several sensors therefore wait for the
same changes, each inside its evaluation, and an atomic claim in the operational store lets exactly one of them ask for
a run. No change is lost with a run that fails: runs read from the warehouse's own offset, and a claim that no run has
answered is taken up again.
"""

from datetime import datetime, timedelta
from typing import Any

import dagster as dg

from engagement_pipeline.defs.assets import REACTION
from engagement_pipeline.defs.importing import IncomingFile, incoming_files
from engagement_pipeline.defs.jobs import (
    collect_changes,
    collect_copy,
    collect_feedback,
    has_failed_since,
    import_files,
    is_going_on,
    react_to_changes,
    refresh_engagement,
)
from engagement_pipeline.pipeline import Pipeline
from engagement_pipeline.platform import change_claims, run_failures, run_marks
from engagement_pipeline.platform.change_wait import wait_for_change

WAITING_SENSORS = 3
# The daemon gives up on an evaluation after 60 s.
WAIT_SECONDS = 20.0
# Longer than a reaction takes with its retries.
UNANSWERED_AFTER = timedelta(minutes=5)
# What a run could not do, the next one can hardly do a minute later.
AFTER_A_FAILURE = timedelta(minutes=15)

_ON = dg.DefaultSensorStatus.RUNNING


def _new_user_data(name: str) -> dg.SensorDefinition:
    @dg.sensor(name=name, job=react_to_changes, minimum_interval_seconds=1, default_status=_ON)
    def waiting_sensor(
        context: dg.SensorEvaluationContext, pipeline: dg.ResourceParam[Pipeline]
    ) -> dg.SensorResult | dg.SkipReason:
        """Waits for a change of a user or an order, or for a request to write; asks for a run that reacts to it."""
        seq = _taken_up_again(pipeline) or wait_for_change(pipeline.database, REACTION, WAIT_SECONDS, pipeline.now)
        if seq is None:
            return dg.SkipReason("nothing new that another sensor has not taken")
        # No run key: the claim sees to it that a change is asked for once, also in a store that begins anew.
        return dg.SensorResult(run_requests=[dg.RunRequest(tags={"change_seq": str(seq)})], cursor=str(seq))

    return waiting_sensor


def _taken_up_again(pipeline: Pipeline) -> int | None:
    now = pipeline.now()
    with pipeline.database.write() as connection:
        return change_claims.take_up_again(connection, REACTION, now - UNANSWERED_AFTER, now)


new_user_data = [_new_user_data(f"new_user_data_{number}") for number in range(1, WAITING_SENSORS + 1)]


def _queued_changes(name: str) -> dg.SensorDefinition:
    @dg.sensor(name=name, jobs=[react_to_changes, collect_changes], minimum_interval_seconds=1, default_status=_ON)
    def waiting_sensor(
        context: dg.SensorEvaluationContext, pipeline: dg.ResourceParam[Pipeline]
    ) -> dg.RunRequest | dg.SkipReason:
        """Waits for messages in the queue of changes: asks for a reaction to what the shop or a person has done.

        What the system has changed itself is only taken over, now and then.
        """
        from engagement_pipeline.changes.looking import wait_for_messages

        waiting = wait_for_messages(pipeline.settings, pipeline.database, WAIT_SECONDS, pipeline.now)
        if waiting is None:
            return dg.SkipReason("nothing new in the queue that has not been asked for")
        age = (pipeline.now() - waiting.oldest_at).total_seconds()
        return dg.RunRequest(
            job_name=(react_to_changes if waiting.is_urgent else collect_changes).name,
            tags={"messages_waiting": str(waiting.messages), "oldest_waits_seconds": f"{max(age, 0):.1f}"},
        )

    return waiting_sensor


# Only where settings name a queue; two, as one that has just fired rests until the daemon's next round.
queued_changes = [_queued_changes(f"queued_changes_{number}") for number in (1, 2)]


@dg.sensor(job=import_files, minimum_interval_seconds=5, default_status=_ON)
def incoming_folder(
    context: dg.SensorEvaluationContext, pipeline: dg.ResourceParam[Pipeline]
) -> dg.SensorResult | dg.SkipReason:
    """Files dropped into the folder `incoming`, or its `users` and `orders`, are imported, users first."""
    files = incoming_files(pipeline.settings.incoming_dir, pipeline.now())
    if not files:
        return dg.SkipReason("no new file")
    path = files[0]
    status = path.stat()
    return dg.SensorResult(
        run_requests=[
            dg.RunRequest(
                # A file of the same name that comes again later is another file.
                run_key=f"{path}:{status.st_mtime_ns}:{status.st_size}",
                run_config=dg.RunConfig(ops={"import_file": IncomingFile(path=str(path))}),
            )
        ]
    )


@dg.sensor(job=collect_feedback, minimum_interval_seconds=30, default_status=_ON)
def provider_feedback(
    context: dg.SensorEvaluationContext, pipeline: dg.ResourceParam[Pipeline]
) -> dg.RunRequest | dg.SkipReason:
    """Looks how many messages wait in the provider's queue and, where there are any, asks for a run that takes them."""
    if not pipeline.settings.ses.feedback_queue_url:
        return dg.SkipReason("no feedback queue is set (ENGAGEMENT_SES__FEEDBACK_QUEUE_URL)")
    if is_going_on(context.instance, collect_feedback.name):
        return dg.SkipReason("a run is taking messages already")
    from engagement_pipeline.delivery.feedback.consumer import depth

    waiting = depth(pipeline.settings)
    return dg.RunRequest(tags={"messages_waiting": str(waiting)}) if waiting else dg.SkipReason("the queue is empty")


@dg.sensor(job=collect_copy, minimum_interval_seconds=60, default_status=_ON)
def copy_batches(
    context: dg.SensorEvaluationContext, pipeline: dg.ResourceParam[Pipeline]
) -> dg.RunRequest | dg.SkipReason:
    """Looks how batches of texts get on; asks for a run when one has ended, is late, or was left half submitted."""
    if pipeline.why_template is not None:
        return dg.SkipReason(pipeline.why_template)
    for job in (collect_copy.name, refresh_engagement.name):
        if is_going_on(context.instance, job):
            return dg.SkipReason(f"{job} is going on")
    if has_failed_since(context.instance, collect_copy.name, pipeline.now() - AFTER_A_FAILURE):
        return dg.SkipReason(f"{collect_copy.name} has failed a few minutes ago")
    from engagement_pipeline.copywriting.openai.polling import why_collect

    reason = why_collect(pipeline.settings, pipeline.database, pipeline.now())
    return dg.SkipReason("no batch to see to") if reason is None else dg.RunRequest(tags={"batch": reason})


@dg.run_failure_sensor(default_status=_ON, minimum_interval_seconds=10)
def failed_runs(context: dg.RunFailureSensorContext, pipeline: dg.ResourceParam[Pipeline]) -> None:
    """Keeps every failed run where the command line and the API show it."""
    failures = [event for event in context.get_step_failure_events() if event.is_step_failure]
    steps = [event.step_key for event in failures if event.step_key]
    job, failed_at = context.dagster_run.job_name, _ended_at(context, pipeline)
    with pipeline.database.write() as connection:
        run_failures.record(
            connection,
            run_id=context.dagster_run.run_id,
            job=job,
            steps=steps,
            error=error_class(failures[0].step_failure_data.error) if failures else "the run's process ended",
            failed_at=failed_at,
        )
        run_marks.record(connection, job, succeeded=False, ended_at=failed_at)
    context.log.error(f"{job} failed in {', '.join(steps) or 'no step'}")


@dg.run_status_sensor(run_status=dg.DagsterRunStatus.SUCCESS, default_status=_ON, minimum_interval_seconds=10)
def finished_runs(context: dg.RunStatusSensorContext, pipeline: dg.ResourceParam[Pipeline]) -> None:
    """Notes when each job last succeeded, where the API and the dashboard show it."""
    ended_at = _ended_at(context, pipeline)
    with pipeline.database.write() as connection:
        run_marks.record(connection, context.dagster_run.job_name, succeeded=True, ended_at=ended_at)


def error_class(error: Any) -> str:
    """Return the class of what our code raised, which Dagster wraps in an error of its own; never its text.

    Args:
        error: Dagster's serialisable error, a type that it does not export; or None.
    """
    cause = error.cause or error if error else None
    return str(cause.cls_name) if cause and cause.cls_name else "unknown"


def _ended_at(context: dg.RunStatusSensorContext, pipeline: Pipeline) -> datetime:
    stats = context.instance.get_run_stats(context.dagster_run.run_id)
    if stats.end_time is None:
        return pipeline.now()
    return datetime.fromtimestamp(stats.end_time, tz=pipeline.now().tzinfo)


ALL_SENSORS = [*new_user_data, incoming_folder, provider_feedback, copy_batches, failed_runs, finished_runs]
