"""The figures: they count what the warehouse holds, and what they count adds up."""

from datetime import date, datetime, timedelta
from typing import Any

import duckdb
import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from engagement_pipeline.cohorts import gate
from engagement_pipeline.cohorts.reasons import Reason
from engagement_pipeline.delivery import statuses
from engagement_pipeline.effectiveness import measure
from engagement_pipeline.metrics.compute import publish_metrics
from engagement_pipeline.metrics.models import (
    BandCounts,
    Effectiveness,
    EmailStatus,
    Funnel,
    LeftOut,
    ScoreDistribution,
    UsersByBand,
)
from engagement_pipeline.platform import published
from engagement_pipeline.platform.settings import Settings
from engagement_pipeline.platform.sql import Database
from engagement_pipeline.platform.warehouse import insert_rows
from engagement_pipeline.scoring import population
from engagement_pipeline.scoring.history import write_day
from engagement_pipeline_tests.conftest import NOW
from engagement_pipeline_tests.users.builders import scratch_database

SETTINGS = Settings()
DECIDED = NOW.replace(tzinfo=None) - timedelta(days=10)

Row = dict[str, Any]


def decision(user: str, status: str, **values: Any) -> Row:
    """A ledger row of a user; also what the gate says of him today: he is in his cool-down."""
    row: Row = {
        "email_id": f"{user}-{values.get('step', 1)}",
        "user_id": user,
        "address_key": user,
        "campaign": SETTINGS.campaign,
        "step": 1,
        "status": status,
        "reason": None,
        "band": "at_risk",
        "variant": "plain",
        "decided_at": DECIDED,
    }
    return row | values


def event(user: str, kind: str) -> Row:
    return {"event_id": f"{user}-{kind}", "email_id": f"{user}-1", "kind": kind}


def order(user: str, after: timedelta = timedelta(days=2)) -> Row:
    return {
        "order_id": f"of-{user}",
        "user_id": user,
        "ordered_at": DECIDED + after,
        "total_value": 20.0,
        "status": "delivered",
    }


def days_before(days: int) -> datetime:
    return NOW.replace(tzinfo=None) - timedelta(days=days)


def cohort(user: str, decided: str, reason: Reason) -> Row:
    return {"user_id": user, "decision": decided, "reason": reason.value, "score": 20.0, "band": "critical"}


@pytest.fixture
def shop(con: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """A warehouse with its tables, and nothing in them."""
    measure.ensure_tables(con)
    population.ensure_tables(con)
    gate.ensure_tables(con)
    return con


def put(con: duckdb.DuckDBPyConnection, **rows: list[Row]) -> None:
    for table, its_rows in rows.items():
        insert_rows(con, table, its_rows)


def score(user: str, value: float, band: str) -> Row:
    return {"user_id": user, "score": value, "band": band, "as_of": NOW.date()}


def figures(con: duckdb.DuckDBPyConnection, *, full: bool = True) -> dict[type, Any]:
    with scratch_database() as database:
        return {type(each): each for each in publish_metrics(con, database, SETTINGS, NOW, full=full)}


def funnel_of(con: duckdb.DuckDBPyConnection) -> Funnel:
    found = figures(con)[Funnel]
    assert isinstance(found, Funnel)
    return found


def steps(found: Funnel) -> dict[str, int]:
    return {step.name: step.users for step in found.steps}


def left_out(found: Funnel) -> dict[tuple[str, str], int]:
    return {(each.after, each.reason): each.users for each in found.left_out}


def test_users_by_band_and_score(shop: duckdb.DuckDBPyConnection) -> None:
    rows = [score("a", 0, "critical"), score("b", 1.99, "critical"), score("c", 2, "critical")]
    rows += [score("d", 50, "moderate"), score("e", 99.99, "good"), score("f", 100, "good")]
    put(shop, engagement_scores=rows)
    found = figures(shop)
    assert found[UsersByBand].as_of == NOW.date()
    assert found[UsersByBand].today == BandCounts(critical=3, at_risk=0, moderate=1, good=2)
    distribution = found[ScoreDistribution]
    assert (len(distribution.bins), sum(distribution.bins)) == (50, 6)
    assert (distribution.bins[0], distribution.bins[1], distribution.bins[25], distribution.bins[49]) == (2, 1, 1, 2)


@pytest.mark.parametrize("is_upgraded", [False, True])
def test_bands_over_time_are_those_of_the_history(shop: duckdb.DuckDBPyConnection, is_upgraded: bool) -> None:
    put(shop, raw_orders=[{**order("a"), "ordered_at": days_before(60)}])
    put(shop, raw_orders=[{**order("b"), "ordered_at": days_before(29)}])
    # Out of order, once more, and too long ago to be shown.
    for day in (date(2026, 3, 1), date(2026, 1, 15), date(2026, 1, 15), date(2025, 1, 1)):
        write_day(shop, day, SETTINGS.scoring)
    if is_upgraded:
        # A warehouse from before there was such a table.
        shop.execute("DROP TABLE score_bands_by_day")
    over_time = figures(shop)[UsersByBand].over_time
    assert [(each.day, each.critical + each.at_risk) for each in over_time] == [
        (date(2026, 1, 15), 1),
        (date(2026, 3, 1), 2),
    ]
    kept = shop.execute("SELECT as_of, band, COUNT(*) FROM engagement_score_history GROUP BY ALL ORDER BY ALL")
    assert kept.fetchall() == shop.execute("SELECT * FROM score_bands_by_day ORDER BY ALL").fetchall()


def test_the_way_from_risk_to_order(shop: duckdb.DuckDBPyConnection) -> None:
    put(
        shop,
        at_risk_cohorts=[
            cohort("nobody", "skip", Reason.NO_CONSENT),
            cohort("newcomer", "skip", Reason.NO_ORDERS),
            cohort("another", "skip", Reason.NO_ORDERS),
            cohort("next", "mail", Reason.ELIGIBLE),
            cohort("silent", "hold_out", Reason.HOLD_OUT),
            # Decided on in this time: what became of that counts, and not that they are now in their cool-down.
            *(cohort(user, "skip", Reason.COOL_DOWN) for user in ("sent", "clicked", "held", "bounced", "lost")),
        ],
        email_deliveries=[
            decision("sent", "sent"),
            decision("clicked", "complained"),
            decision("held", "held_out"),
            decision("bounced", "bounced"),
            decision("lost", "unknown"),
            # Not below the threshold any more.
            decision("buyer", "delivered"),
            decision("early", "skipped", reason="silence_too_short"),
            decision("draft", "draft"),
            decision("broken", "failed", reason="the provider's own words"),
        ],
        email_events=[event("clicked", "click"), event("buyer", "open")],
        raw_orders=[order("buyer"), order("held"), order("early"), order("sent", timedelta(days=29))],
    )
    found = funnel_of(shop)
    assert (found.campaign, found.days, found.attribution_days) == (SETTINGS.campaign, 90, 28)
    assert steps(found) == {"below": 14, "eligible": 11, "written": 4, "delivered": 2, "clicked": 1, "ordered": 1}
    assert left_out(found) == {
        ("below", "no_orders"): 2,
        ("below", "no_consent"): 1,
        ("eligible", "hold_out"): 2,
        ("eligible", "waiting"): 2,
        ("eligible", "silence_too_short"): 1,
        ("eligible", "failed"): 1,
        ("eligible", "unknown"): 1,
    }
    assert [each.meaning for each in found.left_out if not each.meaning] == []
    assert found.left_out[0] == LeftOut(
        after="below",
        reason="no_orders",
        meaning="The user has never ordered, so there is no silence to break.",
        users=2,
    )


def test_of_several_emails_to_one_user_the_furthest_counts(shop: duckdb.DuckDBPyConnection) -> None:
    put(
        shop,
        email_deliveries=[
            decision("a", "clicked"),
            decision("a", "draft", step=2, decided_at=DECIDED + timedelta(days=5)),
            decision("b", "failed"),
            decision("b", "draft", step=2, decided_at=DECIDED + timedelta(days=5)),
        ],
    )
    found = funnel_of(shop)
    assert steps(found) == {"below": 2, "eligible": 2, "written": 1, "delivered": 1, "clicked": 1, "ordered": 0}
    assert left_out(found) == {("eligible", "waiting"): 1}


def test_only_this_campaign_and_this_time_count(shop: duckdb.DuckDBPyConnection) -> None:
    put(
        shop,
        email_deliveries=[
            decision("a", "sent", decided_at=DECIDED - timedelta(days=81)),
            decision("b", "sent", campaign="another"),
            decision("c", "sent", decided_at=NOW.replace(tzinfo=None) + timedelta(days=1)),
        ],
    )
    assert set(steps(funnel_of(shop)).values()) == {0}


def test_a_reason_of_a_later_version_is_shown_without_a_meaning(shop: duckdb.DuckDBPyConnection) -> None:
    put(shop, email_deliveries=[decision("a", "skipped", reason="a_new_reason")])
    assert [(each.reason, each.meaning) for each in funnel_of(shop).left_out] == [("a_new_reason", "")]


PEOPLE = st.lists(
    st.tuples(
        st.none()
        | st.sampled_from([("skip", Reason.COOL_DOWN), ("mail", Reason.ELIGIBLE), ("hold_out", Reason.HOLD_OUT)]),
        st.lists(st.sampled_from(statuses.ALL), max_size=3),
        st.sampled_from([None, "delivery", "open", "click"]),
        st.booleans(),
    ),
    max_size=12,
)


@settings(max_examples=40, deadline=None)
@given(PEOPLE)
def test_who_is_in_one_step_is_in_the_next_or_has_a_reason(people: list[Any]) -> None:
    with duckdb.connect() as con:
        measure.ensure_tables(con)
        population.ensure_tables(con)
        gate.ensure_tables(con)
        for number, (today, rows, kind, has_ordered) in enumerate(people):
            user = f"u{number}"
            put(
                con,
                at_risk_cohorts=[cohort(user, *today)] if today else [],
                email_deliveries=[decision(user, status, step=step + 1) for step, status in enumerate(rows)],
                email_events=[event(user, kind)] if kind else [],
                raw_orders=[order(user)] if has_ordered else [],
            )
        found = funnel_of(con)
    users = steps(found)
    assert users["below"] == sum(1 for today, rows, _, _ in people if today or rows)
    for step, further in (("below", "eligible"), ("eligible", "written")):
        assert users[step] - users[further] == sum(each.users for each in found.left_out if each.after == step)
    assert users["written"] >= users["delivered"] >= users["clicked"] >= 0
    assert users["written"] >= users["ordered"] >= 0


def test_emails_by_status(shop: duckdb.DuckDBPyConnection) -> None:
    rows = [decision("a", "sent"), decision("b", "sent"), decision("c", "opened"), decision("d", "sent", campaign="x")]
    put(shop, email_deliveries=rows)
    counts = figures(shop)[EmailStatus].counts
    assert [(each.campaign, each.status, each.emails, each.unreliable) for each in counts] == [
        ("win-back", "opened", 1, True),
        ("win-back", "sent", 2, False),
        ("x", "sent", 1, False),
    ]


def test_the_effect_is_that_of_the_measure(shop: duckdb.DuckDBPyConnection) -> None:
    old = DECIDED - timedelta(days=60)
    mailed = [decision(f"m{number}", "sent", decided_at=old) for number in range(400)]
    held_out = [decision(f"h{number}", "held_out", decided_at=old) for number in range(200)]
    put(shop, email_deliveries=mailed + held_out)
    buyers = [*mailed[:100], *held_out[:20]]
    put(shop, raw_orders=[{**order(row["user_id"]), "ordered_at": old + timedelta(days=3)} for row in buyers])
    report = measure.measure(shop, NOW, 28)
    found = figures(shop)[Effectiveness]
    assert len(found.segments) == len(report.rows) == 3
    whole = found.of_campaign("win-back")
    measured = next(row for row in report.rows if row.segment_kind == "campaign")
    assert whole is not None
    assert whole.lift == pytest.approx(15)
    assert whole.model_dump() == {name: getattr(measured, name) for name in whole.model_dump()}
    assert found.of_campaign("another") is None


def test_all_is_published_at_once(shop: duckdb.DuckDBPyConnection, database: Database) -> None:
    put(shop, engagement_scores=[score("a", 10, "critical")])
    publish_metrics(shop, database, SETTINGS, NOW, full=True)
    put(shop, engagement_scores=[score("b", 10, "critical")])
    later = NOW + timedelta(minutes=5)
    publish_metrics(shop, database, SETTINGS, later, full=False)
    with database.read() as connection:
        names = sa.select(published.published.c.name)
        found = published.get(connection, connection.execute(names).scalars().all())
    assert {name: each.computed_at for name, each in found.items()} == {
        "users_by_band": later,
        "score_distribution": later,
        "email_status": later,
        "funnel": NOW,
        "effectiveness": NOW,
    }
    assert found["users_by_band"].payload["today"]["critical"] == 2


def test_an_empty_warehouse_has_figures_too(con: duckdb.DuckDBPyConnection) -> None:
    found = figures(con)
    assert found[UsersByBand] == UsersByBand()
    assert found[ScoreDistribution].bins == []
    assert (found[EmailStatus].counts, found[Effectiveness].segments) == ([], [])
    assert set(steps(found[Funnel]).values()) == {0}
