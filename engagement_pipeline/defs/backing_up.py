"""Copies of the warehouse, where settings name a bucket for them. It could be made anew; its past would be lost."""

import dagster as dg

from engagement_pipeline.defs.assets import WAREHOUSE_POOL
from engagement_pipeline.defs.resources import WarehouseResource
from engagement_pipeline.pipeline import Pipeline


@dg.op(pool=WAREHOUSE_POOL)
def copy_warehouse(
    context: dg.OpExecutionContext, warehouse: WarehouseResource, pipeline: dg.ResourceParam[Pipeline]
) -> None:
    """Put a copy of the warehouse into the bucket, under the day's name. It holds no address and no name."""
    from engagement_pipeline.platform import bucket

    settings = pipeline.settings
    key = f"{bucket.BACKUPS}warehouse-{pipeline.now():%Y-%m-%d}.duckdb"
    # While it is open here nobody else writes to it.
    with warehouse.get_connection() as con:
        con.execute("CHECKPOINT")
        bucket.keep(settings, settings.warehouse_path, key)
    context.add_output_metadata({"copy": f"s3://{settings.files_bucket}/{key}"})


@dg.job(
    description="Puts a copy of the warehouse into the bucket that settings name.", tags={"dagster/max_retries": "2"}
)
def back_up() -> None:
    copy_warehouse()


nightly_back_up = dg.ScheduleDefinition(
    name="nightly_back_up",
    job=back_up,
    cron_schedule="30 4 * * *",
    default_status=dg.DefaultScheduleStatus.RUNNING,
)
