"""The whole graph on one screen: read this first.

Assets follow the data from left to right; a sensor reacts to changes, schedules keep the habits, checks state what must
hold. What each part does is in the room of its name; `defs/` only puts it into Dagster's words.
"""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from engagement_pipeline.defs.assets import cohorts, copy, dashboard, effectiveness, emails, raw, scores
from engagement_pipeline.defs.backing_up import back_up, nightly_back_up
from engagement_pipeline.defs.checks import ALL_CHECKS
from engagement_pipeline.defs.jobs import ALL_JOBS
from engagement_pipeline.defs.resources import warehouse_resource
from engagement_pipeline.defs.schedules import ALL_SCHEDULES
from engagement_pipeline.defs.sensors import ALL_SENSORS, queued_changes
from engagement_pipeline.pipeline import Pipeline
from engagement_pipeline.platform.settings import Settings, get_settings

ASSETS: list[dg.AssetsDefinition | dg.AssetSpec] = [
    raw.change_log,
    raw.raw,
    scores.engagement_scores,
    scores.engagement_score_history,
    effectiveness.score_backtest,
    cohorts.at_risk_cohorts,
    emails.generated_emails,
    copy.copy_report,
    emails.email_deliveries,
    emails.email_events,
    effectiveness.campaign_effectiveness,
    dashboard.published_metrics,
]


def build_defs(settings: Settings, resource_overrides: Mapping[str, Any] | None = None) -> dg.Definitions:
    """Put the graph together; tests replace single resources by name."""
    return dg.Definitions(
        assets=ASSETS,
        asset_checks=ALL_CHECKS,
        jobs=[*ALL_JOBS, *([back_up] if settings.files_bucket else [])],
        schedules=[*ALL_SCHEDULES, *([nightly_back_up] if settings.files_bucket else [])],
        sensors=[*ALL_SENSORS, *(queued_changes if settings.dynamodb.changes_queue_url else [])],
        # One process per run: a process per step would cost seconds each, and the work is done by DuckDB's threads.
        executor=dg.in_process_executor,
        resources={
            "warehouse": warehouse_resource(settings),
            "pipeline": Pipeline(settings),
            **(resource_overrides or {}),
        },
    )


@dg.definitions
def defs() -> dg.Definitions:
    return build_defs(get_settings())
