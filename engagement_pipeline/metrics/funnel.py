"""The way from risk to order: how many users came how far, and why the others did not."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

import duckdb

from engagement_pipeline.cohorts.reasons import Reason
from engagement_pipeline.effectiveness.arms import outcome_parameters, outcomes
from engagement_pipeline.metrics.models import Funnel, FunnelStep, LeftOut
from engagement_pipeline.platform.settings import Settings
from engagement_pipeline.platform.warehouse import read_sql

# Why somebody whom the gate let through was not written to; other reasons are the gate's, at the moment of sending.
_MEANINGS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "waiting": "The e-mail waits for its text, for approval, for sending hours or for its turn.",
        "skipped": "Left out at the moment of sending.",
        "failed": "The e-mail could not be sent.",
        "unknown": "Nobody can tell whether the e-mail was sent; it is never sent again by itself.",
        "user_deleted": "The user was deleted before the e-mail was sent.",
    }
)


def funnel(con: duckdb.DuckDBPyConnection, settings: Settings, moment: datetime) -> Funnel:
    """Count the users on the way from risk to order; decisions as old as the score looks ahead count.

    Args:
        con: the warehouse.
        settings: name the campaign and the days.
        moment: of counting; naive UTC.
    """
    days = settings.scoring.horizon_days
    query = f"WITH outcomes AS ({outcomes()}) SELECT * FROM ({read_sql(__package__, 'funnel')}) AS funnel"  # noqa: S608
    values = outcome_parameters(moment, settings.attribution_days, moment - timedelta(days=days))
    rows = con.execute(query, {**values, "campaign": settings.campaign}).fetchall()
    reached = {"below": 0, "eligible": 0, "written": 0}
    delivered = clicked = ordered = 0
    for step, _, users, *further in rows:
        reached[step] += users
        delivered, clicked, ordered = (sum(pair) for pair in zip((delivered, clicked, ordered), further, strict=True))
    eligible = reached["eligible"] + reached["written"]
    left_out = [
        LeftOut(after=step, reason=reason, meaning=_meaning(reason), users=users)
        for step, reason, users, *_ in rows
        if step != "written"
    ]
    return Funnel(
        campaign=settings.campaign,
        days=days,
        attribution_days=settings.attribution_days,
        steps=[
            FunnelStep(name="below", users=reached["below"] + eligible),
            FunnelStep(name="eligible", users=eligible),
            FunnelStep(name="written", users=reached["written"]),
            FunnelStep(name="delivered", users=delivered),
            FunnelStep(name="clicked", users=clicked),
            FunnelStep(name="ordered", users=ordered),
        ],
        left_out=sorted(left_out, key=lambda each: (each.after, -each.users, each.reason)),
    )


def _meaning(reason: str) -> str:
    """Return a reason in words; a later version's code has none."""
    if reason in _MEANINGS:
        return _MEANINGS[reason]
    return Reason(reason).meaning if reason in {each.value for each in Reason} else ""
