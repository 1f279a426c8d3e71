"""The web server: the dashboard, the REST API, and what recipients of e-mails and the provider reach."""

import os
import threading
from typing import TYPE_CHECKING, Annotated, Final

import typer

from engagement_pipeline.platform.errors import BadInputError

if TYPE_CHECKING:
    import uvicorn

    from engagement_pipeline.pipeline import Pipeline

_FAILURE: Final = 1


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("web")(web)


def web(
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 for all.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.", min=1, max=65535)] = 8000,
    until_closed: Annotated[int | None, typer.Option(hidden=True, help="A pipe whose end is this server's.")] = None,
) -> None:
    """Serve the dashboard, the REST API, and the links of the e-mails, until Ctrl-C.

    Put a proxy in front of it that speaks https, and set ENGAGEMENT_DELIVERY__PUBLIC_URL to the proxy's address.
    """
    import uvicorn

    from engagement_pipeline.pipeline import Pipeline
    from engagement_pipeline.platform.settings import get_settings
    from engagement_pipeline.web.app import create_app

    pipeline = Pipeline(get_settings())
    _take_first_token(pipeline)
    app = create_app(pipeline)
    typer.echo(_check_who_is_let_in(pipeline, host), err=True)
    shown = "127.0.0.1" if host == "0.0.0.0" else f"[{host}]" if ":" in host else host  # noqa: S104 - compared only
    typer.echo(f"Dashboard: http://{shown}:{port}/   API: http://{shown}:{port}/api/docs", err=True)
    # No access log: it would hold the addresses that were asked for, and with them the tokens.
    server = uvicorn.Server(uvicorn.Config(app, host, port, access_log=False, server_header=False))
    if until_closed is not None:
        threading.Thread(target=_stop_when_closed, args=(server, until_closed), daemon=True).start()
    server.run()
    if not server.started:
        raise typer.Exit(_FAILURE)


def _take_first_token(pipeline: "Pipeline") -> None:
    token = pipeline.settings.web.first_token.get_secret_value()
    if not token:
        return
    from engagement_pipeline.platform.audit import AuditEntry
    from engagement_pipeline.web.security import tokens

    now = pipeline.now()
    with pipeline.database.write() as connection:
        if tokens.add_first(connection, token, now):
            pipeline.audit.record(AuditEntry("system", "token.added", "token", "first", {"scope": "write"}, now))


def _stop_when_closed(server: "uvicorn.Server", pipe: int) -> None:
    os.read(pipe, 1)
    server.should_exit = True


def _check_who_is_let_in(pipeline: "Pipeline", host: str) -> str:
    """Say who will be let in.

    Raises:
        BadInputError: others than this machine could come in without having shown anything.
    """
    from engagement_pipeline.platform.settings import DEVELOPMENT_KEY
    from engagement_pipeline.web.security import hosts, tokens

    with pipeline.database.read() as connection:
        needs_token = tokens.are_needed(connection)
    if not hosts.is_loopback(host):
        if not needs_token:
            raise BadInputError(
                f"without a token only this machine is served, not {host}: first make one with "
                "engagement tokens add NAME --scope write"
            )
        if pipeline.secret_key == DEVELOPMENT_KEY:
            raise BadInputError(
                f"the development key is published with the source, so that anybody could sign links and sessions: set "
                f"ENGAGEMENT_SECRET_KEY to one of your own before you listen on {host}"
            )
    if needs_token:
        return "API and dashboard want a token: engagement tokens list"
    return "No token: API and dashboard answer on this machine only (engagement tokens add NAME --scope write)"
