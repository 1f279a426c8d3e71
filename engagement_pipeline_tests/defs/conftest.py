"""A pipeline in a folder of its own, with a clock that tests turn, and its jobs run in this process."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from engagement_pipeline.definitions import build_defs
from engagement_pipeline.pipeline import Pipeline
from engagement_pipeline.platform.settings import Settings
from engagement_pipeline.platform.settings_groups import GateSettings
from engagement_pipeline.users.models import User
from engagement_pipeline_tests.conftest import NOW

RunJob = Callable[[str], dg.ExecuteInProcessResult]


class Clock:
    """A clock that stands still until it is told otherwise."""

    def __init__(self) -> None:
        self.moment = NOW

    def __call__(self) -> datetime:
        return self.moment


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def pipeline(tmp_path: Path, clock: Clock) -> Iterator[Pipeline]:
    gate = GateSettings(sending_hour_from=0, sending_hour_to=24, hold_out_share=0)
    pipeline = Pipeline(Settings(data_dir=tmp_path, gate=gate), clock)
    yield pipeline
    pipeline.database.close()


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture
def run_job(pipeline: Pipeline, instance: dg.DagsterInstance) -> RunJob:
    defs = build_defs(pipeline.settings, {"pipeline": pipeline})

    def run(name: str) -> dg.ExecuteInProcessResult:
        return defs.resolve_job_def(name).execute_in_process(instance=instance, raise_on_error=False)

    return run


def silent_user(number: int, days: int = 90, orders: int = 2, now: datetime = NOW) -> User:
    """A user who ordered last so many days ago, and may be written to."""
    return User(
        user_id=f"user-{number}",
        email=f"user-{number}@example.com",
        name=f"Silent{number} Userson",
        preferred_categories=("denim",),
        consent=True,
        time_zone="UTC",
        order_count=orders,
        average_order_value=40.0,
        first_order_at=now - timedelta(days=days + 100),
        last_order_at=now - timedelta(days=days),
        created_at=now,
        updated_at=now,
    )
