"""The API does what its description says, whatever is sent: schemathesis with all checks against the real server."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from engagement_pipeline.migrations import upgrade
from engagement_pipeline.platform.settings import PROJECT_ROOT
from engagement_pipeline.platform.sql import Database
from engagement_pipeline_tests.web.api.shop import Shop
from engagement_pipeline_tests.web.server import running

PHASES = "examples,coverage,fuzzing,stateful"


def schemathesis(folder: Path, *options: str) -> None:
    database = Database(f"sqlite:///{folder / 'engagement.db'}")
    upgrade(database)
    shop = Shop(database, folder)
    shop.fill()
    token = shop.token()
    with running(shop.settings.database_url, folder, ENGAGEMENT_WEB__REQUESTS_PER_SECOND="100000") as server:
        command = [
            *(str(Path(sys.executable).parent / "st"), "run", f"{server.url}/api/openapi.json"),
            *("--header", f"Authorization: Bearer {token}", "--checks", "all", "--phases", PHASES),
            *("--no-color", "--warnings", "off", "--generation-database", "none", "--request-timeout", "60", *options),
        ]
        environment = os.environ | {"PYTHONPATH": str(PROJECT_ROOT)}
        run = subprocess.run(
            command, cwd=PROJECT_ROOT, env=environment, capture_output=True, text=True, timeout=3000, check=False
        )
        assert run.returncode == 0, run.stdout[-20_000:] + run.stderr[-2_000:]
        said = server.log.read_text()
    database.close()
    assert "Traceback" not in said
    assert "@" not in said
    assert token not in said


@pytest.mark.integration
def test_no_finding(tmp_path: Path) -> None:
    schemathesis(tmp_path, "--seed", "1", "--max-examples", "10")


@pytest.mark.soak
def test_no_finding_in_ten_minutes(tmp_path: Path) -> None:
    schemathesis(tmp_path, "--max-time", "600")
