"""The gate as statements: its SQL over any candidates, and the settings as the bounds that it compares with.

What decides in the warehouse and what checks again before sending both go through this module, so they cannot differ.
"""

from datetime import date, datetime, timedelta, timezone

from engagement_pipeline.platform.settings_groups import GateSettings, ScoringSettings
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


def gated(candidates: str, giving_way: str | None = None) -> str:
    """Return the query that decides on the rows of the query `candidates`; see `gate.sql`.

    Args:
        candidates: gives the facts of users, scored.
        giving_way: gives what `blocked` finds; without it nobody gives way to anybody.
    """
    if giving_way is None:
        users = f"SELECT *, CAST(NULL AS VARCHAR) AS gives_way FROM ({candidates}) AS users"  # noqa: S608
    else:
        users = f"SELECT * FROM ({candidates}) AS users LEFT JOIN ({giving_way}) AS others USING (user_id)"  # noqa: S608
    return f"WITH candidates AS ({users}) SELECT * FROM ({read_sql(__package__, 'gate')}) AS gated"  # noqa: S608


def crowded(decisions: str) -> str:
    """Return the query for the addresses, as numbers, where the rules between users can matter; see `crowded.sql`."""
    return f"WITH decisions AS ({decisions}) SELECT * FROM ({read_sql(__package__, 'crowded')}) AS crowded"  # noqa: S608


def blocked(decisions: str) -> str:
    """Return the query for who must give way to another user of his address; see `blocked_by_others.sql`.

    Args:
        decisions: the query of `gated`, with nobody giving way, for all users of the addresses in question.
    """
    rules = read_sql(__package__, "blocked_by_others")
    return f"WITH decisions AS ({decisions}) SELECT * FROM ({rules}) AS blocked"  # noqa: S608


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
