"""Habits, in UTC: refresh before the day begins, send while it lasts, prove the score weekly, tidy up at night."""

import dagster as dg

from engagement_pipeline.defs.assets import REACTION
from engagement_pipeline.defs.jobs import (
    check_tables,
    is_going_on,
    prove_score,
    prune_history,
    record_score_history,
    refresh_engagement,
    send_emails,
)
from engagement_pipeline.delivery import approving, breaker
from engagement_pipeline.pipeline import Pipeline

_ON = dg.DefaultScheduleStatus.RUNNING

daily_refresh = dg.ScheduleDefinition(
    name="daily_refresh",
    job=refresh_engagement,
    cron_schedule="15 0 * * *",
    default_status=_ON,
    description="Soon after midnight UTC: the day of every user's silence has changed.",
)

daily_history = dg.build_schedule_from_partitioned_job(
    record_score_history, name="daily_history", hour_of_day=0, minute_of_hour=45, default_status=_ON
)

weekly_backtest = dg.ScheduleDefinition(
    name="weekly_backtest", job=prove_score, cron_schedule="30 3 * * 1", default_status=_ON
)

nightly_pruning = dg.ScheduleDefinition(
    name="nightly_pruning", job=prune_history, cron_schedule="0 4 * * *", default_status=_ON
)


@dg.schedule(job=send_emails, cron_schedule="*/15 * * * *", default_status=_ON)
def sending_hours(
    context: dg.ScheduleEvaluationContext, pipeline: dg.ResourceParam[Pipeline]
) -> dg.RunRequest | dg.SkipReason:
    """Every quarter of an hour, where an e-mail is due: each user's sending hours are kept in their own time zone.

    Also where a sender that is gone has left something in its hands, or where e-mails are left to be closed because
    what they say was rejected: their users cannot be written to anew before.

    Asks for nothing while too many bounces or complaints have stopped sending: every run would only fail. Nor while a
    run sends, which may take hours: further ones would wait for it, each in a process of its own. Nor for e-mails whose
    words nobody has approved, where that is asked for.
    """
    if is_going_on(context.instance, send_emails.name):
        return dg.SkipReason("a run is sending already")
    ledger, campaign = pipeline.ledger, pipeline.settings.campaign
    with pipeline.database.read() as connection:
        if reason := breaker.tripped(connection):
            return dg.SkipReason(f"sending has stopped: {reason}; {breaker.HOW_TO_GO_ON}")
    now = pipeline.now()
    if ledger.has_rejected(campaign) or ledger.due(campaign, now, count=1, after=None) or ledger.has_leftovers(now):
        return dg.RunRequest()
    if number := ledger.count_unapproved(campaign):
        return dg.SkipReason(f"no e-mail is due that may be sent; {approving.in_words(number)}")
    return dg.SkipReason("no e-mail is due")


@dg.schedule(job=check_tables, cron_schedule="*/10 * * * *", default_status=_ON)
def checks_after_reactions(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """Every ten minutes, where a reaction has changed tables since their checks ran."""
    reacted, checked = (_newest_run(context.instance, job) for job in (REACTION, check_tables.name))
    if reacted is None or (checked is not None and checked.create_timestamp > reacted.update_timestamp):
        return dg.SkipReason("no table has changed since the checks ran")
    return dg.RunRequest()


def _newest_run(instance: dg.DagsterInstance, job: str) -> dg.RunRecord | None:
    records = instance.get_run_records(dg.RunsFilter(job_name=job, statuses=[dg.DagsterRunStatus.SUCCESS]), limit=1)
    return records[0] if records else None


ALL_SCHEDULES = [checks_after_reactions, daily_refresh, daily_history, weekly_backtest, nightly_pruning, sending_hours]
