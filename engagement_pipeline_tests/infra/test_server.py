"""One server's services as processes of this machine: what the compose file and the image say, without containers."""

import os
import re
import socket
import sys
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dagster as dg
import psycopg
import pytest
import yaml
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import WorkspaceFileTarget

from engagement_pipeline.platform.settings import PROJECT_ROOT
from engagement_pipeline_tests.processes import free_port, running
from engagement_pipeline_tests.users.builders import SECRET

COMPOSE: Mapping[str, Any] = yaml.safe_load((PROJECT_ROOT / "docker-compose.yaml").read_text())
DOCKERFILE = (PROJECT_ROOT / "Dockerfile").read_text()


def _home(folder: Path, name: str) -> Path:
    """Make Dagster's home as the Dockerfile makes it."""
    (made,) = re.findall(rf"cat ([\w./ -]+) > /opt/dagster/{name}/dagster\.yaml", DOCKERFILE)
    home = folder / name
    home.mkdir()
    (home / "dagster.yaml").write_text("".join((PROJECT_ROOT / part).read_text() for part in made.split()))
    return home


@pytest.mark.parametrize(("name", "more"), [("server", {"storage"}), ("aws", {"storage", "compute_logs"})])
def test_an_instance_on_a_server_differs_in_where_it_keeps_things_only(
    tmp_path: Path, name: str, more: set[str]
) -> None:
    local = yaml.safe_load((PROJECT_ROOT / "dagster.yaml").read_text())
    there = yaml.safe_load((_home(tmp_path, name) / "dagster.yaml").read_text())
    assert there.keys() - local.keys() == more
    assert {key: there[key] for key in local} == local


def test_no_container_runs_as_root_or_may_become_it() -> None:
    assert re.search(r"^USER 10001:10001$", DOCKERFILE, re.MULTILINE)
    ours = [each for each in COMPOSE["services"].values() if each["image"] == "engagement"]
    assert len(ours) == 4
    for each in ours:
        assert each["read_only"] is True
        assert each["cap_drop"] == ["ALL"]
        assert each["security_opt"] == ["no-new-privileges:true"]
        assert "ports" not in each


def test_the_proxy_alone_is_reached_from_outside_and_the_database_by_nobody() -> None:
    services = COMPOSE["services"]
    assert [name for name, each in services.items() if "ports" in each] == ["proxy"]
    assert services["postgres"]["networks"] == services["daemon"]["networks"] == ["inside"]
    assert COMPOSE["networks"]["inside"]["internal"] is True
    assert services["web"]["environment"]["FORWARDED_ALLOW_IPS"] == "172.31.84.0/24"
    assert COMPOSE["networks"]["front"]["ipam"]["config"] == [{"subnet": "172.31.84.0/24"}]


def test_every_secret_has_to_be_filled_in() -> None:
    text = (PROJECT_ROOT / "docker-compose.yaml").read_text()
    wanted = set(re.findall(r"\$\{(\w+)", text))
    assert wanted == set(re.findall(r"\$\{(\w+):\?", text))
    example = dict(
        line.split("=", 1) for line in (PROJECT_ROOT / "docker" / "env.example").read_text().splitlines() if "=" in line
        and not line.startswith("#")
    )  # fmt: skip
    assert wanted <= example.keys()
    secrets = {name for name in wanted if re.search("PASSWORD|KEY|TOKEN", name)}
    assert {example[name].strip("'") for name in secrets} == {""}


def test_the_image_holds_no_data_and_no_secret_of_anybody() -> None:
    allowed = (PROJECT_ROOT / ".dockerignore").read_text().split("\n")
    assert "*" in allowed
    copied = set(re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE))
    for source in " ".join(copied).split():
        assert f"!{source}" in allowed
        assert (PROJECT_ROOT / source).exists()


@pytest.fixture
def server_environment(postgres_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the variables of a container, on this machine's ports and paths."""
    mark = uuid.uuid4().hex[:12]
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        for name in (f"store_{mark}", f"dagster_{mark}"):
            connection.execute(f"CREATE DATABASE {name}")
        where = {"PGHOST": connection.info.host, "PGPORT": str(connection.info.port), "PGUSER": connection.info.user}
    variables = {
        **where,
        "DAGSTER_DATABASE_URL": f"postgresql:///dagster_{mark}",
        "DAGSTER_HOME": str(_home(tmp_path, "server")),
        "CODE_HOST": "127.0.0.1",
        "CODE_PORT": str(free_port()),
        "ENGAGEMENT_DATABASE_URL": f"postgresql:///store_{mark}",
        "ENGAGEMENT_DATA_DIR": str(tmp_path / "data"),
        "ENGAGEMENT_SECRET_KEY": SECRET,
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


@pytest.mark.integration
@pytest.mark.usefixtures("server_environment")
def test_services_work_apart_and_a_server_ends_what_the_one_before_left_behind(tmp_path: Path) -> None:
    log = tmp_path / "log"
    port = os.environ["CODE_PORT"]
    command = [port if each == "4000" else each for each in _command("code")]

    def knock() -> None:
        socket.create_connection(("127.0.0.1", int(port)), timeout=1).close()

    with dg.DagsterInstance.get() as instance:
        # As a server leaves it that is killed.
        killed = instance.add_run(
            dg.DagsterRun("react_to_changes", str(uuid.uuid4()), status=dg.DagsterRunStatus.STARTED)
        )
        with running(command, log, knock, folder=tmp_path, patience_seconds=90):
            assert "1 runs of an earlier server were ended" in log.read_text()
            found = instance.get_run_by_id(killed.run_id)
            assert found is not None
            assert found.status == dg.DagsterRunStatus.FAILURE
            workspace = WorkspaceFileTarget([str(PROJECT_ROOT / "docker" / "workspace.yaml")])
            with WorkspaceProcessContext(instance, workspace) as context:
                (entry,) = context.create_request_context().get_code_location_entries().values()
            assert entry.load_error is None
            assert entry.code_location is not None
            assert entry.code_location.name == "engagement_pipeline"


def _command(service: str) -> list[str]:
    """Return what the compose file runs, as it is called here."""
    program, *arguments = COMPOSE["services"][service]["command"]
    return [str(Path(sys.executable).parent / program), *(each.replace("0.0.0.0", "127.0.0.1") for each in arguments)]
