"""What counts for which arm, segment and moment."""

from datetime import datetime, timedelta, timezone
from itertools import count
from typing import Any

import duckdb
import pytest

from engagement_pipeline.effectiveness.measure import Effectiveness, ensure_tables, measure
from engagement_pipeline.platform.warehouse import insert_rows

DECIDED = datetime(2026, 1, 1, 12, tzinfo=timezone.utc)
WINDOW = timedelta(days=28)
A_MOMENT = timedelta(microseconds=1)
LATER = DECIDED + timedelta(days=100)

Row = dict[str, Any]


def decision(number: int, status: str, **changes: Any) -> Row:
    row: Row = {
        "email_id": f"{status}-{number}",
        "user_id": f"{status}-{number}",
        "address_key": f"address-{status}-{number}",
        "campaign": "win-back",
        "step": 1,
        "status": status,
        "band": "at_risk",
        "variant": "plain",
        "decided_at": DECIDED.replace(tzinfo=None),
    }
    return row | changes


def put_orders(
    con: duckdb.DuckDBPyConnection, rows: list[Row], after: timedelta = timedelta(days=3), **changes: Any
) -> None:
    ids = count(con.execute("SELECT count(*) FROM raw_orders").fetchall()[0][0])
    orders = [
        {
            "order_id": f"o{next(ids)}",
            "user_id": row["user_id"],
            "ordered_at": row["decided_at"] + after,
            "total_value": 20.0,
            "status": "delivered",
        }
        | changes
        for row in rows
    ]
    insert_rows(con, "raw_orders", orders)


def only(con: duckdb.DuckDBPyConnection, as_of: datetime = LATER, kind: str = "campaign") -> Effectiveness:
    rows = [row for row in measure(con, as_of, 28).rows if row.segment_kind == kind]
    assert len(rows) == 1
    return rows[0]


@pytest.fixture
def shop(con: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """Of 400 written to 100 order; of 200 held out 20 do."""
    ensure_tables(con)
    mailed = [decision(number, "sent") for number in range(400)]
    held_out = [decision(number, "held_out") for number in range(200)]
    insert_rows(con, "email_deliveries", mailed + held_out)
    put_orders(con, mailed[:100] + held_out[:20])
    return con


def test_the_effect(shop: duckdb.DuckDBPyConnection) -> None:
    row = only(shop)
    assert (row.mailed, row.held_out, row.measured_mailed, row.measured_held_out) == (400, 200, 400, 200)
    assert (row.ordered, row.revenue) == (100, 2000)
    assert (row.mailed_ordered_share, row.held_out_ordered_share) == (25, 10)
    assert row.lift == pytest.approx(15)
    assert row.revenue_lift == pytest.approx(3)
    assert row.lift_low is not None
    assert row.lift_high is not None
    assert 8 < row.lift_low < 15 < row.lift_high < 22
    assert row.status == "measured"
    assert row.sentence.startswith("Writing brings orders: 25.0% of those written to ordered within 28 days, 10.0%")


def test_what_is_reported_is_what_is_kept(shop: duckdb.DuckDBPyConnection) -> None:
    for _ in range(2):
        report = measure(shop, LATER, 28)
    kept = shop.execute(
        "SELECT segment_kind, segment, lift, sentence FROM campaign_effectiveness ORDER BY 1"
    ).fetchall()
    assert kept == [
        (row.segment_kind, row.segment, row.lift, row.sentence)
        for row in sorted(report.rows, key=lambda row: row.segment_kind)
    ]
    assert [row[:2] for row in kept] == [("band", "at_risk"), ("campaign", "win-back"), ("variant", "plain")]


@pytest.mark.parametrize(
    ("after", "counts"),
    [
        (timedelta(), False),
        (-A_MOMENT, False),
        (A_MOMENT, True),
        (WINDOW, True),
        (WINDOW + A_MOMENT, False),
    ],
)
def test_the_window_begins_after_the_decision(con: duckdb.DuckDBPyConnection, after: timedelta, counts: bool) -> None:
    ensure_tables(con)
    rows = [decision(1, "sent")]
    insert_rows(con, "email_deliveries", rows)
    put_orders(con, rows, after)
    assert only(con).ordered == counts


@pytest.mark.parametrize("status", ["cancelled", "returned"])
def test_orders_that_do_not_count(con: duckdb.DuckDBPyConnection, status: str) -> None:
    ensure_tables(con)
    rows = [decision(1, "sent")]
    insert_rows(con, "email_deliveries", rows)
    put_orders(con, rows, status=status)
    assert (only(con).ordered, only(con).revenue) == (0, 0)


def test_several_orders_are_one_conversion(con: duckdb.DuckDBPyConnection) -> None:
    ensure_tables(con)
    rows = [decision(1, "sent")]
    insert_rows(con, "email_deliveries", rows)
    put_orders(con, rows)
    put_orders(con, rows, timedelta(days=5))
    assert (only(con).ordered, only(con).revenue) == (1, 40)


def test_intention_to_treat(shop: duckdb.DuckDBPyConnection) -> None:
    before = only(shop)
    shop.execute("UPDATE email_deliveries SET status = 'skipped' WHERE email_id IN ('sent-1', 'sent-399')")
    shop.execute("UPDATE email_deliveries SET status = 'failed' WHERE email_id = 'sent-2'")
    shop.execute("UPDATE email_deliveries SET status = 'draft' WHERE email_id = 'sent-3'")
    after = only(shop)
    assert after.sent == before.sent - 4
    assert (after.lift, after.lift_low, after.mailed) == (before.lift, before.lift_low, before.mailed)


def test_only_decisions_whose_window_is_over_are_measured(shop: duckdb.DuckDBPyConnection) -> None:
    young = [
        decision(number, "sent", decided_at=(LATER - WINDOW + A_MOMENT).replace(tzinfo=None)) for number in (901, 902)
    ]
    insert_rows(shop, "email_deliveries", young)
    put_orders(shop, young[:1])
    row = only(shop)
    assert (row.mailed, row.ordered, row.revenue) == (402, 101, 2020)
    assert (row.measured_mailed, row.mailed_ordered_share) == (400, 25)
    assert only(shop, LATER + A_MOMENT).measured_mailed == 402


def test_before_the_first_window_is_over_there_is_no_number(shop: duckdb.DuckDBPyConnection) -> None:
    row = only(shop, DECIDED + WINDOW - A_MOMENT)
    assert (row.status, row.lift, row.revenue_lift, row.mailed_ordered_share) == ("not_enough_data", None, None, None)
    assert row.sentence == (
        "Not enough data yet: 0 addresses written to of at least 100;"
        " 600 decisions are less than 28 days old and count later."
    )
    assert row.ordered == 100
    assert only(shop, DECIDED + WINDOW).status == "measured"


def test_later_orders_and_decisions_do_not_count(shop: duckdb.DuckDBPyConnection) -> None:
    assert only(shop, DECIDED + timedelta(days=3) - A_MOMENT).ordered == 0
    assert measure(shop, DECIDED - A_MOMENT, 28).rows == []


def test_decisions_on_one_address_are_not_independent(shop: duckdb.DuckDBPyConnection) -> None:
    before = only(shop)
    # The same users once more, a year earlier, with the same outcome.
    shop.execute(
        "INSERT INTO email_deliveries BY NAME SELECT * REPLACE (email_id || '-2' AS email_id,"
        " decided_at - INTERVAL 365 DAY AS decided_at) FROM email_deliveries"
    )
    shop.execute(
        "INSERT INTO raw_orders BY NAME SELECT * REPLACE (order_id || '-2' AS order_id,"
        " ordered_at - INTERVAL 365 DAY AS ordered_at) FROM raw_orders"
    )
    after = only(shop)
    assert after.measured_mailed == 800
    assert (after.lift, after.lift_low, after.lift_high) == pytest.approx(
        (before.lift, before.lift_low, before.lift_high)
    )


def test_each_segment_is_compared_with_its_own_hold_out(shop: duckdb.DuckDBPyConnection) -> None:
    shop.execute("UPDATE email_deliveries SET variant = 'warm' WHERE regexp_extract(email_id, '\\d+')::INTEGER % 2 = 0")
    shop.execute(
        "DELETE FROM raw_orders WHERE user_id IN"
        " (SELECT user_id FROM email_deliveries WHERE variant = 'warm' AND status = 'held_out')"
    )
    rows = {row.segment: row for row in measure(shop, LATER, 28).rows if row.segment_kind == "variant"}
    assert rows["warm"].sentence == "Not enough data yet: 0 of those held out ordered, of at least 5."
    assert (rows["plain"].held_out, rows["plain"].held_out_ordered_share) == (100, 10)


def test_without_variants_in_the_hold_out_all_of_it_is_compared(shop: duckdb.DuckDBPyConnection) -> None:
    shop.execute("UPDATE email_deliveries SET variant = NULL WHERE status = 'held_out'")
    variant, campaign = only(shop, kind="variant"), only(shop)
    assert (variant.segment, variant.held_out, variant.lift) == ("plain", 200, campaign.lift)


def test_a_band_that_nobody_was_held_out_from_has_no_effect(shop: duckdb.DuckDBPyConnection) -> None:
    shop.execute("UPDATE email_deliveries SET band = 'critical' WHERE status <> 'held_out'")
    rows = {row.segment: row for row in measure(shop, LATER, 28).rows if row.segment_kind == "band"}
    assert (rows["critical"].mailed, rows["critical"].held_out, rows["critical"].status) == (400, 0, "not_enough_data")
    assert (rows["at_risk"].mailed, rows["at_risk"].held_out, rows["at_risk"].status) == (0, 200, "not_enough_data")


def test_the_funnel_reads_statuses_and_events(con: duckdb.DuckDBPyConnection) -> None:
    ensure_tables(con)
    statuses = ["draft", "queued", "sending", "sent", "delivered", "opened", "clicked"]
    statuses += ["bounced", "complained", "skipped", "failed", "unknown"]
    insert_rows(con, "email_deliveries", [decision(1, status) for status in statuses])
    events = [("sent-1", "delivery"), ("delivered-1", "open"), ("complained-1", "click"), ("bounced-1", "delivery")]
    insert_rows(con, "email_events", [{"email_id": email, "kind": kind} for email, kind in events])
    row = only(con)
    assert (row.mailed, row.sent, row.delivered, row.opened, row.clicked) == (12, 6, 6, 4, 2)


def test_an_empty_warehouse_has_nothing_to_say(con: duckdb.DuckDBPyConnection) -> None:
    assert measure(con, LATER, 28).rows == []
    assert con.execute("SELECT count(*) FROM campaign_effectiveness").fetchone() == (0,)


def test_a_moment_needs_a_time_zone(con: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(ValueError, match="time zone"):
        measure(con, LATER.replace(tzinfo=None), 28)


@pytest.mark.parametrize("other", [{"user_id": "erased:1"}, {"requested_by": "a marketer"}])
def test_who_is_not_comparable_counts_but_measures_nothing(shop: duckdb.DuckDBPyConnection, other: Row) -> None:
    before = only(shop)
    insert_rows(shop, "email_deliveries", [decision(number, "sent", **other) for number in range(1_000, 1_050)])
    after = only(shop)
    assert (after.mailed, after.sent) == (before.mailed + 50, before.sent + 50)
    assert (after.measured_mailed, after.lift) == (before.measured_mailed, before.lift)
