"""`make demo-aws`, smaller: what a newcomer sees is what happens."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from engagement_pipeline.platform.settings import PROJECT_ROOT
from engagement_pipeline_tests.aws_server import MINISTACK
from engagement_pipeline_tests.servers import skip_without

# What it shows is tried part by part in `changes/test_path.py`; the whole takes a minute.
pytestmark = [pytest.mark.soak, pytest.mark.timeout(900)]


def test_an_item_leads_to_an_email_and_a_bounce_to_a_suppressed_address(templates: Path, tmp_path: Path) -> None:
    skip_without(MINISTACK)
    sizes = ["--users", "20", "--changes", "1", "--json"]
    command = [sys.executable, "-m", "infra.demo", *sizes, "--templates", str(templates), "--folder", str(tmp_path)]
    done = subprocess.run(command, cwd=PROJECT_ROOT, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    (arrival,) = result["arrivals"]
    assert arrival["user_id"] == "earlier-1"
    # Not the 100 that the earlier deployment's item began with.
    assert 0 < arrival["score"] < 50
    assert arrival["subject"]
    assert 0 < arrival["seconds"] == result["median_seconds"]
    assert result["bounced"]["status"] == "bounced"
    assert result["changes"] >= 20
    assert result["sent"] > 0
