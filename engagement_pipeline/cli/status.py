"""How everything stands, from the operational store alone: it answers while a run has the warehouse."""

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import typer

from engagement_pipeline.cli.output import Json, bars, emit, table

if TYPE_CHECKING:
    import sqlalchemy as sa

    from engagement_pipeline.pipeline import Pipeline

FAILURES_SHOWN_DAYS = 7


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("status")(status)


def status(as_json: Json = False) -> None:
    """Show users by band, e-mails by status, what keeps sending back, refused records, and recent failed runs."""
    import sqlalchemy as sa

    from engagement_pipeline.delivery.approving import in_words
    from engagement_pipeline.pipeline import Pipeline
    from engagement_pipeline.platform import run_failures
    from engagement_pipeline.platform.settings import get_settings
    from engagement_pipeline.scoring.tables import scores
    from engagement_pipeline.users.rejects import count_by_reason

    pipeline = Pipeline(get_settings())
    with pipeline.database.read() as connection:
        by_band = sa.select(scores.c.band, sa.func.count().label("users")).group_by(scores.c.band)
        result: dict[str, Any] = {
            "users_by_band": {row.band: row.users for row in connection.execute(by_band)},
            "emails_by_status": pipeline.ledger.count_by_status(pipeline.settings.campaign),
            "copy_by": "templates" if pipeline.why_template else pipeline.settings.copywriting.model,
            "why_templates": pipeline.why_template,
            "unapproved": pipeline.ledger.count_unapproved(pipeline.settings.campaign),
            **_sending(pipeline, connection),
            "rejected_by_reason": count_by_reason(connection),
            "failed_runs": [
                row._asdict()
                for row in run_failures.since(connection, pipeline.now() - timedelta(days=FAILURES_SHOWN_DAYS))
            ],
        }

    def render() -> None:
        bars("Users by band", "band", result["users_by_band"])
        bars("E-mails by status", "status", result["emails_by_status"])
        why = f" ({result['why_templates']})" if result["why_templates"] else ""
        typer.echo(f"Copy is written by {result['copy_by']}{why}")
        if result["unapproved"]:
            typer.echo(f"{in_words(result['unapproved'])}.")
        _show_sending(result)
        if result["rejected_by_reason"]:
            bars("Refused records", "reason", result["rejected_by_reason"])
        if result["failed_runs"]:
            rows = [(f"{row['failed_at']:%Y-%m-%d %H:%M}", row["job"], row["error"]) for row in result["failed_runs"]]
            table("Failed runs of the last week", ["when (UTC)", "job", "error"], rows)

    emit(result, as_json, render)


def _sending(pipeline: "Pipeline", connection: "sa.Connection") -> dict[str, Any]:
    from engagement_pipeline.delivery import breaker, warm_up
    from engagement_pipeline.delivery.reputation import sent_since
    from engagement_pipeline.delivery.unknowns import count_unknown

    settings, now = pipeline.settings, pipeline.now()
    warming_up = None
    if settings.send_mode == "live" and settings.delivery.warm_up and settings.delivery.provider:
        provider = settings.delivery.provider
        warming_up = {
            "provider": provider,
            "cap_today": warm_up.current_cap(connection, provider, now),
            "sent_today": sent_since(connection, provider, warm_up.midnight(now)),
        }
    unknown = count_unknown(connection)
    return {
        "unknown": {"number": unknown.number, "oldest": unknown.oldest},
        "stopped": breaker.tripped(connection),
        "warm_up": warming_up,
    }


def _show_sending(result: dict[str, Any]) -> None:
    if result["stopped"]:
        typer.echo(f"Sending has stopped: {result['stopped']}. To go on: engagement deliveries resume")
    if unknown := result["unknown"]["number"]:
        typer.echo(f"Nobody can tell whether {unknown:,} e-mails were sent: engagement deliveries unknown")
    if day := result["warm_up"]:
        typer.echo(f"Warming up {day['provider']}: {day['sent_today']:,} of {day['cap_today']:,} e-mails sent today")
