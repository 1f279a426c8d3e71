"""What must hold. Each check names its numbers; none shows a user."""

import dagster as dg
import duckdb

from engagement_pipeline.defs.assets import WAREHOUSE_POOL
from engagement_pipeline.defs.assets.copy import little_falls_back
from engagement_pipeline.defs.delivery_checks import DELIVERY_CHECKS
from engagement_pipeline.defs.resources import WarehouseResource
from engagement_pipeline.delivery.reconciliation import users_with_several_open
from engagement_pipeline.pipeline import Pipeline


def _sql_check(
    asset: str, name: str, description: str, query: str, *, blocking: bool = False
) -> dg.AssetChecksDefinition:
    """A check that passes when its query counts nothing wrong."""

    @dg.asset_check(asset=asset, name=name, description=description, blocking=blocking, pool=WAREHOUSE_POOL)
    def check(warehouse: WarehouseResource) -> dg.AssetCheckResult:
        with warehouse.get_connection(read_only=True) as con:
            wrong = _number(con, query)
        return dg.AssetCheckResult(
            passed=wrong == 0,
            description=None if wrong == 0 else f"{wrong:,} rows do not hold",
            metadata={"wrong_rows": wrong},
        )

    return check


def _number(con: duckdb.DuckDBPyConnection, query: str) -> int:
    row = con.execute(query).fetchone()
    return int(row[0] or 0) if row else 0


def _unique(asset: str, column: str) -> dg.AssetChecksDefinition:
    return _sql_check(
        asset,
        "unique_ids",
        f"No {column} stands in two rows.",
        f"SELECT count(*) - count(DISTINCT {column}) FROM {asset}",  # noqa: S608
        blocking=True,
    )


UNIQUE = [
    _unique("raw_users", "user_id"),
    _unique("raw_orders", "order_id"),
    _unique("engagement_scores", "user_id"),
    _unique("at_risk_cohorts", "user_id"),
    _unique("email_deliveries", "email_id"),
    _unique("email_events", "event_id"),
]

RULES = [
    _sql_check(
        "raw_users",
        "no_addresses",
        "Users are known by id and keyed hash: no address has entered the warehouse.",
        "SELECT count(*) FROM raw_users WHERE address_key IS NOT NULL "
        "AND NOT regexp_full_match(address_key, '[0-9a-f]{64}')",
    ),
    _sql_check(
        "raw_orders",
        "known_users",
        "Every order belongs to a user that we know.",
        "SELECT count(*) FROM raw_orders o ANTI JOIN raw_users u USING (user_id)",
    ),
    _sql_check(
        "engagement_scores",
        "everyone_is_scored",
        "Every user has a score, and every score a user.",
        "SELECT count(*) FROM raw_users u FULL JOIN engagement_scores s USING (user_id) "
        "WHERE u.user_id IS NULL OR s.user_id IS NULL",
        blocking=True,
    ),
    _sql_check(
        "engagement_scores",
        "score_range",
        "Scores lie between 0 and 100.",
        "SELECT count(*) FROM engagement_scores WHERE score IS NULL OR NOT score BETWEEN 0 AND 100",
        blocking=True,
    ),
    _sql_check(
        "engagement_scores",
        "longer_silence_never_scores_higher",
        "Among users with equal orders and no recent e-mail, a longer silence never has a higher score.",
        """
        SELECT count(*) FROM (
            SELECT score, lag(score) OVER (
                PARTITION BY s.order_days, s.average_order_value ORDER BY s.days_since_last_order
            ) AS shorter_silence_score
            FROM engagement_scores s JOIN raw_users u USING (user_id)
            WHERE u.last_email_at IS NULL
        ) WHERE score > shorter_silence_score
        """,
    ),
    _sql_check(
        "at_risk_cohorts",
        "everyone_at_risk_is_decided",
        "Everybody in a band below the threshold has exactly one decision with a reason, and nobody else has.",
        """
        SELECT count(*)
        FROM (SELECT user_id FROM engagement_scores WHERE band IN ('critical', 'at_risk')) s
        FULL JOIN at_risk_cohorts c USING (user_id)
        WHERE s.user_id IS NULL OR c.user_id IS NULL OR c.reason IS NULL
           OR c.decision NOT IN ('mail', 'hold_out', 'skip')
        """,
        blocking=True,
    ),
    _sql_check(
        "at_risk_cohorts",
        "one_address_one_email",
        "No two users that share an address are both to be mailed.",
        "SELECT count(*) - count(DISTINCT u.address_key) FROM at_risk_cohorts c JOIN raw_users u USING (user_id) "
        "WHERE c.decision = 'mail'",
        blocking=True,
    ),
]


@dg.asset_check(asset="at_risk_cohorts", pool=WAREHOUSE_POOL)
def hold_out_share(warehouse: WarehouseResource, pipeline: dg.ResourceParam[Pipeline]) -> dg.AssetCheckResult:
    """The hold-out is as large as set: a share off by more than chance allows means that the split is broken."""
    expected = pipeline.settings.gate.hold_out_share
    with warehouse.get_connection(read_only=True) as con:
        held = _number(con, "SELECT count(*) FROM at_risk_cohorts WHERE decision = 'hold_out'")
        eligible = held + _number(con, "SELECT count(*) FROM at_risk_cohorts WHERE decision = 'mail'")
    # Four standard errors: one false alarm in 16,000 days.
    tolerance = 4 * (expected * (1 - expected) / eligible) ** 0.5 if eligible else 1.0
    share = held / eligible if eligible else expected
    return dg.AssetCheckResult(
        passed=abs(share - expected) <= tolerance,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{held:,} of {eligible:,} are held out ({share:.2%}), {expected:.2%} are expected",
        metadata={"held_out": held, "eligible": eligible, "share": share, "expected": expected, "tolerance": tolerance},
    )


@dg.asset_check(asset="generated_emails", blocking=True)
def one_open_email_per_user(pipeline: dg.ResourceParam[Pipeline]) -> dg.AssetCheckResult:
    """No user has two e-mails that are still to be sent."""
    doubled = users_with_several_open(pipeline.database)
    return dg.AssetCheckResult(
        passed=doubled == 0,
        description=None if doubled == 0 else f"{doubled:,} users have several e-mails that are still to be sent",
        metadata={"users_with_several_open": doubled},
    )


ALL_CHECKS = [
    *UNIQUE,
    *RULES,
    hold_out_share,
    one_open_email_per_user,
    little_falls_back,
    *DELIVERY_CHECKS,
]
