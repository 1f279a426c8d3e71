"""What a person may ask for: everything that is known about them, or to be forgotten."""

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from engagement_pipeline.cli.output import Json, emit
from engagement_pipeline.platform.errors import BadInputError

_ACTOR = "cli"
_NOT_FINISHED = 1
_NOBODY = "nothing is known of a user with this id"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    users = typer.Typer(help="Give a person everything that is known about them, or forget them.", no_args_is_help=True)
    users.command("export")(export)
    users.command("erase")(erase)
    app.add_typer(users, name="users")


def export(
    user_id: Annotated[str, typer.Argument(help="The shop's id of the user.")],
    path: Annotated[
        Path | None, typer.Option("--to", help="The file to write, which only you may read; without it, the screen.")
    ] = None,
) -> None:
    """Write everything that is known about a person as JSON."""
    from engagement_pipeline.delivery.export import export_person
    from engagement_pipeline.pipeline import Pipeline
    from engagement_pipeline.platform.audit import AuditEntry
    from engagement_pipeline.platform.settings import get_settings

    pipeline = Pipeline(get_settings())
    known = export_person(pipeline.database, user_id)
    if known is None:
        raise BadInputError(_NOBODY)
    pipeline.audit.record(AuditEntry(_ACTOR, "user.exported", "user", user_id, {}, pipeline.now()))
    text = json.dumps(known, indent=2, ensure_ascii=False)
    if path is None:
        typer.echo(text)
        return
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        # One that existed keeps its rights otherwise.
        path.chmod(0o600)
        file.write(text)
    typer.echo(f"Written to {path}")


def erase(
    user_id: Annotated[str, typer.Argument(help="The shop's id of the user.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask: it cannot be undone.")] = False,
    as_json: Json = False,
) -> None:
    """Forget a person: nothing that is kept says who they were, and nobody writes to them again.

    Ends with exit code 1 where something is left to do; the nightly housekeeping, or asking again, finishes it.
    """
    from engagement_pipeline.delivery import erasure
    from engagement_pipeline.pipeline import Pipeline
    from engagement_pipeline.platform.settings import get_settings

    if not yes:
        typer.confirm(f"Erase the user {user_id} for good?", abort=True)
    pipeline = Pipeline(get_settings())
    report = erasure.erase(pipeline.stores, pipeline.settings, user_id, _ACTOR, pipeline.now())
    if not report.found:
        raise BadInputError(_NOBODY)

    def render() -> None:
        typer.echo(
            f"Deleted: the user, {report.orders:,} orders, {report.files:,} files. Made anonymous: {report.emails:,} "
            f"e-mails, {report.events:,} events, {report.rejected_records:,} refused records. Never written to again: "
            f"{report.suppressed:,} addresses."
        )
        if report.same_address:
            typer.echo(f"The same address has: {', '.join(report.same_address)}")
        if report.left is not None:
            typer.echo(f"Not finished yet: {_LEFT[report.left]}")

    emit(asdict(report), as_json, render)
    if report.left is not None:
        raise typer.Exit(_NOT_FINISHED)


_LEFT = {
    "message_in_flight": "a message to this person is being sent. Ask again, or leave it to the nightly housekeeping.",
    "store_files": "the store's file may hold traces in places that are not in use. The nightly housekeeping clears "
    "them; asking again tries at once.",
}
