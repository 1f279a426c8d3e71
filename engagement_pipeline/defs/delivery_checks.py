"""What must hold of delivery. Each check names its numbers; those that a person has to look into only warn."""

from datetime import datetime, timedelta
from typing import Final

import dagster as dg

from engagement_pipeline.defs.assets import WAREHOUSE_POOL
from engagement_pipeline.defs.resources import WarehouseResource
from engagement_pipeline.delivery import breaker
from engagement_pipeline.delivery.overdue import overdue
from engagement_pipeline.delivery.reconciliation import reconcile
from engagement_pipeline.delivery.reputation import counts_since
from engagement_pipeline.delivery.unknowns import count_unknown
from engagement_pipeline.pipeline import Pipeline

# Providers report within minutes; what nobody has resolved after so long needs a person.
UNKNOWN_FOR_LONG: Final = timedelta(hours=24)


@dg.asset_check(asset="email_deliveries", pool=WAREHOUSE_POOL)
def reconciliation(warehouse: WarehouseResource, pipeline: dg.ResourceParam[Pipeline]) -> dg.AssetCheckResult:
    """Everybody who was to be mailed is accounted for: eligible = sent + skipped + failed + unknown + waiting."""
    with warehouse.get_connection(read_only=True) as con:
        balances = reconcile(con, pipeline.database)
    wrong = [balance for balance in balances if not balance.balanced]
    sentences = [f"{each.campaign}: {each.eligible:,} eligible, {each.accounted_for:,} accounted for" for each in wrong]
    return dg.AssetCheckResult(
        passed=not wrong,
        description="; ".join(sentences) or None,
        metadata={
            f"{balance.campaign}": {"eligible": balance.eligible, "accounted_for": balance.accounted_for}
            | dict(balance.by_status)
            for balance in balances
        },
    )


@dg.asset_check(asset="email_deliveries")
def oldest_queued(pipeline: dg.ResourceParam[Pipeline]) -> dg.AssetCheckResult:
    """No e-mail is due for more than a day, unless more valuable ones used up what may be sent in a day."""
    now = pipeline.now()
    with pipeline.database.read() as connection:
        late = overdue(connection, now, needs_approval=pipeline.settings.needs_approval)
        stopped = breaker.tripped(connection)
    # Without a mailer everything waits, as it should.
    passed = not late.overlooked or pipeline.settings.send_mode == "dry_run"
    description = None
    if late.oldest is not None:
        description = (
            f"{late.number:,} e-mails are due for more than a day, the oldest for {_hours(now - late.oldest)}; "
            f"{late.sent_meanwhile:,} were sent in the last day"
        )
    if stopped:
        description = f"{description or 'no e-mail is overdue'}; sending has stopped: {stopped}"
    return dg.AssetCheckResult(
        passed=passed,
        severity=dg.AssetCheckSeverity.WARN,
        description=description,
        metadata={
            "overdue": late.number,
            "oldest_hours": _hours_of(late.oldest, now),
            "sent_in_the_last_day": late.sent_meanwhile,
        },
    )


@dg.asset_check(asset="email_deliveries")
def oldest_unknown(pipeline: dg.ResourceParam[Pipeline]) -> dg.AssetCheckResult:
    """Whether an e-mail was sent is known within a day: by the provider's word, or a person's."""
    now = pipeline.now()
    with pipeline.database.read() as connection:
        unknown = count_unknown(connection)
    late = unknown.oldest is not None and now - unknown.oldest > UNKNOWN_FOR_LONG
    description = None
    if unknown.oldest is not None:
        description = (
            f"of {unknown.number:,} e-mails nobody can tell whether they were sent, of the oldest for "
            f"{_hours(now - unknown.oldest)}; `engagement deliveries unknown` lists them, and after "
            f"{pipeline.settings.delivery.unknown_expires_days} days nobody is asked any more"
        )
    return dg.AssetCheckResult(
        passed=not late,
        severity=dg.AssetCheckSeverity.WARN,
        description=description,
        metadata={"unknown": unknown.number, "oldest_hours": _hours_of(unknown.oldest, now)},
    )


@dg.asset_check(asset="email_events")
def bounces_and_complaints(pipeline: dg.ResourceParam[Pipeline]) -> dg.AssetCheckResult:
    """At most 5 % of e-mails bounce for good and 0.1 % draw a complaint: beyond, the circuit breaker stops sending."""
    now = pipeline.now()
    with pipeline.database.read() as connection:
        since = breaker.counted_from(connection, now)
        counts = counts_since(connection, since)
        reason = breaker.tripped(connection) or breaker.judge(counts.sent, counts.hard_bounces, counts.complaints)
    return dg.AssetCheckResult(
        passed=reason is None,
        description=reason,
        metadata={
            "since": dg.MetadataValue.timestamp(since),
            "sent": counts.sent,
            "hard_bounces": counts.hard_bounces,
            "complaints": counts.complaints,
            "bounce_rate": counts.hard_bounces / counts.sent if counts.sent else 0.0,
            "complaint_rate": counts.complaints / counts.sent if counts.sent else 0.0,
        },
    )


def _hours_of(since: datetime | None, now: datetime) -> float:
    return 0.0 if since is None else (now - since) / timedelta(hours=1)


def _hours(age: timedelta) -> str:
    return f"{age / timedelta(hours=1):,.0f} hours"


DELIVERY_CHECKS = [reconciliation, oldest_queued, oldest_unknown, bounces_and_complaints]
