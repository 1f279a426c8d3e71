"""The operational store as the warehouse knows it: users, orders, refused records, suppressions."""

from collections.abc import Iterator
from dataclasses import asdict

import dagster as dg

from engagement_pipeline.defs.assets import DAILY, DATA_TEAM, REACTION, WAREHOUSE_POOL
from engagement_pipeline.defs.metadata import markdown_bars, table_metadata
from engagement_pipeline.defs.resources import WarehouseResource
from engagement_pipeline.delivery import mirror as delivery_mirror
from engagement_pipeline.pipeline import Pipeline
from engagement_pipeline.users import mirror as users_mirror

change_log = dg.AssetSpec(
    "change_log",
    description="Every change of a user or an order in the operational store, in commit order. Written by imports and "
    "the API; read here from where the last run stopped.",
    group_name="operational_store",
    kinds={"sqlalchemy"},
    owners=DATA_TEAM,
)


def _spec(name: str, description: str) -> dg.AssetSpec:
    return dg.AssetSpec(
        name,
        deps=[change_log],
        description=description,
        group_name="raw",
        kinds={"duckdb", "sqlalchemy"},
        owners=DATA_TEAM,
        code_version="1",
        freshness_policy=DAILY,
    )


@dg.multi_asset(
    name="raw",
    specs=[
        _spec(
            "raw_users",
            "One row per user, with order aggregates and the last e-mail. Users are known by id and by a keyed hash of "
            "their address: no address or name enters the warehouse.",
        ),
        _spec("raw_orders", "One row per order in any status; cancelled and returned ones never count."),
        _spec(
            "rejected_records",
            "What failed validation, with file, line, field and reason; the text itself stays in the operational store "
            "(`engagement rejected`). Nothing is dropped silently: correct the file and import it again.",
        ),
        _spec("suppressions", "Addresses that must never be written to again, by keyed hash, with the reason."),
    ],
    pool=WAREHOUSE_POOL,
)
def raw(
    context: dg.AssetExecutionContext, warehouse: WarehouseResource, pipeline: dg.ResourceParam[Pipeline]
) -> Iterator[dg.MaterializeResult[None]]:
    """Bring over what changed since the last run; the offset commits with the rows.

    Where users are kept on DynamoDB, what the queue says has changed there is taken into the operational store first.
    """
    queued = _take_queued(context, pipeline)
    with warehouse.get_connection() as con:
        report = users_mirror.pull(con, pipeline.database)
        suppressed = delivery_mirror.pull_suppressions(con, pipeline.database)
        brought = {
            "raw_users": {"changed_users": report.users, "deleted_users": report.deleted},
            "raw_orders": {"changed_orders": report.orders},
            "rejected_records": {"new_rejects": report.rejected},
            "suppressions": {"changed_suppressions": suppressed},
        }
        for table, numbers in brought.items():
            metadata = {**table_metadata(con, table), **numbers, **queued, "change_log_offset": report.seq}
            if table == "rejected_records":
                rows = con.execute(
                    "SELECT reason, count(*) FROM rejected_records GROUP BY 1 ORDER BY 2 DESC"
                ).fetchall()
                metadata["by_reason"] = markdown_bars(dict(rows), "reason")
            yield dg.MaterializeResult(asset_key=table, metadata=metadata)


def _take_queued(context: dg.AssetExecutionContext, pipeline: Pipeline) -> dict[str, int]:
    if not pipeline.settings.dynamodb.changes_queue_url:
        return {}
    from engagement_pipeline.changes.consumer import consume

    # A reaction deals with these changes itself: no other has to be asked for.
    reader = REACTION if context.job_name == REACTION else None
    report = consume(pipeline.settings, pipeline.database, pipeline.now, reader=reader)
    if report.set_aside:
        context.log.warning(f"{report.set_aside:,} messages were no changes and are set aside: `engagement rejected`")
    if report.rejected:
        context.log.warning(f"{report.rejected:,} items are no proper users or orders: `engagement rejected`")
    return {f"from_the_queue_{name}": number for name, number in asdict(report).items()}
