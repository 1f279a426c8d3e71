"""Housekeeping: what grows without end is cut, old questions are closed, and what was begun is finished."""

from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path

import dagster as dg
from dagster import DagsterRunStatus

from engagement_pipeline.changes import sequences
from engagement_pipeline.defs.resources import WarehouseResource
from engagement_pipeline.delivery.erasure import finish
from engagement_pipeline.pipeline import Pipeline
from engagement_pipeline.platform.change_log import prune_change_log
from engagement_pipeline.platform.warehouse import get_offset
from engagement_pipeline.users.mirror import OFFSET

_FINISHED = [DagsterRunStatus.SUCCESS, DagsterRunStatus.FAILURE, DagsterRunStatus.CANCELED]
_BATCH = 100

# All that read the change log into the warehouse.
_READERS = (OFFSET, "suppressions", "email_deliveries", "email_events")


class Retention(dg.Config):
    """How long runs, changes and pages of `engagement preview` are kept, in days."""

    run_days: int = 14
    change_days: int = 30
    preview_days: int = 7


@dg.op
def prune(
    context: dg.OpExecutionContext,
    config: Retention,
    warehouse: WarehouseResource,
    pipeline: dg.ResourceParam[Pipeline],
) -> None:
    """Delete finished runs with their events and logs, and change-log entries that the warehouse has read.

    Forgets, too, how far items have been followed that have not changed for long; stops asking what became of e-mails
    that have long been unknown; deletes the pages of previews, which greet somebody by name who may be gone by then;
    and finishes erasures that could not be finished at once.
    """
    now = pipeline.now()
    expired = pipeline.ledger.expire_unknown(now - timedelta(days=pipeline.settings.delivery.unknown_expires_days), now)
    pages = delete_pages(pipeline.settings.preview_dir, now - timedelta(days=config.preview_days))
    runs = delete_runs(context.instance, now - timedelta(days=config.run_days))
    with warehouse.get_connection() as con:
        read_up_to = min(get_offset(con, reader) or 0 for reader in _READERS)
    with pipeline.database.write() as connection:
        changes = prune_change_log(connection, now - timedelta(days=config.change_days), read_up_to)
        items = sequences.forget(connection, now - sequences.KEPT_FOR)
    erasures = Counter(report.left or "finished" for report in finish(pipeline.stores, pipeline.settings, now))
    context.log.info(
        f"deleted {runs} runs, {changes} change-log entries and {pages} previews; {expired} unknown e-mails expired"
    )
    if unfinished := erasures.total() - erasures["finished"]:
        context.log.warning(f"{unfinished} erasures are still to be finished: {dict(erasures)}")
    context.add_output_metadata(
        {
            "deleted_runs": runs,
            "deleted_changes": changes,
            "forgotten_items": items,
            "deleted_previews": pages,
            "expired_unknown": expired,
            "finished_erasures": erasures["finished"],
            "unfinished_erasures": unfinished,
        }
    )


def delete_pages(folder: Path, before: datetime) -> int:
    """Delete pages last written before a moment; return how many."""
    old = [path for path in folder.glob("*.html") if path.stat().st_mtime < before.timestamp()]
    for path in old:
        path.unlink(missing_ok=True)
    return len(old)


def delete_runs(instance: dg.DagsterInstance, before: datetime) -> int:
    """Delete the finished runs created before a moment, with their events and captured output; return how many."""
    old = dg.RunsFilter(statuses=_FINISHED, created_before=before)
    deleted = 0
    while runs := instance.get_runs(filters=old, limit=_BATCH):
        for run in runs:
            instance.compute_log_manager.delete_logs(prefix=[run.run_id])
            instance.delete_run(run.run_id)
        deleted += len(runs)
    return deleted
