"""Scores the users of anybody's order file, without touching any store."""

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import duckdb

from engagement_pipeline.platform.settings_groups import ScoringSettings
from engagement_pipeline.scoring.formula import (
    Population,
    estimate_population,
    order_facts,
    parameters,
    scored,
)
from engagement_pipeline.scoring.order_files import ORDERS, BadRecord, opened
from engagement_pipeline.scoring.order_formats import OrderColumns, OrderFileError

__all__ = ["FileScoreReport", "OrderColumns", "OrderFileError", "score_file"]

_FORMATS = {".csv": "FORMAT csv, HEADER", ".gz": "FORMAT csv, HEADER, COMPRESSION gzip", ".parquet": "FORMAT parquet"}


@dataclass(frozen=True)
class FileScoreReport:
    """What became of an order file.

    Attributes:
        users: rows written.
        orders: records that were read well, whatever their status.
        orders_left_out: those of the day `as_of` or later, which a score as of that day must not know.
        bad: records that were left out, and the first of them.
        as_of: the day the scores are as of.
        by_band: users by band.
        population: the parameters estimated from this file.
    """

    users: int
    orders: int
    orders_left_out: int
    bad: int
    first_bad: BadRecord | None
    as_of: date
    by_band: dict[str, int]
    population: Population


def score_file(
    orders: Path,
    out: Path,
    as_of: date | None,
    settings: ScoringSettings,
    columns: OrderColumns = OrderColumns(),  # noqa: B008 - immutable
) -> FileScoreReport:
    """Score every user of an order file, lowest score first.

    Args:
        orders: .csv, .jsonl (either may be gzipped) or .parquet.
        out: .csv, .csv.gz or .parquet; written wholly or not at all.
        as_of: orders before this day count; None means the day after the last order.
        settings: the formula's settings.
        columns: what the file's columns are called.

    Raises:
        OrderFileError: the order file cannot be used, or the output's format is unknown.
    """
    if not out.name.lower().endswith((".csv", ".csv.gz", ".parquet")):
        raise OrderFileError(f"{out.name} is none of .csv, .csv.gz and .parquet")
    if out.resolve() == orders.resolve():
        raise OrderFileError(f"{out.name} is the order file itself")
    with opened(orders, columns) as (con, file):
        day = as_of or _last_day(con) + timedelta(days=1)
        con.execute(f"CREATE TABLE file_facts AS {order_facts(ORDERS)}", {"before_day": day})
        facts = "SELECT * FROM file_facts"
        population = estimate_population(con, facts, settings)
        con.execute(f"CREATE TABLE file_scores AS {scored(facts)}", parameters(day, population, settings))
        by_band = dict(con.execute("SELECT band, COUNT(*) FROM file_scores GROUP BY band").fetchall())
        if not by_band:
            raise OrderFileError(f"{orders.name} has no order before {day}")
        late = con.execute(f"SELECT COUNT(*) FROM ({ORDERS}) WHERE ordered_at >= ?", [day]).fetchall()  # noqa: S608
        _write(con, out)
    return FileScoreReport(
        users=sum(by_band.values()),
        orders=file.orders,
        orders_left_out=late[0][0],
        bad=file.bad,
        first_bad=file.first_bad,
        as_of=day,
        by_band=by_band,
        population=population,
    )


def _last_day(con: duckdb.DuckDBPyConnection) -> date:
    last: date = con.execute(f"SELECT CAST(MAX(ordered_at) AS DATE) FROM ({ORDERS})").fetchall()[0][0]  # noqa: S608
    return last


def _write(con: duckdb.DuckDBPyConnection, out: Path) -> None:
    unfinished = out.with_name(f".{out.name}.unfinished")
    columns = "user_id, score, band, order_days, days_since_last_order, average_order_value"
    rows = f"SELECT {columns} FROM file_scores ORDER BY score, user_id"  # noqa: S608
    try:
        con.execute(f"COPY ({rows}) TO $path ({_FORMATS[out.suffix.lower()]})", {"path": str(unfinished)})
        unfinished.replace(out)
    except (duckdb.IOException, OSError) as error:
        raise OrderFileError(f"{out} cannot be written") from error
    finally:
        unfinished.unlink(missing_ok=True)
