"""The gate as statements: its SQL over any candidates, and the settings as the bounds that it compares with.

What decides in the warehouse and what checks again before sending both go through this module, so they cannot differ.
"""

from datetime import date, datetime, timedelta, timezone

import duckdb

from engagement_pipeline.platform.settings import GateSettings, ScoringSettings
from engagement_pipeline.platform.warehouse import read_sql

Value = date | datetime | float | int | str | None
Parameters = dict[str, Value]


def utc_naive(moment: datetime) -> datetime:
    """Return a moment as the warehouse keeps it: in UTC, without a time zone.

    Raises:
        ValueError: the moment has no time zone.
    """
    if moment.tzinfo is None:
        raise ValueError("a moment without a time zone cannot be decided on")
    return moment.astimezone(timezone.utc).replace(tzinfo=None)


def gated(candidates: str) -> str:
    """Return the query that decides on the rows of the query `candidates`; see `gate.sql`."""
    return f"WITH candidates AS ({candidates}) SELECT * FROM ({read_sql(__package__, 'gate')}) AS gated"  # noqa: S608


def gate_parameters(now: datetime, gate: GateSettings, scoring: ScoringSettings, hold_out_key: str) -> Parameters:
    """Return what the query of `gated` binds.

    Silence is counted in whole UTC days. The cool-down is counted from moment to moment: counted in days it could be
    almost a day shorter than it says.
    """
    moment = utc_naive(now)
    today = moment.date()
    return {
        "at_risk_below": scoring.at_risk_below,
        "last_order_latest": today - timedelta(days=gate.min_silence_days),
        "last_order_earliest": today - timedelta(days=gate.max_silence_days),
        "max_emails_per_silence": gate.max_emails_per_silence,
        "last_touch_latest": moment - timedelta(days=gate.cool_down_days),
        "hold_out_key": hold_out_key,
        "hold_out_below": f"{round(gate.hold_out_share * 2**32):08x}",
    }


def give_way(con: duckdb.DuckDBPyConnection, table: str, last_touch_latest: Value) -> None:
    """Turn users into skipped ones who must give way to another user of their address.

    Args:
        con: holds `table` and raw_users, whose touches count.
        table: decisions with user_id, address_key, value_at_risk, decision and reason; changed in place.
        last_touch_latest: the newest touch of an address after which it may be written to again.
    """
    blocked = (
        f"WITH decisions AS NOT MATERIALIZED (SELECT * FROM {table})"  # noqa: S608
        f" SELECT * FROM ({read_sql(__package__, 'blocked_by_others')}) AS blocked"
    )
    values = {"last_touch_latest": last_touch_latest}
    # One statement less for the sender's small batches, where nobody is blocked as a rule.
    if con.execute(f"CREATE OR REPLACE TEMP TABLE blocked AS {blocked}", values).fetchone() != (0,):
        con.execute(
            f"UPDATE {table} SET decision = 'skip', reason = blocked.reason"  # noqa: S608
            f" FROM blocked WHERE {table}.user_id = blocked.user_id"
        )
    con.execute("DROP TABLE blocked")
