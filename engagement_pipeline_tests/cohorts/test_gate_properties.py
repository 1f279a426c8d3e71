"""The gate against an independent account of its rules, on any set of users; and changes against everything anew."""

import math
from collections.abc import Iterator
from hashlib import md5
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engagement_pipeline.cohorts.recheck import Candidate, GateChecker
from engagement_pipeline.platform import warehouse
from engagement_pipeline.platform.settings_groups import GateSettings, ScoringSettings
from engagement_pipeline_tests.cohorts.builders import KEY, NOW, Row, ago, eligible, put, run, verdicts

ADDRESSES = ["a", "b", "c", "d", "e"]
GATE = GateSettings(hold_out_share=0.3)

days = st.sampled_from([0, 3, 27, 28, 29, 30, 31, 60, 90, 200, 364, 365, 366, 500])
users = st.fixed_dictionaries(
    {
        "address_key": st.sampled_from([None, *ADDRESSES]),
        "consent": st.sampled_from([True, True, True, False]),
        "order_days": st.sampled_from([0, 1, 1, 2, 2, 9]),
        "average_order_value": st.sampled_from([0.0, 20.0, 50.0, 300.0]),
        "last_order_at": days.map(ago),
        "last_touch_at": st.none() | days.map(ago),
        "touches_since_order": st.integers(0, 4),
        "steps": st.integers(0, 5),
    }
)
suppressions = st.sets(st.sampled_from(ADDRESSES), max_size=2)
changes = st.one_of(
    st.tuples(st.just("put"), st.integers(0, 9), users),
    st.tuples(st.just("delete"), st.integers(0, 9), st.none()),
    st.tuples(st.just("suppress"), st.none(), suppressions),
)


@pytest.fixture(scope="module")
def memory() -> Iterator[duckdb.DuckDBPyConnection]:
    with warehouse.connect(":memory:") as connection:
        yield connection


def score(row: Row) -> float:
    """Facts section 1, written out once more."""
    if row["order_days"] == 0:
        return 0
    silence = (NOW.date() - row["last_order_at"].date()).days
    value = math.sqrt((1 + row["average_order_value"] / 50) / 2)
    odds = 30 * row["order_days"] ** 0.75 * value / (45 + silence)
    return float(round(100 * odds / (1 + odds), 2))


def own_reason(row: Row, suppressed: set[str]) -> str | None:
    """Return what forbids writing to this user, looking at nobody else."""
    silence = (NOW.date() - row["last_order_at"].date()).days
    rules = [
        (row["address_key"] is None, "no_address"),
        (row["address_key"] in suppressed, "suppressed"),
        (not row["consent"], "no_consent"),
        (row["order_days"] == 0, "no_orders"),
        (silence < 30, "silence_too_short"),
        (silence > 365, "silence_too_long"),
        (row["touches_since_order"] >= 3, "max_emails_reached"),
        (row["last_touch_at"] is not None and row["last_touch_at"] > ago(28), "cool_down"),
    ]
    return next((reason for fails, reason in rules if fails), None)


def is_held_out(address: str) -> bool:
    return int(md5(f"{KEY}:{address[:32]}".encode()).hexdigest()[:8], 16) < 0.3 * 2**32


def oracle(rows: list[Row], suppressed: set[str]) -> dict[str, tuple[str, str]]:
    below = [row for row in rows if score(row) < 50]
    open_rows = [row for row in below if own_reason(row, suppressed) is None]
    result = {}
    for row in below:
        address = row["address_key"]
        rivals = [other for other in open_rows if other["address_key"] == address]
        best = min(rivals, default=None, key=lambda r: (-worth(r), r["user_id"]))
        touched = any(
            other["address_key"] == address and other["last_touch_at"] and other["last_touch_at"] > ago(28)
            for other in rows
        )
        if reason := own_reason(row, suppressed):
            result[row["user_id"]] = ("skip", reason)
        elif touched:
            result[row["user_id"]] = ("skip", "address_cool_down")
        elif best is not row:
            result[row["user_id"]] = ("skip", "duplicate_address")
        elif is_held_out(address):
            result[row["user_id"]] = ("hold_out", "hold_out")
        else:
            result[row["user_id"]] = ("mail", "eligible")
    return result


def worth(row: Row) -> float:
    return float(round(row["average_order_value"] * (1 - score(row) / 100), 2))


@settings(max_examples=60, deadline=None)
@given(drawn=st.lists(users, min_size=1, max_size=12), suppressed=suppressions)
def test_any_users_get_the_decision_that_the_rules_say(
    memory: duckdb.DuckDBPyConnection, drawn: list[Row], suppressed: set[str]
) -> None:
    rows = [eligible(f"u{number}", **row) for number, row in enumerate(drawn)]
    put(memory, rows, sorted(suppressed))
    run(memory, GATE)
    assert verdicts(memory) == oracle(rows, suppressed)


@settings(max_examples=40, deadline=None)
@given(
    first=st.lists(users, max_size=8),
    batches=st.lists(st.lists(changes, min_size=1, max_size=4), min_size=1, max_size=3),
)
def test_deciding_on_changes_equals_deciding_on_everybody(
    memory: duckdb.DuckDBPyConnection, first: list[Row], batches: list[list[tuple[str, Any, Any]]]
) -> None:
    rows = {f"u{number}": eligible(f"u{number}", **row) for number, row in enumerate(first)}
    suppressed: set[str] = set()
    seq = 1
    memory.execute("DROP TABLE IF EXISTS offsets")
    put(memory, list(rows.values()))
    run(memory, GATE, full=False)
    for batch in batches:
        for kind, number, value in batch:
            seq += 1
            if kind == "put":
                rows[f"u{number}"] = eligible(f"u{number}", changed_seq=seq, **value)
            elif kind == "delete":
                rows.pop(f"u{number}", None)
            else:
                suppressed = value
        put(memory, list(rows.values()), sorted(suppressed))
        run(memory, GATE, full=False)
        partly = everything(memory)
        report = run(memory, GATE, full=True)
        assert partly == everything(memory)
        assert report.below == len(partly)


def everything(con: duckdb.DuckDBPyConnection) -> list[tuple[Any, ...]]:
    return con.execute("SELECT * EXCLUDE (changed_seq) FROM at_risk_cohorts ORDER BY user_id").fetchall()


def test_who_is_decided_anew_is_seen_downstream(con: duckdb.DuckDBPyConnection) -> None:
    first = eligible("first", address_key="shared", average_order_value=90.0)
    second = eligible("second", address_key="shared")
    put(con, [first, second, eligible("other")])
    run(con, full=False)
    put(con, [first | {"consent": False, "changed_seq": 5}, second, eligible("other")])
    report = run(con, full=False)
    assert verdicts(con)["second"] == ("mail", "eligible")
    seqs = dict(con.execute("SELECT user_id, changed_seq FROM at_risk_cohorts").fetchall())
    assert seqs == {"first": 5, "second": 5, "other": 1}
    assert report.decided == 2


def test_users_are_found_though_suppressions_are_read_further(con: duckdb.DuckDBPyConnection) -> None:
    put(con, [eligible("u")])
    warehouse.set_offset(con, "raw", 1)
    warehouse.set_offset(con, "suppressions", 50)
    run(con, full=False)
    put(con, [eligible("u", changed_seq=10, consent=False)])
    run(con, full=False)
    assert verdicts(con) == {"u": ("skip", "no_consent")}


@settings(max_examples=40, deadline=None)
@given(drawn=st.lists(users, max_size=8), suppressed=suppressions)
def test_checking_again_says_the_same(
    memory: duckdb.DuckDBPyConnection, drawn: list[Row], suppressed: set[str]
) -> None:
    rows = [eligible(f"u{number}", **row) for number, row in enumerate(drawn)]
    put(memory, rows, sorted(suppressed))
    run(memory, GATE)
    touched: dict[str, Any] = {}
    for row in rows:
        if row["last_touch_at"] is not None:
            key = row["address_key"] or row["user_id"]
            touched[key] = max(row["last_touch_at"], touched.get(key, row["last_touch_at"]))
    candidates = [as_candidate(row, suppressed, touched) for row in rows if score(row) < 50]
    with GateChecker(GATE, ScoringSettings(), KEY) as checker:
        checked = checker.recheck(candidates, NOW)
    # Before sending, a touch of the address is not told apart from one of the user.
    assert {user: (v.decision, v.reason.value) for user, v in checked.items()} == {
        user: (decision, reason.replace("address_cool_down", "cool_down"))
        for user, (decision, reason) in verdicts(memory).items()
    }


def as_candidate(row: Row, suppressed: set[str], touched: dict[str, Any]) -> Candidate:
    touch = touched.get(row["address_key"] or row["user_id"])
    return Candidate(
        user_id=row["user_id"],
        address_key=row["address_key"],
        score=score(row),
        order_days=row["order_days"],
        last_order_at=row["last_order_at"].replace(tzinfo=NOW.tzinfo),
        average_order_value=row["average_order_value"],
        consent=row["consent"],
        suppressed=row["address_key"] in suppressed,
        last_touch_at=None if touch is None else touch.replace(tzinfo=NOW.tzinfo),
        touches_since_order=row["touches_since_order"],
    )
