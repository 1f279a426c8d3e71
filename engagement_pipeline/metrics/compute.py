"""The figures that the API and the dashboard show, computed in the warehouse."""

from datetime import date, datetime, timedelta, timezone
from typing import Final

import duckdb

from engagement_pipeline.cohorts import gate
from engagement_pipeline.effectiveness import measure
from engagement_pipeline.metrics.funnel import funnel
from engagement_pipeline.metrics.models import (
    BandCounts,
    BandsOfDay,
    Effectiveness,
    EmailStatus,
    Figures,
    ScoreDistribution,
    Segment,
    StatusCount,
    UsersByBand,
)
from engagement_pipeline.platform import published
from engagement_pipeline.platform.settings import Settings
from engagement_pipeline.platform.sql import Database
from engagement_pipeline.platform.warehouse import read_sql
from engagement_pipeline.scoring import population

BIN_WIDTH: Final = 2.0
_SHOWN_DAYS: Final = 366


def publish_metrics(
    con: duckdb.DuckDBPyConnection, database: Database, settings: Settings, now: datetime, *, full: bool
) -> list[Figures]:
    """Compute the figures and publish them, all at once.

    Args:
        con: the warehouse.
        database: the operational store.
        settings: the campaign, and the days that count.
        now: the moment of computing.
        full: all of them; otherwise only those that take no longer than a look at one table: users by band, scores
            and e-mails by status. The others stay as they were.

    Returns:
        What was published.
    """
    measure.ensure_tables(con)
    population.ensure_tables(con)
    gate.ensure_tables(con)
    moment = now.astimezone(timezone.utc).replace(tzinfo=None)
    figures: list[Figures] = [*_users(con, moment.date()), _email_status(con)]
    if full:
        figures += [funnel(con, settings, moment), _effectiveness(con)]
    payloads = {each.published_as: each.model_dump(mode="json", exclude={"computed_at"}) for each in figures}
    with database.write() as connection:
        published.put(connection, payloads, now)
    return figures


def _users(con: duckdb.DuckDBPyConnection, today: date) -> tuple[UsersByBand, ScoreDistribution]:
    counts: dict[str, int] = {}
    bins = [0] * round(100 / BIN_WIDTH)
    newest: date | None = None
    for band, place, users, as_of in con.execute(read_sql(__package__, "scores"), {"width": BIN_WIDTH}).fetchall():
        counts[band] = counts.get(band, 0) + users
        bins[place] += users
        newest = as_of if newest is None else max(newest, as_of)
    bands = UsersByBand(as_of=newest, today=BandCounts(**counts), over_time=_bands_over_time(con, today))
    return bands, ScoreDistribution(width=BIN_WIDTH, bins=bins if counts else [])


def _bands_over_time(con: duckdb.DuckDBPyConnection, today: date) -> list[BandsOfDay]:
    rows = con.execute(
        "SELECT as_of, band, users FROM score_bands_by_day WHERE as_of > ? ORDER BY as_of",
        [today - timedelta(days=_SHOWN_DAYS)],
    )
    days: dict[date, dict[str, int]] = {}
    for day, band, users in rows.fetchall():
        days.setdefault(day, {})[band] = users
    return [BandsOfDay(day=day, **counts) for day, counts in days.items()]


def _email_status(con: duckdb.DuckDBPyConnection) -> EmailStatus:
    rows = con.execute("SELECT campaign, status, COUNT(*) FROM email_deliveries GROUP BY 1, 2 ORDER BY 1, 2").fetchall()
    return EmailStatus(
        counts=[
            StatusCount(campaign=campaign, status=status, emails=emails, unreliable=status == "opened")
            for campaign, status, emails in rows
        ]
    )


def _effectiveness(con: duckdb.DuckDBPyConnection) -> Effectiveness:
    columns = ", ".join(Segment.model_fields)
    rows = con.execute(f"SELECT {columns} FROM campaign_effectiveness ORDER BY 1, 2, 3").fetchall()  # noqa: S608
    return Effectiveness(segments=[Segment(**dict(zip(Segment.model_fields, row, strict=True))) for row in rows])
