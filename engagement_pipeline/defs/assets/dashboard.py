"""What people look at: the figures of the API and the dashboard, which never touch the warehouse."""

import dagster as dg

from engagement_pipeline.defs.assets import DAILY, MARKETING_TEAM, WAREHOUSE_POOL
from engagement_pipeline.defs.assets.scores import Extent
from engagement_pipeline.defs.metadata import markdown_table, store_metadata
from engagement_pipeline.defs.resources import WarehouseResource
from engagement_pipeline.pipeline import Pipeline
from engagement_pipeline.platform.published import published


@dg.asset(
    deps=[
        "engagement_scores",
        "engagement_score_history",
        "at_risk_cohorts",
        "email_deliveries",
        "email_events",
        "campaign_effectiveness",
    ],
    group_name="dashboard",
    kinds={"duckdb", "sql", "sqlalchemy"},
    owners=MARKETING_TEAM,
    code_version="1",
    pool=WAREHOUSE_POOL,
    freshness_policy=DAILY,
)
def published_metrics(
    config: Extent, warehouse: WarehouseResource, pipeline: dg.ResourceParam[Pipeline]
) -> dg.MaterializeResult[None]:
    """Users by band and how that moved, scores, the way from risk to order, e-mails by status, and the effect.

    Published to the operational store, where the API and the dashboard read them. A reaction brings only what takes no
    longer than a look at one table: bands, scores and statuses.
    """
    from engagement_pipeline.metrics.compute import publish_metrics
    from engagement_pipeline.metrics.models import Funnel

    with warehouse.get_connection() as con:
        figures = publish_metrics(con, pipeline.database, pipeline.settings, pipeline.now(), full=config.full)
    metadata = store_metadata(pipeline.database, published)
    for each in figures:
        if isinstance(each, Funnel):
            metadata["from_risk_to_order"] = markdown_table(
                ["step", "users"], [(step.name, f"{step.users:,}") for step in each.steps]
            )
    return dg.MaterializeResult(metadata=metadata)
