"""Engagement scores: today's, and their daily history."""

from datetime import date

import dagster as dg

from engagement_pipeline.defs.assets import DAILY, DATA_TEAM, WAREHOUSE_POOL
from engagement_pipeline.defs.metadata import markdown_bars, table_metadata
from engagement_pipeline.defs.resources import WarehouseResource
from engagement_pipeline.pipeline import Pipeline
from engagement_pipeline.platform.settings import get_settings
from engagement_pipeline.scoring.history import write_day
from engagement_pipeline.scoring.publish import Tell, publish
from engagement_pipeline.scoring.scores import rescore

history_days = dg.DailyPartitionsDefinition(start_date=get_settings().history_from.isoformat(), end_offset=1)


class Extent(dg.Config):
    """Whether to work through everybody, or only through those who changed since the last run."""

    full: bool = True


@dg.asset(
    deps=["raw_users"],
    group_name="scoring",
    kinds={"duckdb", "sql"},
    owners=DATA_TEAM,
    code_version="1",
    pool=WAREHOUSE_POOL,
    freshness_policy=DAILY,
)
def engagement_scores(
    config: Extent,
    warehouse: WarehouseResource,
    pipeline: dg.ResourceParam[Pipeline],
) -> dg.MaterializeResult[None]:
    """One row per user: engagement from 0 to 100 as of today, where 50 means even odds of an order within the horizon.

    A full run re-estimates the population parameters; a run after a change scores only the users that changed, with
    the parameters kept. Changed scores, and the parameters, are published to the operational store; where users are
    kept on DynamoDB, scores are written beside them.
    """
    now = pipeline.now()
    with warehouse.get_connection() as con:
        report = rescore(con, now.date(), pipeline.settings.scoring, full=config.full, now=now)
        published = publish(con, pipeline.database, now, _write_back(pipeline))
        return dg.MaterializeResult(
            metadata={
                **table_metadata(con, "engagement_scores"),
                "rescored": report.rescored,
                "published": published,
                "mean_gap_days": report.population.mean_gap_days,
                "median_order_value": report.population.median_order_value,
                "by_band": markdown_bars(report.by_band, "band"),
            }
        )


def _write_back(pipeline: Pipeline) -> Tell | None:
    if not pipeline.settings.dynamodb.is_set:
        return None
    from engagement_pipeline.changes.write_back import write_back

    return write_back(pipeline.settings, pipeline.database)


@dg.asset(
    deps=["raw_orders"],
    partitions_def=history_days,
    group_name="scoring",
    kinds={"duckdb", "sql"},
    owners=DATA_TEAM,
    code_version="1",
    pool=WAREHOUSE_POOL,
    backfill_policy=dg.BackfillPolicy.single_run(),
)
def engagement_score_history(
    context: dg.AssetExecutionContext, warehouse: WarehouseResource, pipeline: dg.ResourceParam[Pipeline]
) -> dg.MaterializeResult[None]:
    """Scores as they stood at the start of each day, from the orders of earlier days alone.

    Can be computed for any past day from `raw_orders`: back-fill the partitions of interest.
    """
    with warehouse.get_connection() as con:
        for key in context.partition_keys:
            rows = write_day(con, date.fromisoformat(key), pipeline.settings.scoring)
            context.log.info(f"{key}: {rows} users")
        return dg.MaterializeResult(
            metadata={**table_metadata(con, "engagement_score_history"), "days_written": len(context.partition_keys)}
        )
