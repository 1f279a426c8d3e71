"""Users as the warehouse knows them, with everything in order unless a test says otherwise."""

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

import duckdb

from engagement_pipeline.cohorts import gate
from engagement_pipeline.platform.settings_groups import GateSettings, ScoringSettings
from engagement_pipeline.platform.warehouse import insert_rows
from engagement_pipeline.scoring import population
from engagement_pipeline.scoring.formula import Population
from engagement_pipeline.users import mirror

NOW = datetime(2026, 3, 2, 15, 0, tzinfo=timezone.utc)
KEY = "hold-out"
POPULATION = Population(mean_gap_days=45, median_order_value=50, users=100)
NO_HOLD_OUT = GateSettings(hold_out_share=0)

Row = dict[str, Any]


def ago(days: float) -> datetime:
    """Return the moment that many days before now, as the warehouse keeps it."""
    return (NOW - timedelta(days=days)).replace(tzinfo=None)


def eligible(user_id: str, **changes: Any) -> Row:
    """Return a user who may be written to, with changes."""
    row: Row = {
        "user_id": user_id,
        "address_key": f"address-of-{user_id}",
        "preferred_categories": ["denim"],
        "consent": True,
        "time_zone": "Europe/Berlin",
        "order_count": 2,
        "order_days": 2,
        "average_order_value": 40.0,
        "first_order_at": ago(400),
        "last_order_at": ago(90),
        "last_email_at": None,
        "last_touch_at": None,
        "touches_since_order": 0,
        "steps": 0,
        "created_at": ago(400),
        "updated_at": ago(400),
        "changed_seq": 1,
    }
    assert changes.keys() <= row.keys()
    return row | changes


def put(con: duckdb.DuckDBPyConnection, rows: Sequence[Row], suppressed: Sequence[str] = ()) -> None:
    """Make the warehouse hold these users and suppressions, and a population to score against."""
    mirror.ensure_tables(con)
    con.execute("DELETE FROM raw_users")
    insert_rows(con, "raw_users", rows)
    gate.ensure_tables(con)
    con.execute("DELETE FROM suppressions")
    insert_rows(con, "suppressions", [{"address_key": key} for key in suppressed])
    population.ensure_tables(con)
    population.keep_population(con, POPULATION, NOW.date(), NOW - timedelta(days=1))


def run(con: duckdb.DuckDBPyConnection, limits: GateSettings = NO_HOLD_OUT, *, full: bool = True) -> gate.CohortReport:
    return gate.decide(con, NOW, limits, ScoringSettings(), KEY, full=full)


def verdicts(con: duckdb.DuckDBPyConnection) -> dict[str, tuple[str, str]]:
    """Return (decision, reason) by user."""
    rows = con.execute("SELECT user_id, decision, reason FROM at_risk_cohorts").fetchall()
    assert len({row[0] for row in rows}) == len(rows)
    return {user_id: (decision, reason) for user_id, decision, reason in rows}
