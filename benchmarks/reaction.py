"""From a user's commit to the e-mail in the outbox, with everything running, beside an empty Dagster job.

Both run under `dagster dev` with the project's own `dagster.yaml`; the empty job has the same waiting sensors and as
many assets, which do nothing. Events come at random moments, so that some meet a sensor that is resting.
"""

import argparse
import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from engagement_pipeline.pipeline import Pipeline
from engagement_pipeline.platform.settings import PROJECT_ROOT, Settings
from engagement_pipeline.users.models import User

EVENTS = 20
PATIENCE_SECONDS = 60


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=EVENTS)
    events = parser.parse_args().events
    floor = measure("benchmarks.empty_job", events, lambda data: len(list((data / "reached").glob("*"))))
    ours = measure("engagement_pipeline.definitions", events, lambda data: len(list((data / "outbox").glob("*.eml"))))
    print(f"{'':24}{'median':>8}{'worst':>8}   seconds, {events} events")
    for name, seconds in (("empty Dagster job", floor), ("commit to .eml", ours)):
        print(f"{name:24}{statistics.median(seconds):8.2f}{max(seconds):8.2f}")
    print(f"{'ratio':24}{statistics.median(ours) / statistics.median(floor):8.2f}{max(ours) / max(floor):8.2f}")


def measure(module: str, events: int, arrived: Callable[[Path], int]) -> list[float]:
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        with dagster_dev(module, data):
            # The first is not counted: the daemon is still starting.
            return [one_event(data, number, arrived) for number in range(events + 1)][1:]


def one_event(data: Path, number: int, arrived: Callable[[Path], int]) -> float:
    time.sleep(random.Random(number).uniform(0.5, 8.0))
    pipeline = Pipeline(Settings(data_dir=data))
    now = pipeline.now()
    before = arrived(data)
    user = User(
        user_id=f"silent-{number}",
        email=f"silent-{number}@example.com",
        name="Ada Example",
        preferred_categories=("denim",),
        consent=True,
        time_zone="UTC",
        order_count=2,
        average_order_value=40.0,
        first_order_at=now - timedelta(days=200),
        last_order_at=now - timedelta(days=90),
        created_at=now,
        updated_at=now,
    )
    pipeline.store.put_users([user], now)
    start = time.perf_counter()
    while arrived(data) == before:
        if time.perf_counter() - start > PATIENCE_SECONDS:
            raise TimeoutError(f"event {number}: nothing after {PATIENCE_SECONDS} s")
        time.sleep(0.01)
    return time.perf_counter() - start


@contextmanager
def dagster_dev(module: str, data: Path) -> Iterator[None]:
    home = data / "dagster"
    home.mkdir(parents=True)
    shutil.copyfile(PROJECT_ROOT / "dagster.yaml", home / "dagster.yaml")
    environment = {
        **os.environ,
        "DAGSTER_HOME": str(home),
        "ENGAGEMENT_DATA_DIR": str(data),
        "ENGAGEMENT_GATE__SENDING_HOUR_FROM": "0",
        "ENGAGEMENT_GATE__SENDING_HOUR_TO": "24",
        "ENGAGEMENT_GATE__HOLD_OUT_SHARE": "0",
    }
    Pipeline(Settings(data_dir=data)).database.close()
    command = [sys.executable, "-m", "dagster", "dev", "-m", module, "--port", "3999"]
    log = (data / "dagster.log").open("w")
    process = subprocess.Popen(command, cwd=PROJECT_ROOT, env=environment, stdout=log, stderr=log)
    try:
        time.sleep(25)
        yield
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


if __name__ == "__main__":
    main()
