"""Scoring anybody's order file, proving the score on it, and explaining one user's score."""

from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from engagement_pipeline.cli.output import Json, bars, emit, table
from engagement_pipeline.platform.errors import BadInputError
from engagement_pipeline.platform.settings import get_settings
from engagement_pipeline.platform.settings_groups import ScoringSettings

Orders = Annotated[Path, typer.Option("--orders", help="Order file: CSV, Parquet or JSON Lines (also .gz).")]
UserColumn = Annotated[str, typer.Option(help="Name of the column with the user's id.")]
TimeColumn = Annotated[str, typer.Option(help="Name of the column with the time of the order.")]
ValueColumn = Annotated[str, typer.Option(help="Name of the column with the order's total value.")]
DateFormat = Annotated[str | None, typer.Option(help="How times are written, e.g. %d/%m/%Y; default: ISO 8601.")]
Horizon = Annotated[
    int | None, typer.Option(help="Days ahead in which an order counts as coming back.", min=1, max=730)
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("score")(score)
    app.command("backtest")(backtest)
    app.command("explain")(explain)


def score(
    orders: Orders,
    out: Annotated[Path, typer.Option(help="Where to write the scores: .csv, .csv.gz or .parquet.")],
    as_of: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Day to score; default: the day after the last order.")
    ] = None,
    horizon: Horizon = None,
    user_column: UserColumn = "user_id",
    time_column: TimeColumn = "ordered_at",
    value_column: ValueColumn = "total_value",
    date_format: DateFormat = None,
    as_json: Json = False,
) -> None:
    """Score the users of any order file. Touches no store: nothing is kept but the output file."""
    from engagement_pipeline.scoring.files import score_file
    from engagement_pipeline.scoring.order_formats import OrderColumns

    columns = OrderColumns(user_column, time_column, value_column, date_format=date_format)
    report = score_file(orders, out, as_of.date() if as_of else None, _scoring(horizon), columns)

    def render() -> None:
        bars(f"{report.users:,} users as of {report.as_of}", "band", _by_band(report.by_band))
        if report.bad:
            typer.echo(f"{report.bad:,} records were left out; the first: {report.first_bad}")
        if report.orders_left_out:
            typer.echo(f"{report.orders_left_out:,} orders are of {report.as_of} or later and were not used")
        typer.echo(f"Scores are in {out}")

    emit({**asdict(report), "out": str(out)}, as_json, render)


def backtest(
    orders: Orders,
    cutoff: Annotated[
        list[datetime] | None,
        typer.Option(
            formats=["%Y-%m-%d"], help="Day to score as of; repeat for several. Default: the latest possible."
        ),
    ] = None,
    horizon: Horizon = None,
    plot: Annotated[Path | None, typer.Option(help="Where to write a picture of the result (.png).")] = None,
    user_column: UserColumn = "user_id",
    time_column: TimeColumn = "ordered_at",
    value_column: ValueColumn = "total_value",
    date_format: DateFormat = None,
    as_json: Json = False,
) -> None:
    """Prove the score on your own orders: how well it would have foretold who came back."""
    from engagement_pipeline.scoring.backtest import backtest as run
    from engagement_pipeline.scoring.backtest_plot import plot as draw
    from engagement_pipeline.scoring.order_formats import OrderColumns

    columns = OrderColumns(user_column, time_column, value_column, date_format=date_format)
    report = run(orders, [day.date() for day in cutoff or []], _scoring(horizon), columns)
    if plot:
        _write(plot, draw(report))

    def render() -> None:
        header = ["cut-off", "users", "came back", "below 50", "AUC", "recency", "RFM", "Brier"]
        rows = [
            (
                str(c.day),
                c.users,
                f"{c.came_back:.1%}",
                f"{c.below_threshold:.1%}",
                *_three_digits(c.auc, c.auc_recency, c.auc_rfm, c.brier),
            )
            for c in report.cutoffs
        ]
        table(
            f"Who ordered within {report.horizon_days} days? AUC of this score, of recency alone, of RFM quintiles",
            header,
            rows,
        )
        for c in report.cutoffs:
            deciles = [(d.number, d.users, f"{d.predicted:.1%}", f"{d.observed:.1%}") for d in c.deciles]
            table(f"As of {c.day}: what was foretold and what came", ["decile", "users", "score", "came back"], deciles)
        if plot:
            typer.echo(f"The picture is in {plot}")

    emit(asdict(report), as_json, render)


def explain(user_id: Annotated[str, typer.Argument(help="The user.")], as_json: Json = False) -> None:
    """Explain one user's score: what each factor adds or takes, and when it will cross the threshold."""
    from engagement_pipeline.pipeline import Pipeline
    from engagement_pipeline.scoring.explain import explain as run
    from engagement_pipeline.scoring.population import newest_population

    settings = get_settings()
    pipeline = Pipeline(settings)
    user = pipeline.store.get_user(user_id)
    if user is None:
        raise BadInputError(f"there is no user {user_id!r}")
    if not settings.warehouse_path.exists():
        raise BadInputError("nobody has been scored yet: run `make demo`, or materialise engagement_scores")
    with pipeline.warehouse(read_only=True) as con:
        population = newest_population(con)
    if population is None:
        raise BadInputError("nobody has been scored yet: materialise engagement_scores first")
    explanation = run(user, population, settings.scoring, pipeline.now().date())
    emit(asdict(explanation), as_json, lambda: typer.echo("\n".join(explanation.sentences)))


def _scoring(horizon: int | None) -> ScoringSettings:
    scoring = get_settings().scoring
    return scoring if horizon is None else scoring.model_copy(update={"horizon_days": horizon})


def _by_band(counts: dict[str, int]) -> dict[str, int]:
    return {band: counts.get(band, 0) for band in ("critical", "at_risk", "moderate", "good")}


def _three_digits(*values: float | None) -> tuple[str, ...]:
    return tuple("" if value is None else f"{value:.3f}" for value in values)


def _write(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:
        raise BadInputError(f"{path} cannot be written: {error.strerror}") from error
