"""The tables on DynamoDB, where settings name them."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engagement_pipeline.cli.output import Json, emit, progress, table
from engagement_pipeline.platform.errors import BadInputError

if TYPE_CHECKING:
    from engagement_pipeline.changes.events import Entity

_ENTITIES: dict[str, "Entity"] = {
    "users": "user",
    "orders": "order",
    "emails": "email",
    "addresses": "address",
    "audit": "audit",
}


def register(app: typer.Typer) -> None:
    """Add the commands."""
    tables = typer.Typer(help="Look after the tables on DynamoDB.", no_args_is_help=True)
    tables.callback()(_together)
    tables.command("load")(load)
    app.add_typer(tables, name="tables")


def _together() -> None:
    """Keep `load` a command of its own: a group of one would lose its name."""


def load(
    export: Annotated[
        list[str] | None,
        typer.Option(
            help="A table and where an export of it lies, such as users=s3://bucket/AWSDynamoDB/<id>/; may be given "
            "for several. Without any, all tables are scanned."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Bring what the tables on DynamoDB hold into the operational store: once, before the first run, or to mend it."""
    from engagement_pipeline.changes import first_load
    from engagement_pipeline.pipeline import Pipeline
    from engagement_pipeline.platform.settings import get_settings

    exports = dict(map(_named, export or []))
    pipeline = Pipeline(get_settings())
    with progress("Loading tables", "items", quiet=as_json) as advance:
        reports = first_load.load(pipeline.settings, pipeline.database, pipeline.now, exports, advance)
    result: dict[str, Any] = {name: asdict(reports[of]) for name, of in _ENTITIES.items() if of in reports}

    def render() -> None:
        rows = [[name, *counts.values()] for name, counts in result.items()]
        table("Loaded", ["table", "read", "written", "rejected", "removed"], rows)
        if any(counts["rejected"] for counts in result.values()):
            typer.echo("Refused records are kept: `engagement rejected` shows them with the reason.")

    emit(result, as_json, render)


def _named(export: str) -> "tuple[Entity, str]":
    name, _, location = export.partition("=")
    if name not in _ENTITIES or not location:
        raise BadInputError(f"--export: {export} is not <table>=<location>; tables are {', '.join(_ENTITIES)}")
    return _ENTITIES[name], location
