"""A process that imports, scores, decides, writes and sends, as `make demo` does; made to be killed.

Its clock stands still, so that every life sees the same day.
"""

import sys
from pathlib import Path

from engagement_pipeline.cli.dagster_home import prepare
from engagement_pipeline.cli.demo import run_job
from engagement_pipeline.pipeline import Pipeline
from engagement_pipeline.platform.settings import Settings
from engagement_pipeline.platform.settings_groups import GateSettings
from engagement_pipeline.users.importing import import_path
from engagement_pipeline_tests.conftest import NOW


def pipeline_in(folder: Path) -> Pipeline:
    gate = GateSettings(sending_hour_from=0, sending_hour_to=24)
    return Pipeline(Settings(data_dir=folder / "local", gate=gate), lambda: NOW)


def live(folder: Path, orders: Path) -> None:
    pipeline = pipeline_in(folder)
    prepare(pipeline.settings)
    import_path(pipeline.store, "user", orders.with_name("users.csv"), NOW)
    import_path(pipeline.store, "order", orders, NOW)
    run_job(pipeline, "refresh_engagement")
    run_job(pipeline, "send_emails")


if __name__ == "__main__":
    live(Path(sys.argv[1]), Path(sys.argv[2]))
