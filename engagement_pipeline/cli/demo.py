"""`engagement demo`: the whole pipeline on the real sample, or on one's own files, without any account."""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engagement_pipeline.cli.dagster_home import prepare
from engagement_pipeline.cli.output import Json, bars, emit, progress, progress_of_total
from engagement_pipeline.platform.settings import PROJECT_ROOT, Settings, get_settings

if TYPE_CHECKING:
    from engagement_pipeline.pipeline import Pipeline

SAMPLE = PROJECT_ROOT / "data" / "cdnow" / "orders.csv.gz"
# Where `engagement web` listens by default.
WEB = "http://127.0.0.1:8000"
HISTORY_DAYS = 28
BANDS = ("critical", "at_risk", "moderate", "good")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("demo")(demo)


def demo(
    orders: Annotated[Path | None, typer.Option(help="Your own orders instead of the sample.")] = None,
    users: Annotated[
        Path | None, typer.Option(help="Your own users; without it they are made up from the ids.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Run everything once: import, score, decide, write, "send" to a folder, measure. Needs no account.

    A second run sends nothing new.
    """
    # Imported here: every other command would pay for it.
    from engagement_pipeline.pipeline import Pipeline
    from engagement_pipeline.users.sample import load_sample

    settings = demo_settings(get_settings())
    prepare(settings)
    pipeline = Pipeline(settings)
    now = pipeline.now()
    with progress("Importing users and orders", "records", quiet=as_json) as advance:
        sample = load_sample(
            pipeline.store, orders or SAMPLE, users, now.date(), now, advance, move_to_present=orders is None
        )
    claim_changes(pipeline)
    already_sent = len(outbox(settings))
    with progress("Scoring, deciding, writing", "steps", quiet=as_json) as advance:
        run_job(pipeline, "refresh_engagement", advance)
        run_job(pipeline, "record_score_history", advance, recent_days(settings, now.date()))
    with progress_of_total("Sending to the outbox", "e-mails", quiet=as_json) as tell:
        sending = Pipeline(settings, on_sending=lambda report: tell(report.done, report.eligible))
        run_job(sending, "send_emails")
    result = {
        "imported": asdict(sample),
        **summary(pipeline),
        "copy": f"from templates; {pipeline.why_template}" if pipeline.why_template else settings.copywriting.model,
        "unapproved": pipeline.ledger.count_unapproved(settings.campaign),
        "outbox": {"emails": len(outbox(settings)), "new": len(outbox(settings)) - already_sent},
    }
    emit(result, as_json, lambda: show(result, settings))


def demo_settings(settings: Settings) -> Settings:
    """The demo sends at any hour: a newcomer at midnight should see e-mails too, and nothing leaves the machine.

    Its links lead to `engagement web` on this machine, unless settings name another place; where a model writes, it
    costs at most a dollar, unless settings name another budget, and answers at once: batches would come hours later.
    """
    open_all_day = settings.gate.model_copy(update={"sending_hour_from": 0, "sending_hour_to": 24})
    links = settings.delivery.model_copy(update={"public_url": settings.delivery.public_url or WEB})
    at_once = {"budget_usd": settings.copywriting.budget_usd or 1.0, "batch_above": None}
    writing = settings.copywriting.model_copy(update=at_once)
    changes = {"gate": open_all_day, "delivery": links, "copywriting": writing, "send_mode": "outbox"}
    return settings.model_copy(update=changes)


def claim_changes(pipeline: "Pipeline") -> None:
    """Tell the sensors that what changed so far needs no reaction: the runs that follow process it."""
    from engagement_pipeline.defs.assets import REACTION
    from engagement_pipeline.platform import change_claims, change_log

    with pipeline.database.write() as connection:
        change_claims.claim(connection, REACTION, change_log.newest(connection, 0) or 0, pipeline.now())


def recent_days(settings: Settings, today: date) -> dict[str, str]:
    """Return the tags by which Dagster writes several days of the history in one run, so that there is one to see."""
    first = max(settings.history_from, today - timedelta(days=HISTORY_DAYS))
    days = {"start": min(first, today), "end": today}
    return {f"dagster/asset_partition_range_{end}": day.isoformat() for end, day in days.items()}


def run_job(
    pipeline: "Pipeline",
    name: str,
    on_step: Callable[[int], None] = lambda _: None,
    tags: Mapping[str, str] | None = None,
) -> None:
    """Run a job in this process, on the instance that the Dagster UI shows afterwards.

    Raises:
        RuntimeError: the run failed; names the step.
    """
    import dagster as dg

    from engagement_pipeline.definitions import build_defs
    from engagement_pipeline.defs.sensors import error_class
    from engagement_pipeline.platform import run_marks

    @dg.success_hook
    def count_step(_context: dg.HookContext) -> None:
        on_step(1)

    job = build_defs(pipeline.settings, {"pipeline": pipeline}).resolve_job_def(name).with_hooks({count_step})
    with dg.DagsterInstance.get() as instance:
        result = job.execute_in_process(
            instance=instance,
            raise_on_error=False,
            tags=dict(tags or {}),
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        )
    if not result.success:
        failures = [event for event in result.all_events if event.is_step_failure]
        failed = ", ".join(f"{event.step_key} ({error_class(event.step_failure_data.error)})" for event in failures)
        raise RuntimeError(f"{name} failed in {failed}; `make dev` shows the run with its log")
    # No sensor hears of this run: they begin with what ends after their own start.
    with pipeline.database.write() as connection:
        run_marks.record(connection, name, succeeded=True, ended_at=pipeline.now())


def outbox(settings: Settings) -> list[Path]:
    """Return the e-mails in the outbox folder."""
    return list(settings.outbox_dir.glob("*.eml"))


def summary(pipeline: "Pipeline") -> dict[str, Any]:
    """Read the counts that a newcomer wants to see from the warehouse."""

    def counts(query: str) -> dict[str, int]:
        return dict(con.execute(query).fetchall())

    with pipeline.warehouse(read_only=True) as con:
        return {
            "users_by_band": counts("SELECT band, count(*) FROM engagement_scores GROUP BY 1"),
            "decisions_by_reason": counts(
                "SELECT decision || ': ' || reason, count(*) FROM at_risk_cohorts GROUP BY 1 ORDER BY 2 DESC"
            ),
            "emails_by_status": counts("SELECT status, count(*) FROM email_deliveries GROUP BY 1 ORDER BY 2 DESC"),
            "rejected_by_reason": counts("SELECT reason, count(*) FROM rejected_records GROUP BY 1 ORDER BY 2 DESC"),
            "effect": [
                row[0]
                for row in con.execute(
                    "SELECT sentence FROM campaign_effectiveness WHERE segment_kind = 'campaign'"
                ).fetchall()
            ],
        }


def show(result: dict[str, Any], settings: Settings) -> None:
    """Print the summary for people."""
    users, orders, emails = result["imported"]["users"], result["imported"]["orders"], result["emails_by_status"]
    typer.echo(
        f"\nRead {users['read']:,} users and {orders['read']:,} orders, {users['created'] + orders['created']:,} of "
        f"them new; refused {users['rejected'] + orders['rejected']:,}.\n"
    )
    bars("Users by band", "band", {band: result["users_by_band"].get(band, 0) for band in BANDS})
    bars("What was decided about those below the threshold, and why", "decision: reason", result["decisions_by_reason"])
    bars("E-mails by status", "status", emails)
    held, written = emails.get("held_out", 0), sum(emails.values())
    if written:
        typer.echo(
            f"Hold-out: {held:,} of {written:,} ({held / written:.1%}) are not written to, to measure the effect."
        )
    for sentence in result["effect"]:
        typer.echo(f"Effect: {sentence}")
    typer.echo(f"Outbox: {result['outbox']['emails']:,} e-mails, {result['outbox']['new']:,} of them new.\n")
    typer.echo(f"Copy: {result['copy']}\n")
    if result["unapproved"]:
        from engagement_pipeline.delivery.approving import in_words

        typer.echo(f"{in_words(result['unapproved'])}\n")
    typer.echo("Where to look next")
    typer.echo(f"  the e-mails          {settings.outbox_dir} (any mail program opens them)")
    typer.echo("  the dashboard        make dev, then http://127.0.0.1:8000 (also what is behind the e-mails' links)")
    typer.echo("  the REST API         make dev, then http://127.0.0.1:8000/api/docs")
    typer.echo("  lineage and runs     make dev, then http://127.0.0.1:3000")
    typer.echo("  what they say        .venv/bin/engagement copy sample")
    typer.echo("  one user's e-mail    .venv/bin/engagement preview --user cdnow-00042")
    typer.echo("  one user's score     .venv/bin/engagement explain cdnow-00042")
    typer.echo(
        "  proof of the score   .venv/bin/engagement backtest --orders data/cdnow/orders.csv.gz --plot backtest.png"
    )
    typer.echo('  your own files       make demo ARGS="--orders my.csv --users my.csv"')
