"""The web server that recipients of e-mails and the provider reach: unsubscribing, tracking, feedback."""

from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("web")(web)


def web(
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 for all.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.", min=1, max=65535)] = 8000,
) -> None:
    """Serve the links of the e-mails (unsubscribe, opens, clicks) and the provider's feedback, until Ctrl-C.

    Put a proxy in front of it that speaks https, and set ENGAGEMENT_DELIVERY__PUBLIC_URL to the proxy's address.
    """
    import uvicorn

    from engagement_pipeline.pipeline import Pipeline
    from engagement_pipeline.platform.settings import get_settings
    from engagement_pipeline.web.app import create_app

    app = create_app(Pipeline(get_settings()))
    # No access log: it would hold the addresses that were asked for, and with them the tokens.
    uvicorn.run(app, host=host, port=port, access_log=False, server_header=False)
