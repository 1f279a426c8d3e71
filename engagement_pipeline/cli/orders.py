"""Bringing users and orders in, and looking at what was refused."""

from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from engagement_pipeline.cli.output import Json, emit, progress, table

_FILE_HELP = "A CSV, Parquet or JSON Lines file (also .gz), or a folder of them."


def register(app: typer.Typer) -> None:
    """Add the commands."""
    importing = typer.Typer(help="Bring in users and orders from files.", no_args_is_help=True)
    importing.command("users")(import_users)
    importing.command("orders")(import_orders)
    app.add_typer(importing, name="import")
    app.command("add-order")(add_order)
    app.command("rejected")(rejected)


def import_users(path: Annotated[Path, typer.Argument(help=_FILE_HELP)], as_json: Json = False) -> None:
    """Import users. Importing the same file twice changes nothing."""
    _import("user", path, as_json)


def import_orders(path: Annotated[Path, typer.Argument(help=_FILE_HELP)], as_json: Json = False) -> None:
    """Import orders of users that are known. Importing the same file twice changes nothing."""
    _import("order", path, as_json)


def add_order(
    user_id: Annotated[str, typer.Argument(help="The user who ordered.")],
    total: Annotated[float, typer.Argument(help="Value of the order.", min=0)],
    order_id: Annotated[str | None, typer.Option(help="The order's id; default: made from user and time.")] = None,
    items: Annotated[int, typer.Option(help="Number of items.", min=0)] = 1,
    sku: Annotated[
        list[str] | None, typer.Option(help="What was bought, by the catalogue's number; repeatable.")
    ] = None,
    at: Annotated[datetime | None, typer.Option(help="When, UTC; default: now.")] = None,
    as_json: Json = False,
) -> None:
    """Add one order, as the shop's backend would. With `make dev` running, the score follows within seconds."""
    from engagement_pipeline.pipeline import Pipeline
    from engagement_pipeline.platform.settings import get_settings
    from engagement_pipeline.users.models import Order

    pipeline = Pipeline(get_settings())
    now = pipeline.now()
    moment = at.replace(tzinfo=timezone.utc) if at else now
    order = Order(
        order_id=order_id or f"{user_id}-{moment:%Y%m%dT%H%M%S}",
        user_id=user_id,
        ordered_at=moment,
        total_value=total,
        item_count=items,
        skus=tuple(sku or ()),
    )
    counts = pipeline.store.put_orders([order], now)
    result = {"order_id": order.order_id, **asdict(counts)}
    emit(
        result, as_json, lambda: typer.echo(f"order {order.order_id}: {'added' if counts.created else 'known already'}")
    )


def rejected(
    limit: Annotated[int, typer.Option(help="How many of the newest to show.", min=1)] = 20, as_json: Json = False
) -> None:
    """Show records that were refused, with file, line, field and reason."""
    from engagement_pipeline.pipeline import Pipeline
    from engagement_pipeline.platform.settings import get_settings
    from engagement_pipeline.users.rejects import count_by_reason, list_rejected

    with Pipeline(get_settings()).database.read() as connection:
        by_reason = count_by_reason(connection)
        newest = list_rejected(connection, limit)

    def render() -> None:
        table("Refused records by reason", ["reason", "records"], list(by_reason.items()))
        rows = [(row.file, row.line, row.field, row.message) for row in newest]
        table("The newest", ["file", "line", "field", "why"], rows)

    emit({"by_reason": by_reason, "newest": [row._asdict() for row in newest]}, as_json, render)


def _import(entity: Literal["user", "order"], path: Path, as_json: bool) -> None:
    from engagement_pipeline.pipeline import Pipeline
    from engagement_pipeline.platform.priority import give_way
    from engagement_pipeline.platform.settings import get_settings
    from engagement_pipeline.users.importing import import_path

    give_way()
    pipeline = Pipeline(get_settings())
    with progress(f"Importing {entity}s", "records", quiet=as_json) as advance:
        report = import_path(pipeline.store, entity, path, pipeline.now(), advance)
    result: dict[str, Any] = asdict(report)

    def render() -> None:
        names = ("read", "created", "updated", "unchanged", "rejected")
        table(f"{entity.capitalize()}s from {path.name}", names, [[result[name] for name in names]])
        for note in report.notes:
            typer.echo(note)
        if report.rejected:
            typer.echo("Refused records are kept: `engagement rejected` shows them with the reason.")

    emit(result, as_json, render)
