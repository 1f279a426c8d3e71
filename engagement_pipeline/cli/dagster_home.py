"""Where Dagster keeps its runs: prepared once, so that the demo and the UI show the same history."""

import os
import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer

from engagement_pipeline.platform.settings import PROJECT_ROOT, Settings, get_settings


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("dev")(dev)


def prepare(settings: Settings) -> Path:
    """Make $DAGSTER_HOME (default: `dagster/` in the data folder) with the project's `dagster.yaml`; return it.

    The storage is opened once here: two processes that open a new SQLite home at once can break its migration.
    """
    home = Path(os.environ.get("DAGSTER_HOME") or settings.data_dir / "dagster").resolve()
    home.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(PROJECT_ROOT / "dagster.yaml", home / "dagster.yaml")
    os.environ["DAGSTER_HOME"] = str(home)

    import dagster as dg

    with dg.DagsterInstance.get() as instance:
        instance.get_runs_count()
    return home


def dev(
    port: Annotated[int, typer.Option(help="Port of the Dagster UI on 127.0.0.1.", min=1, max=65535)] = 3000,
) -> None:
    """Open the Dagster UI, with sensors and schedules running, until Ctrl-C."""
    settings = get_settings()
    home = prepare(settings)
    for folder in ("users", "orders"):
        (settings.incoming_dir / folder).mkdir(parents=True, exist_ok=True)
    typer.echo(f"Dagster UI:       http://127.0.0.1:{port}")
    typer.echo(f"Drop files into:  {settings.incoming_dir}/users and {settings.incoming_dir}/orders")
    typer.echo(f"Runs are kept in: {home}\n")
    sys.stdout.flush()
    # This interpreter's Dagster, whatever the caller's PATH says, without its hint that a tool called `dg` exists too.
    dagster = [sys.executable, "-W", "ignore:Function `dev_command`", "-m", "dagster"]
    workspace = str(PROJECT_ROOT / "workspace.yaml")
    # In this process's place, so that whoever stops it stops Dagster; from its home, whose dagster.yaml it reads.
    os.chdir(home)
    os.execv(sys.executable, [*dagster, "dev", "-w", workspace, "--host", "127.0.0.1", "--port", str(port)])  # noqa: S606
