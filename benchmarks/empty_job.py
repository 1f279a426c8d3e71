"""The floor for reaction time: Dagster alone, with the same sensors, settings and pool, and six assets that do nothing.

The fifth, where ours sends, writes a file, so that the arrival can be seen.
"""

from pathlib import Path

import dagster as dg

from engagement_pipeline.platform.change_wait import wait_for_change
from engagement_pipeline.platform.settings import get_settings
from engagement_pipeline.platform.sql import Database

DATABASE = Database(get_settings().store_url)
NAMES = ("raw", "scores", "cohorts", "drafts", "deliveries", "events")


def _asset(name: str, upstream: list[str]) -> dg.AssetsDefinition:
    @dg.asset(name=name, deps=upstream, pool="warehouse")
    def trivial(context: dg.AssetExecutionContext) -> None:
        if name == "deliveries":
            folder = Path(get_settings().data_dir) / "reached"
            folder.mkdir(exist_ok=True)
            (folder / context.run_id).touch()

    return trivial


ASSETS = [_asset(name, [NAMES[number - 1]] if number else []) for number, name in enumerate(NAMES)]
empty_job = dg.define_asset_job("empty_job", selection=dg.AssetSelection.all())


def _sensor(name: str) -> dg.SensorDefinition:
    @dg.sensor(name=name, job=empty_job, minimum_interval_seconds=1, default_status=dg.DefaultSensorStatus.RUNNING)
    def waiting_sensor() -> dg.RunRequest | dg.SkipReason:
        seq = wait_for_change(DATABASE, "empty_job", wait_seconds=20)
        return dg.SkipReason("nothing") if seq is None else dg.RunRequest(run_key=str(seq))

    return waiting_sensor


defs = dg.Definitions(
    assets=ASSETS,
    jobs=[empty_job],
    sensors=[_sensor(f"wait_{number}") for number in range(3)],
    executor=dg.in_process_executor,
)
