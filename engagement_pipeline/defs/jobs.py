"""Jobs: react to a change, refresh everything, write what batches bring, send, listen, import, prove, tidy up."""

from datetime import datetime
from typing import Any

import dagster as dg

from engagement_pipeline.defs.assets import REACTION
from engagement_pipeline.defs.assets.scores import Extent, engagement_score_history
from engagement_pipeline.defs.importing import import_file
from engagement_pipeline.defs.pruning import prune

RAW = ["raw_users", "raw_orders", "rejected_records", "suppressions"]
DECIDING = ["engagement_scores", "at_risk_cohorts", "generated_emails"]
SENDING = ["email_deliveries", "email_events"]
MEASURING = ["campaign_effectiveness", "published_metrics"]

# A run that failed is tried again by itself. That never repeats a send: the ledger, not the run, knows what was sent.
_RETRIED = {"dagster/max_retries": "2"}

_GOING_ON = [dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTING]
_GOING_ON += [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]


def is_going_on(instance: dg.DagsterInstance, job: str) -> bool:
    """Tell whether a run of the job has been asked for and has not ended."""
    return instance.get_runs_count(dg.RunsFilter(job_name=job, statuses=_GOING_ON)) > 0


def has_failed_since(instance: dg.DagsterInstance, job: str, since: datetime) -> bool:
    """Tell whether a run of the job has failed since then."""
    failed = dg.RunsFilter(job_name=job, statuses=[dg.DagsterRunStatus.FAILURE], updated_after=since)
    return instance.get_runs_count(failed) > 0


react_to_changes = dg.define_asset_job(
    REACTION,
    # Checks look at whole tables; the daily refresh runs them, a reaction should be quick.
    selection=dg.AssetSelection.assets(*RAW, *DECIDING, *SENDING, "published_metrics").without_checks(),
    description="After a change in users or orders: scores, decides, writes and sends for the users that changed.",
    config=dg.RunConfig(ops={name: Extent(full=False) for name in [*DECIDING, "published_metrics"]}),
    tags=_RETRIED,
)

collect_changes = dg.define_asset_job(
    "collect_changes",
    selection=dg.AssetSelection.assets(*RAW).without_checks(),
    description="Where users are kept on DynamoDB: brings over what the system has changed there itself, such as the "
    "statuses of e-mails. Decides and sends nothing.",
    tags=_RETRIED,
)

refresh_engagement = dg.define_asset_job(
    "refresh_engagement",
    selection=dg.AssetSelection.assets(*RAW, *DECIDING, "copy_report", "email_events", *MEASURING),
    description="Every day: population parameters, all scores, all decisions, drafts for those to be mailed, what came "
    "back, the effect so far, and every check.",
    tags=_RETRIED,
)

collect_copy = dg.define_asset_job(
    "collect_copy",
    selection=dg.AssetSelection.assets("generated_emails", "copy_report"),
    description="When a batch of texts has ended, or is late: drafts for those who have waited for them. What it did "
    "not bring is asked for directly.",
    tags=_RETRIED,
)

send_emails = dg.define_asset_job(
    "send_emails",
    selection=dg.AssetSelection.assets(*SENDING, *MEASURING),
    description="Sends what is queued and due, and measures. Running it again never repeats a send.",
    tags=_RETRIED,
)

collect_feedback = dg.define_asset_job(
    "collect_feedback",
    selection=dg.AssetSelection.assets("email_events", "published_metrics").without_checks(),
    description="Takes in what the provider reports, and brings it and the statuses it changes to the warehouse. "
    "Sends nothing.",
    config=dg.RunConfig(ops={"published_metrics": Extent(full=False)}),
    tags=_RETRIED,
)

check_tables = dg.define_asset_job(
    "check_tables",
    selection=dg.AssetSelection.all_asset_checks(),
    description="Runs every check: reactions leave them out, as they look at whole tables.",
)

record_score_history = dg.define_asset_job(
    "record_score_history",
    selection=dg.AssetSelection.assets(engagement_score_history),
    description="Scores as they stood at the start of a day.",
)

prove_score = dg.define_asset_job(
    "prove_score",
    selection=dg.AssetSelection.assets("score_backtest"),
    description="Backtests the score on this shop's own orders.",
)


@dg.job(description="Imports one file from the incoming folder; its changes then lead to react_to_changes.")
def import_files() -> None:
    import_file()


@dg.job(
    description="Deletes old runs, their logs, and change-log entries that everybody has read; stops asking what "
    "became of e-mails that have long been unknown; finishes erasures that could not be finished at once."
)
def prune_history() -> None:
    prune()


# Dagster does not export the type that `define_asset_job` returns.
ALL_JOBS: list[Any] = [
    react_to_changes,
    collect_changes,
    refresh_engagement,
    collect_copy,
    send_emails,
    collect_feedback,
    check_tables,
    record_score_history,
    prove_score,
    import_files,
    prune_history,
]
