"""Tokens for the REST API and the dashboard: add, list, revoke."""

from dataclasses import asdict
from enum import Enum
from typing import Annotated

import typer

from engagement_pipeline.cli.output import Json, emit, table
from engagement_pipeline.platform.errors import BadInputError


class _Scope(str, Enum):
    read = "read"
    write = "write"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    tokens = typer.Typer(help="Tokens for the REST API and the dashboard.", no_args_is_help=True)
    tokens.command("add")(add)
    tokens.command("list")(list_)
    tokens.command("revoke")(revoke)
    app.add_typer(tokens, name="tokens")


def add(
    name: Annotated[str, typer.Argument(help="Who will use it, such as shop-backend: the audit log names it.")],
    scope: Annotated[_Scope, typer.Option(help="read only looks; write includes read.")] = _Scope.read,
    as_json: Json = False,
) -> None:
    """Make a token and show it, this once. From the first one on, nothing is answered without."""
    from engagement_pipeline.pipeline import Pipeline
    from engagement_pipeline.platform.audit import AuditEntry
    from engagement_pipeline.platform.settings import get_settings
    from engagement_pipeline.web.security import tokens

    pipeline = Pipeline(get_settings())
    now = pipeline.now()
    with pipeline.database.write() as connection:
        token = tokens.add(connection, name, scope.value, now)
        pipeline.audit.record(AuditEntry("cli", "token.added", "token", name, {"scope": scope.value}, now))

    def render() -> None:
        typer.echo(token)
        typer.echo("Keep it safe: it is not shown again. Send it as  Authorization: Bearer <token>", err=True)

    emit({"name": name, "scope": scope.value, "token": token}, as_json, render)


def list_(as_json: Json = False) -> None:
    """Show which tokens there are and when they were last used; the tokens themselves nobody can show."""
    from engagement_pipeline.pipeline import Pipeline
    from engagement_pipeline.platform.settings import get_settings
    from engagement_pipeline.web.security import tokens

    with Pipeline(get_settings()).database.read() as connection:
        found = tokens.list_tokens(connection)

    def render() -> None:
        rows = [
            (each.name, each.scope, *("" if at is None else f"{at:%Y-%m-%d %H:%M}" for at in _moments(each)))
            for each in found
        ]
        table("Tokens", ["name", "scope", "made (UTC)", "last used (UTC)", "revoked (UTC)"], rows)

    def _moments(token: tokens.Token) -> tuple[object, ...]:
        return token.created_at, token.last_used_at, token.revoked_at

    emit({"tokens": [asdict(each) for each in found]}, as_json, render)


def revoke(
    name: Annotated[str, typer.Argument(help="The token's name.")],
    as_json: Json = False,
) -> None:
    """Make a token useless at once, and end the sessions that began with it."""
    from engagement_pipeline.pipeline import Pipeline
    from engagement_pipeline.platform.audit import AuditEntry
    from engagement_pipeline.platform.settings import get_settings
    from engagement_pipeline.web.security import tokens

    pipeline = Pipeline(get_settings())
    now = pipeline.now()
    with pipeline.database.write() as connection:
        if not tokens.revoke(connection, name, now):
            raise BadInputError(f"there is no token named {name} that is of use: engagement tokens list")
        pipeline.audit.record(AuditEntry("cli", "token.revoked", "token", name, {}, now))
    emit({"name": name, "revoked": True}, as_json, lambda: typer.echo(f"{name} is of no use any more"))
