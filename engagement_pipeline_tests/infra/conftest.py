"""The templates, written once for all tests of a run; it takes ten seconds."""

import shutil
from pathlib import Path

import pytest

from engagement_pipeline_tests.infra.templates import PROGRAMS, Template, run
from engagement_pipeline_tests.side_by_side import one_at_a_time
from infra.demo.cloud import write_deployment


@pytest.fixture(scope="session")
def templates(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that both stacks of the example were written to."""
    if not PROGRAMS.exists():
        pytest.skip("This needs AWS CDK in .venv-infra: `make test` installs it there.")
    if shutil.which("node") is None:
        pytest.skip(
            "AWS CDK runs on Node.js, which is not here: `make test` installs it as root on Debian, you elsewhere."
        )
    out = _of_all_processes(pytestconfig, tmp_path_factory) / "templates"
    with one_at_a_time(pytestconfig, "templates"):
        if not (out / "written").exists():
            deployment = write_deployment(tmp_path_factory.mktemp("deployment"))
            done = run("python", "-m", "infra.app", "--deployment", deployment, "--out", out)
            assert done.returncode == 0, done.stderr
            (out / "written").touch()
    return out


@pytest.fixture(scope="session")
def data(templates: Path) -> Template:
    """The stack that holds data."""
    return Template(templates / "engagement-data.template.json")


@pytest.fixture(scope="session")
def services(templates: Path) -> Template:
    """The stack that runs what works on it."""
    return Template(templates / "engagement-services.template.json")


def _of_all_processes(config: pytest.Config, factory: pytest.TempPathFactory) -> Path:
    base = factory.getbasetemp()
    return base.parent if hasattr(config, "workerinput") else base
