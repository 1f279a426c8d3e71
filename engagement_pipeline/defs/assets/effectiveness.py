"""Whether it works: the effect of writing, and the score's proof on this shop's own orders.

What these assets call is imported inside them: a reaction to a change, which needs neither, must not wait for it.
"""

import base64

import dagster as dg

from engagement_pipeline.defs.assets import DAILY, DATA_TEAM, MARKETING_TEAM, WAREHOUSE_POOL
from engagement_pipeline.defs.metadata import markdown_table, table_metadata
from engagement_pipeline.defs.resources import WarehouseResource
from engagement_pipeline.pipeline import Pipeline


@dg.asset(
    deps=["email_deliveries", "email_events", "raw_orders"],
    group_name="effectiveness",
    kinds={"duckdb", "sql"},
    owners=MARKETING_TEAM,
    code_version="1",
    pool=WAREHOUSE_POOL,
    freshness_policy=DAILY,
)
def campaign_effectiveness(
    warehouse: WarehouseResource, pipeline: dg.ResourceParam[Pipeline]
) -> dg.MaterializeResult[None]:
    """Orders after the decision, mailed against held out by intention to treat, with a 95 % interval.

    Says "not enough data yet" rather than a number without meaning.
    """
    from engagement_pipeline.effectiveness.measure import measure

    with warehouse.get_connection() as con:
        measure(con, pipeline.now(), pipeline.settings.attribution_days)
        rows = con.execute("SELECT segment_kind, segment, sentence FROM campaign_effectiveness ORDER BY ALL").fetchall()
        return dg.MaterializeResult(
            metadata={
                **table_metadata(con, "campaign_effectiveness"),
                "effect": markdown_table(["by", "segment", "what we know"], rows),
            }
        )


@dg.asset(
    deps=["raw_orders"],
    group_name="scoring",
    kinds={"duckdb", "matplotlib"},
    owners=DATA_TEAM,
    code_version="1",
    pool=WAREHOUSE_POOL,
)
def score_backtest(warehouse: WarehouseResource, pipeline: dg.ResourceParam[Pipeline]) -> dg.MaterializeResult[None]:
    """The score's proof on this shop: how well it foretold who ordered again, beside recency alone and RFM quintiles.

    Takes the newest cut-off whose horizon has passed, so that the outcome is known.
    """
    from engagement_pipeline.scoring.backtest import backtest
    from engagement_pipeline.scoring.backtest_plot import plot

    with warehouse.get_connection(read_only=True) as con:
        report = backtest(con, [], pipeline.settings.scoring, known_before=pipeline.now().date())
    [cutoff] = report.cutoffs
    ranking = [("this score", cutoff.auc), ("recency alone", cutoff.auc_recency), ("RFM quintiles", cutoff.auc_rfm)]
    picture = base64.b64encode(plot(report)).decode()
    return dg.MaterializeResult(
        metadata={
            "cut_off": str(cutoff.day),
            "users": cutoff.users,
            "came_back": cutoff.came_back,
            "below_threshold": cutoff.below_threshold,
            "brier": cutoff.brier,
            "auc": markdown_table(
                ["ranked by", "AUC"], [(name, "" if auc is None else f"{auc:.3f}") for name, auc in ranking]
            ),
            "plot": dg.MetadataValue.md(f"![backtest](data:image/png;base64,{picture})"),
        }
    )
