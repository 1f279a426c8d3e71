"""Sending from the command line, and what a person has to decide about deliveries."""

from dataclasses import asdict
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import typer

from engagement_pipeline.cli.output import Json, bars, emit, progress_of_total, table
from engagement_pipeline.platform.errors import BadInputError

if TYPE_CHECKING:
    from engagement_pipeline.delivery.send_report import SendReport

_LONGEST_NOTE = 200
_FAILURE = 1


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("send")(send)
    deliveries = typer.Typer(
        help="Resolve what nobody can tell, rebuild, and go on after a stop.", no_args_is_help=True
    )
    deliveries.command("unknown")(unknown)
    deliveries.command("resolve")(resolve)
    deliveries.command("replay")(replay)
    deliveries.command("resume")(resume)
    app.add_typer(deliveries, name="deliveries")


class Resolution(str, Enum):
    """What a person can find out about an unknown e-mail."""

    sent = "sent"
    failed = "failed"


def send(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be sent; change nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Send what is queued and due. Sending twice never repeats an e-mail.

    Ends with exit code 1 where the campaign had to stop before its end; what is left stays queued.
    """
    from engagement_pipeline.pipeline import Pipeline
    from engagement_pipeline.platform.settings import get_settings

    settings = get_settings()
    if dry_run:
        settings = settings.model_copy(update={"send_mode": "dry_run"})
    with progress_of_total("Sending", "e-mails", quiet=as_json) as tell:
        report = Pipeline(settings).send(lambda so_far: tell(so_far.done, so_far.eligible))
    emit(asdict(report), as_json, lambda: _show(report))
    if report.stopped:
        raise typer.Exit(_FAILURE)


def unknown(
    limit: Annotated[int, typer.Option(help="How many of the oldest to show.", min=1)] = 50, as_json: Json = False
) -> None:
    """List e-mails of which nobody can tell whether they were sent. They are never sent again by themselves.

    Look in the provider's console or the server's log for the e-mail's id, then `engagement deliveries resolve`.
    """
    from engagement_pipeline.delivery.unknowns import count_unknown, list_unknown
    from engagement_pipeline.pipeline import Pipeline
    from engagement_pipeline.platform.settings import get_settings

    with Pipeline(get_settings()).database.read() as connection:
        number = count_unknown(connection).number
        oldest = [asdict(each) for each in list_unknown(connection, limit)]

    def render() -> None:
        rows = [
            (each["email_id"], f"{each['sent_at']:%Y-%m-%d %H:%M}", each["campaign"], each["provider"], each["reason"])
            for each in oldest
        ]
        header = ["e-mail", "handed over (UTC)", "campaign", "provider", "why"]
        # Ids are copied from here into `resolve`.
        table(f"{number:,} unknown e-mails", header, rows, whole=["e-mail"])

    emit({"number": number, "oldest": oldest}, as_json, render)


def resolve(
    email_id: Annotated[str, typer.Argument(help="As `engagement deliveries unknown` shows it.")],
    became: Annotated[Resolution, typer.Argument(help="What became of it.")],
    note: Annotated[str, typer.Option(help="How you know; kept with the e-mail. No address or name.")] = "",
    as_json: Json = False,
) -> None:
    """Say what became of an unknown e-mail. `failed` does not send it again, but lets the user be written to sooner."""
    from engagement_pipeline.delivery import unknowns
    from engagement_pipeline.pipeline import Pipeline
    from engagement_pipeline.platform.settings import get_settings

    note = " ".join(note.split())
    if "@" in note or len(note) > _LONGEST_NOTE:
        raise BadInputError(f"the note must hold no address, and at most {_LONGEST_NOTE} characters")
    pipeline = Pipeline(get_settings())
    word: unknowns.Became = "sent" if became is Resolution.sent else "failed"
    if not unknowns.resolve(pipeline.stores, email_id, word, note, pipeline.now()):
        raise BadInputError(f"{email_id} is not the id of an e-mail that is unknown")
    emit(
        {"email_id": email_id, "status": became.value},
        as_json,
        lambda: typer.echo(f"{email_id} is {became.value} now"),
    )


def replay(as_json: Json = False) -> None:
    """Work out the status of every e-mail again from its events; says how many differed."""
    from engagement_pipeline.delivery.feedback.replay import replay as replay_events
    from engagement_pipeline.pipeline import Pipeline
    from engagement_pipeline.platform.settings import get_settings

    pipeline = Pipeline(get_settings())
    report = replay_events(pipeline.database, pipeline.ledger, pipeline.now())
    emit(
        asdict(report),
        as_json,
        lambda: typer.echo(f"{report.rows:,} e-mails worked out again, {report.changed:,} of them differed"),
    )


def resume(
    yes: Annotated[bool, typer.Option("--yes", help="I have looked into it: go on.")] = False, as_json: Json = False
) -> None:
    """Let sending go on after too much bounced or too many complained. Counts anew from now."""
    from engagement_pipeline.delivery import breaker
    from engagement_pipeline.pipeline import Pipeline
    from engagement_pipeline.platform.settings import get_settings

    pipeline = Pipeline(get_settings())
    with pipeline.database.write() as connection:
        reason = breaker.tripped(connection)
        if reason and not yes:
            raise BadInputError(f"sending has stopped: {reason}. Find out why, then add --yes to go on")
        breaker.reset(connection, pipeline.now())
    sentence = f"sending may go on; it had stopped: {reason}" if reason else "sending has not stopped"
    emit({"resumed": reason is not None, "reason": reason}, as_json, lambda: typer.echo(sentence))


def _show(report: "SendReport") -> None:
    counts = {"sent": report.sent, "waiting": report.waiting, "failed": report.failed, "unknown": report.unknown}
    table("Would be sent" if report.dry_run else "Sent", list(counts), [list(counts.values())])
    if report.skipped_by_reason:
        bars("Skipped at the moment of sending", "reason", report.skipped_by_reason)
    if report.throttled:
        typer.echo(f"The provider asked {report.throttled:,} times to go slower; nothing was lost.")
    if report.held_back:
        typer.echo(f"The rest goes another day: {report.held_back}.")
    if report.unknown:
        typer.echo("Nobody can tell whether some were sent: `engagement deliveries unknown` lists them.")
    if report.unapproved:
        from engagement_pipeline.delivery.approving import in_words

        typer.echo(f"{in_words(report.unapproved)}.")
    if report.stopped:
        typer.echo(f"Stopped before the end: {report.stopped}. {report.waiting:,} e-mails stay queued.")
