"""The Dagster UI in a real browser: lineage, an asset, a run, and a reaction that nobody triggered by hand."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import psutil
import pytest

from engagement_pipeline.cli.dagster_home import prepare
from engagement_pipeline.cli.demo import claim_changes, run_job
from engagement_pipeline.pipeline import Pipeline
from engagement_pipeline.platform import clock
from engagement_pipeline.platform.priority import NICENESS
from engagement_pipeline.platform.settings import PROJECT_ROOT, Settings
from engagement_pipeline.platform.settings_groups import GateSettings
from engagement_pipeline_tests.defs.conftest import silent_user
from engagement_pipeline_tests.processes import free_port

pytestmark = pytest.mark.browser
PATIENCE_SECONDS = 60


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    gate = GateSettings(sending_hour_from=0, sending_hour_to=24, hold_out_share=0)
    pipeline = Pipeline(Settings(data_dir=tmp_path_factory.mktemp("ui"), gate=gate))
    yield pipeline
    pipeline.database.close()


@pytest.fixture(scope="module")
def web_port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def served(pipeline: Pipeline, web_port: int) -> Iterator[tuple[str, int]]:
    """`engagement dev` on a store that has been through one refresh."""
    now = clock.now()
    pipeline.store.put_users([silent_user(number, days=40 + number, now=now) for number in range(5)], now)
    home = pipeline.settings.data_dir / "dagster"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DAGSTER_HOME", str(home))
        prepare(pipeline.settings)
        claim_changes(pipeline)
        run_job(pipeline, "refresh_engagement")
        run_job(pipeline, "send_emails")
    port = free_port()
    # Paths as people write them: they count from where the command is given, in every process that it starts.
    folder = pipeline.settings.data_dir.parent
    shutil.copy(PROJECT_ROOT / "data" / "catalogue.yaml", folder / "our-catalogue.yaml")
    environment = {
        **os.environ,
        "DAGSTER_HOME": str(home),
        "ENGAGEMENT_DATA_DIR": pipeline.settings.data_dir.name,
        "ENGAGEMENT_DATABASE_URL": f"sqlite:///{pipeline.settings.data_dir.name}/engagement.db",
        "ENGAGEMENT_CATALOGUE_FILE": "our-catalogue.yaml",
        "ENGAGEMENT_GATE__SENDING_HOUR_FROM": "0",
        "ENGAGEMENT_GATE__SENDING_HOUR_TO": "24",
        "ENGAGEMENT_GATE__HOLD_OUT_SHARE": "0",
    }
    entry = "from engagement_pipeline.cli import main; main()"
    command = [sys.executable, "-c", entry, "dev", "--port", str(port), "--web-port", str(web_port)]
    with (pipeline.settings.data_dir / "dagster.log").open("w") as log:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
        try:
            wait_for(lambda: is_open(port) and is_open(web_port))
            yield f"http://127.0.0.1:{port}", process.pid
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(PATIENCE_SECONDS)
            # The web server was not told: it goes with the process that started it.
            wait_for(lambda: not is_open(web_port))


@pytest.fixture(scope="module")
def address(served: tuple[str, int]) -> str:
    return served[0]


@pytest.fixture
def page(address: str, browser: Any) -> Iterator[Any]:
    page = browser.new_page(base_url=address, viewport={"width": 1500, "height": 1000})
    page.set_default_timeout(PATIENCE_SECONDS * 1000)
    yield page
    page.close()


def is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait_for(condition: Any) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "gave up waiting"
        time.sleep(0.1)


def test_lineage_names_every_room(page: Any) -> None:
    page.goto("/asset-groups")
    for group in ("operational_store", "raw", "scoring", "cohorts", "emails", "effectiveness"):
        page.get_by_text(group, exact=True).first.wait_for()


def test_an_asset_tells_what_it_is(page: Any) -> None:
    page.goto("/assets/engagement_scores")
    page.get_by_text("50 means even odds of an order within the horizon.").first.wait_for()
    page.get_by_text("Whole days since the day of the last order.").wait_for()
    page.get_by_text("data-engineering").wait_for()
    page.get_by_text("Row count").wait_for()
    page.goto("/assets/engagement_scores?view=checks")
    page.get_by_text("everyone_is_scored").first.wait_for()
    page.get_by_text("Passed").first.wait_for()


def test_a_run_shows_its_steps(page: Any) -> None:
    page.goto("/runs")
    page.get_by_text("refresh_engagement").first.wait_for()
    page.get_by_text("send_emails").first.wait_for()


def test_a_new_silent_user_is_written_to_with_no_hand_on_it(page: Any, pipeline: Pipeline) -> None:
    before = set(pipeline.settings.outbox_dir.glob("*.eml"))
    now = clock.now()
    pipeline.store.put_users([silent_user(99, days=90, now=now)], now)
    wait_for(lambda: set(pipeline.settings.outbox_dir.glob("*.eml")) > before)
    page.goto("/runs")
    page.get_by_text("react_to_changes").first.wait_for()


def test_it_prints_where_everything_is(pipeline: Pipeline, address: str, web_port: int) -> None:
    said = (pipeline.settings.data_dir / "dagster.log").read_text()
    for each in (f"http://127.0.0.1:{web_port}", f"http://127.0.0.1:{web_port}/api/docs", address):
        assert f" {each}\n" in said


def test_whoever_is_written_to_on_request_gets_it_within_seconds(page: Any, pipeline: Pipeline, web_port: int) -> None:
    def written() -> set[Path]:
        return set(pipeline.settings.outbox_dir.glob("*.eml"))

    now = clock.now()
    pipeline.store.put_users([silent_user(98, days=90, now=now)], now)
    before = written()
    wait_for(lambda: written() > before)
    first = written()
    user_id = silent_user(98, days=90, now=now).user_id
    asked = Request(
        f"http://127.0.0.1:{web_port}/api/users/{user_id}/emails",
        data=json.dumps({"override_cool_down": True}).encode(),
        headers={"Content-Type": "application/json", "Idempotency-Key": "once"},
    )
    with urlopen(asked, timeout=PATIENCE_SECONDS) as answer:
        email_id = json.load(answer)["email_id"]
    wait_for(lambda: written() > first)
    page.goto(f"http://127.0.0.1:{web_port}/emails")
    page.get_by_role("link", name="Overview").first.wait_for()
    page.goto(f"http://127.0.0.1:{web_port}/email/{email_id}")
    page.get_by_text("delivered").first.wait_for()


def test_runs_give_way_to_whoever_looks_at_a_page(served: tuple[str, int]) -> None:
    _, pid = served
    started = {child.pid: " ".join(child.cmdline()) for child in psutil.Process(pid).children()}
    runs = [child for child, command in started.items() if "dagster" in command]
    (web,) = (child for child, command in started.items() if "--until-closed" in command)
    assert runs
    assert {os.getpriority(os.PRIO_PROCESS, child) for child in (pid, *runs)} == {NICENESS}
    assert os.getpriority(os.PRIO_PROCESS, web) == os.getpriority(os.PRIO_PROCESS, 0)
