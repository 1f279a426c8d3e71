"""One user's e-mail on a page: what it says, why, at what price, and whether it would go."""

import hashlib
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engagement_pipeline.cli.output import Json, emit
from engagement_pipeline.platform.errors import BadInputError

if TYPE_CHECKING:
    from engagement_pipeline.platform.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("preview")(preview)


def preview(
    user: Annotated[str, typer.Option(help="The user's id.")],
    variant: Annotated[str | None, typer.Option(help="Another style than the user's own.")] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Write anew, even where an e-mail waits.")] = False,
    out: Annotated[Path | None, typer.Option(help="Where to write the page; default: the folder `preview`.")] = None,
    open_it: Annotated[bool, typer.Option("--open/--no-open", help="Show the page in a browser.")] = False,
    as_json: Json = False,
) -> None:
    """Show one user's e-mail as it would be now: text, brief, prompt, price, and whether it would be sent.

    Sends nothing and leaves no e-mail waiting. One that waits for the user is shown as it is; where none does, it is
    written, which costs what a text costs where a model writes.
    """
    from engagement_pipeline.copywriting.preview import preview_page
    from engagement_pipeline.pipeline import Pipeline
    from engagement_pipeline.platform.settings import get_settings

    settings = get_settings()
    shown = Pipeline(settings).preview(user, variant, fresh=fresh)
    path = out or settings.preview_dir / f"{hashlib.sha256(user.encode()).hexdigest()[:16]}.html"
    _write(path, preview_page(shown))
    link = _link(settings, path)
    if open_it:
        typer.launch(path.resolve().as_uri())

    def render() -> None:
        typer.echo(f"{shown.email.subject}\n{shown.email.preheader}\n\n{shown.email.text}")
        typer.echo(f"{'It would be sent now.' if shown.may_go else 'It would not be sent now.'}")
        for sentence in (*shown.verdict, shown.origin, shown.cost):
            typer.echo(sentence)
        typer.echo(f"The page is in {path}")
        if link:
            typer.echo(f"For an hour it is read at {link}")

    result = {**asdict(shown), "brief": shown.brief.model_dump(mode="json"), "facts": dict(shown.facts)}
    emit({**result, "page": str(path), "link": link}, as_json, render)


def _link(settings: "Settings", path: Path) -> str | None:
    """Return where others can read the page; None where settings name no bucket for that."""
    if not settings.files_bucket:
        return None
    from engagement_pipeline.platform import bucket

    key = f"{bucket.PREVIEWS}{path.name}"
    bucket.keep(settings, path, key)
    return bucket.link(settings, key)


def _write(path: Path, page: str) -> None:
    """Write the page for this account alone: it greets the user by name.

    Raises:
        BadInputError: it cannot be written there.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(page)
    except OSError as error:
        raise BadInputError(f"{path} cannot be written: {error.strerror}") from error
