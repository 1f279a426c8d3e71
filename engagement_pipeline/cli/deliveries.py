"""Sending from the command line, and how the e-mails stand."""

from dataclasses import asdict
from typing import Annotated

import typer

from engagement_pipeline.cli.output import Json, bars, emit, progress, running_total, table


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("send")(send)


def send(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be sent; change nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Send what is queued and due. Sending twice never repeats an e-mail."""
    from engagement_pipeline.pipeline import Pipeline
    from engagement_pipeline.platform.settings import get_settings

    settings = get_settings()
    if dry_run:
        settings = settings.model_copy(update={"send_mode": "dry_run"})
    with progress("Sending", "e-mails", quiet=as_json) as advance:
        report = Pipeline(settings, on_sending=running_total(advance)).send()

    def render() -> None:
        counts = {"sent": report.sent, "waiting": report.waiting, "failed": report.failed, "unknown": report.unknown}
        table("Would be sent" if report.dry_run else "Sent", list(counts), [list(counts.values())])
        if report.skipped_by_reason:
            bars("Skipped at the moment of sending", "reason", report.skipped_by_reason)
        if report.stopped:
            typer.echo(f"Stopped before the end: {report.stopped}")

    emit(asdict(report), as_json, render)
