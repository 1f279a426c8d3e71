"""The list of addresses that must not be written to: look, add, remove, bring in, take out."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engagement_pipeline.cli.output import Json, bars, emit, progress, table
from engagement_pipeline.platform.errors import BadInputError

if TYPE_CHECKING:
    from engagement_pipeline.pipeline import Pipeline

_Address = Annotated[str, typer.Argument(help="The e-mail address, in any spelling, or its key.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    suppressions = typer.Typer(help="Addresses that must not be written to.", no_args_is_help=True)
    suppressions.command("list")(list_)
    suppressions.command("add")(add)
    suppressions.command("remove")(remove)
    suppressions.command("import")(import_)
    suppressions.command("export")(export)
    app.add_typer(suppressions, name="suppressions")


def list_(
    address: Annotated[str | None, typer.Option(help="Look for one address, or for its key.")] = None,
    reason: Annotated[str | None, typer.Option(help="Only of this reason, such as complaint.")] = None,
    source: Annotated[str | None, typer.Option(help="Only from this source, such as ses.")] = None,
    limit: Annotated[int, typer.Option(help="How many of the newest to show.", min=1)] = 20,
    as_json: Json = False,
) -> None:
    """Show who must not be written to and why. Addresses are known by their keys."""
    from engagement_pipeline.delivery import suppressions
    from engagement_pipeline.pipeline import Pipeline
    from engagement_pipeline.platform.settings import get_settings

    pipeline = Pipeline(get_settings())
    key = None if address is None else _key(pipeline, address)
    with pipeline.database.read() as connection:
        by_reason = suppressions.count_by_reason(connection)
        if key is None:
            found = suppressions.list_suppressions(connection, limit, reason=reason, source=source)
    if key is not None:
        one = pipeline.suppressions.find([key]).get(key)
        found = [one] if one and reason in (None, one.reason) and source in (None, one.source) else []

    def render() -> None:
        if address is None:
            bars("Suppressed addresses", "reason", by_reason)
        rows = [(each.address_key, each.reason, each.source, f"{each.suppressed_at:%Y-%m-%d %H:%M}") for each in found]
        title = "The newest" if address is None else "That address is on the list" if found else "Not on the list"
        table(title, ["address key", "reason", "source", "since (UTC)"], rows)

    emit({"by_reason": by_reason, "found": [asdict(each) for each in found]}, as_json, render)


def add(
    address: _Address,
    reason: Annotated[str, typer.Option(help="A code: small letters, digits and _.")] = "manual",
    as_json: Json = False,
) -> None:
    """Never write to an address again, whatever else says so."""
    from engagement_pipeline.delivery import suppressions
    from engagement_pipeline.pipeline import Pipeline
    from engagement_pipeline.platform.settings import get_settings

    if not suppressions.REASON.fullmatch(reason):
        raise BadInputError("the reason must be a code of at most 32 small letters, digits and _")
    pipeline = Pipeline(get_settings())
    key = _key(pipeline, address)
    now = pipeline.now()
    entry = suppressions.Suppression(key, reason, suppressions.PERSON, now)
    added = pipeline.suppressions.add([entry], now) == 1
    said = "is on the list now" if added else "was on the list already"
    emit({"address_key": key, "added": added}, as_json, lambda: typer.echo(f"{key} {said}"))


def remove(address: _Address, as_json: Json = False) -> None:
    """Take an address off the list, for instance after its owner has asked for it."""
    from engagement_pipeline.pipeline import Pipeline
    from engagement_pipeline.platform.settings import get_settings

    pipeline = Pipeline(get_settings())
    key = _key(pipeline, address)
    before = pipeline.suppressions.find([key]).get(key)
    removed = before is not None and pipeline.suppressions.remove(before, pipeline.now())
    said = f"is off the list; it was there for {before.reason} (from {before.source})" if before else "was not on it"
    emit({"address_key": key, "removed": removed}, as_json, lambda: typer.echo(f"{key} {said}"))


def import_(
    path: Annotated[Path, typer.Argument(help="A CSV file (also .gz) with a column email or address_key.")],
    as_json: Json = False,
) -> None:
    """Put the addresses of a file on the list. Optional columns: reason, source, suppressed_at.

    Importing the same file twice changes nothing; an address that is on the list keeps its reason.
    """
    from engagement_pipeline.delivery.suppression_files import import_suppressions
    from engagement_pipeline.pipeline import Pipeline
    from engagement_pipeline.platform.settings import get_settings

    pipeline = Pipeline(get_settings())
    with progress("Importing suppressions", "lines", quiet=as_json) as advance:
        report = import_suppressions(pipeline.stores, path, pipeline.secret_key, pipeline.now(), advance)
    result: dict[str, Any] = asdict(report)

    def render() -> None:
        names = ("read", "added", "known", "rejected")
        table(f"Suppressions from {path.name}", names, [[result[name] for name in names]])
        if report.rejected:
            typer.echo("Refused lines are kept: `engagement rejected` shows them with the reason.")
        if report.foreign_keys:
            typer.echo(
                f"{report.foreign_keys:,} keys are not those of their addresses: the file comes from a store with "
                "another secret key, and its lines without an address match nobody here."
            )

    emit(result, as_json, render)


def export(
    path: Annotated[Path, typer.Argument(help="The CSV file to write; one that exists is replaced.")],
    as_json: Json = False,
) -> None:
    """Write the list to a file that only you may read: it holds the addresses of users that are known."""
    from engagement_pipeline.delivery.suppression_files import export_suppressions
    from engagement_pipeline.pipeline import Pipeline
    from engagement_pipeline.platform.settings import get_settings

    with progress("Exporting suppressions", "lines", quiet=as_json) as advance:
        lines = export_suppressions(Pipeline(get_settings()).database, path, advance)
    emit({"lines": lines}, as_json, lambda: typer.echo(f"{lines:,} suppressions written to {path}"))


def _key(pipeline: "Pipeline", address: str) -> str:
    """Return the key of an address, under the store's own secret: under another it would be nobody's."""
    from engagement_pipeline.delivery import suppressions
    from engagement_pipeline.users.addresses import InvalidAddressError
    from engagement_pipeline.users.keys import check_secret_key

    with pipeline.database.write() as connection:
        check_secret_key(connection, pipeline.secret_key)
    try:
        return suppressions.key_of(address, pipeline.secret_key)
    except InvalidAddressError as error:
        raise BadInputError(f"that {error}") from None
