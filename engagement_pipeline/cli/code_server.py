"""Where Dagster's daemon and pages run elsewhere: a server of the definitions, in which sensors and runs happen."""

import os
import sys
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("code-server")(code_server)


def code_server(
    host: Annotated[str, typer.Option(help="Address to listen on; it has no login of its own.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.", min=1, max=65535)] = 4000,
) -> None:
    """Serve the definitions to Dagster's daemon and pages, until it is stopped. One at a time: runs happen in here.

    Runs that an earlier one has left behind are ended first; they would hold the warehouse's place for ever.
    """
    from engagement_pipeline.cli.dagster_home import end_abandoned_runs
    from engagement_pipeline.platform.settings import get_settings

    get_settings().incoming_dir.mkdir(parents=True, exist_ok=True)

    import dagster as dg

    with dg.DagsterInstance.get() as instance:
        ended = end_abandoned_runs(instance)
    if ended:
        typer.echo(f"{ended} runs of an earlier server were ended", err=True)
    sys.stderr.flush()
    # Sensors wait in there for changes; there must be workers left for everything else.
    serve = ["-m", "dagster", "api", "grpc", "--module-name", "engagement_pipeline.definitions", "--max-workers", "16"]
    # In this process's place, so that whoever stops it stops the server.
    os.execv(sys.executable, [sys.executable, *serve, "--host", host, "--port", str(port)])  # noqa: S606
