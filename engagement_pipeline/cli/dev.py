"""Everything that one works with, in one terminal: the Dagster UI with its daemon, the dashboard and the REST API."""

import os
import subprocess
import sys
from typing import Annotated

import typer

from engagement_pipeline.cli.dagster_home import prepare
from engagement_pipeline.platform.priority import give_way
from engagement_pipeline.platform.settings import PROJECT_ROOT, get_settings, located

_Port = Annotated[int, typer.Option(help="Port of the Dagster UI on 127.0.0.1.", min=1, max=65535)]
_WebPort = Annotated[int, typer.Option(help="Port of dashboard and API on 127.0.0.1.", min=1, max=65535)]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("dev")(dev)


def dev(port: _Port = 3000, web_port: _WebPort = 8000) -> None:
    """Open the Dagster UI, with sensors and schedules running, the dashboard and the REST API, until Ctrl-C."""
    settings = get_settings()
    home = prepare(settings)
    settings.incoming_dir.mkdir(parents=True, exist_ok=True)
    typer.echo(f"Dashboard:        http://127.0.0.1:{web_port}")
    typer.echo(f"REST API:         http://127.0.0.1:{web_port}/api/docs")
    typer.echo(f"Dagster UI:       http://127.0.0.1:{port}")
    typer.echo(f"Drop files into:  {settings.incoming_dir}")
    typer.echo(f"Runs are kept in: {home}\n")
    sys.stdout.flush()
    _start_web(port, web_port)
    # A run that scores everybody would otherwise make the dashboard wait for seconds.
    give_way()
    # This interpreter's Dagster, whatever the caller's PATH says, without its hint that a tool called `dg` exists too.
    dagster = [sys.executable, "-W", "ignore:Function `dev_command`", "-m", "dagster"]
    workspace = str(PROJECT_ROOT / "workspace.yaml")
    # In this process's place, so that whoever stops it stops Dagster; from its home, whose dagster.yaml it reads.
    os.environ.update(located(settings))
    os.chdir(home)
    os.execv(sys.executable, [*dagster, "dev", "-w", workspace, "--host", "127.0.0.1", "--port", str(port)])  # noqa: S606


def _start_web(port: int, web_port: int) -> None:
    """Start the web server; it ends with this process, or the one in its place, however that ends."""
    ends_with_us, ours = os.pipe()
    # Stays open in the `dagster dev` that takes this process's place, and in nothing that it starts.
    os.set_inheritable(ours, True)
    entry = "from engagement_pipeline.cli import main; main()"
    command = [sys.executable, "-c", entry, "web", "--port", str(web_port), "--until-closed", str(ends_with_us)]
    address = {"ENGAGEMENT_WEB__DAGSTER_URL": f"http://127.0.0.1:{port}"}
    subprocess.Popen(command, pass_fds=[ends_with_us], env={**address, **os.environ})  # noqa: S603 - our own command
    os.close(ends_with_us)
