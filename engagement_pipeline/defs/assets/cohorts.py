"""Who may be written to, and why everybody else may not."""

import dagster as dg

from engagement_pipeline.cohorts.gate import decide
from engagement_pipeline.cohorts.reasons import Reason
from engagement_pipeline.defs.assets import DAILY, MARKETING_TEAM, WAREHOUSE_POOL
from engagement_pipeline.defs.assets.scores import Extent
from engagement_pipeline.defs.metadata import markdown_bars, markdown_table, table_metadata
from engagement_pipeline.defs.resources import WarehouseResource
from engagement_pipeline.pipeline import Pipeline


@dg.asset(
    deps=["engagement_scores", "raw_users", "suppressions"],
    group_name="cohorts",
    kinds={"duckdb", "sql"},
    owners=MARKETING_TEAM,
    code_version="1",
    pool=WAREHOUSE_POOL,
    freshness_policy=DAILY,
)
def at_risk_cohorts(
    config: Extent, warehouse: WarehouseResource, pipeline: dg.ResourceParam[Pipeline]
) -> dg.MaterializeResult[None]:
    """Everybody below the threshold with the gate's decision: mail, hold out, or skip, each with its reason.

    The hold-out is never written to, so that the effect of writing can be measured against it.
    """
    settings = pipeline.settings
    with warehouse.get_connection() as con:
        report = decide(con, pipeline.now(), settings.gate, settings.scoring, pipeline.secret_key, full=config.full)
        return dg.MaterializeResult(
            metadata={
                **table_metadata(con, "at_risk_cohorts"),
                "by_decision": markdown_bars(report.by_decision, "decision"),
                "by_reason": markdown_table(
                    ["reason", "users", "what it means"],
                    [
                        (reason, f"{users:,}", Reason(reason).meaning)
                        for reason, users in sorted(report.by_reason.items(), key=lambda item: -item[1])
                    ],
                ),
            }
        )
