"""Tests run side by side, and one that measures time runs alone."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = """
import time
from pathlib import Path
import pytest

@pytest.mark.parametrize("number", range(4))
{mark}
def test_something(number, request):
    began = time.monotonic()
    time.sleep(0.2)
    with (Path(__file__).parent / "times").open("a") as times:
        times.write(f"{{request.node.get_closest_marker('alone') is not None}} {{began}} {{time.monotonic()}}\\n")
"""


@pytest.mark.integration
def test_whoever_measures_time_is_alone(tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = alone\n")
    for name, mark in {"one": "", "two": "", "three": "@pytest.mark.alone"}.items():
        (tmp_path / f"test_{name}.py").write_text(TESTS.format(mark=mark))
    ways = ["-p", "xdist", "-n", "3", "--dist", "loadfile", "-p", "engagement_pipeline_tests.side_by_side"]
    command = [sys.executable, "-m", "pytest", *ways, "--basetemp", "temporary"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    environment |= {"PYTHONPATH": os.pathsep.join(sys.path), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    ended = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True)
    assert ended.returncode == 0, ended.stdout.decode()
    lines = [line.split() for line in (tmp_path / "times").read_text().splitlines()]
    spans = [(alone == "True", float(began), float(end)) for alone, began, end in lines]
    together = [
        {first[0], second[0]}
        for place, first in enumerate(spans)
        for second in spans[place + 1 :]
        if first[1] < second[2] and second[1] < first[2]
    ]
    assert len(spans) == 12
    assert together, "those that need not be alone are not"
    assert all(kinds == {False} for kinds in together)
