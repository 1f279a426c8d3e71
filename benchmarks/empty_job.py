"""The floor for reaction time: Dagster alone, with the same sensors and settings, and a job that writes one file."""

from pathlib import Path

import dagster as dg

from engagement_pipeline.platform.change_wait import wait_for_change
from engagement_pipeline.platform.settings import get_settings
from engagement_pipeline.platform.sql import Database

DATABASE = Database(get_settings().store_url)


class Reached(dg.Config):
    seq: int


@dg.op
def write_file(config: Reached) -> None:
    folder = Path(get_settings().data_dir) / "reached"
    folder.mkdir(exist_ok=True)
    (folder / str(config.seq)).touch()


@dg.job(executor_def=dg.in_process_executor)
def empty_job() -> None:
    write_file()


def _sensor(name: str) -> dg.SensorDefinition:
    @dg.sensor(name=name, job=empty_job, minimum_interval_seconds=1, default_status=dg.DefaultSensorStatus.RUNNING)
    def waiting_sensor() -> dg.RunRequest | dg.SkipReason:
        seq = wait_for_change(DATABASE, "empty_job", wait_seconds=20)
        if seq is None:
            return dg.SkipReason("nothing")
        config = dg.RunConfig(ops={"write_file": Reached(seq=seq)})
        return dg.RunRequest(run_key=str(seq), run_config=config)

    return waiting_sensor


defs = dg.Definitions(jobs=[empty_job], sensors=[_sensor(f"wait_{n}") for n in range(3)])
