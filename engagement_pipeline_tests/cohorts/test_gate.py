"""Each rule, its boundary to the day, and which of two reasons is the one named."""

from datetime import datetime, timedelta, timezone
from typing import Any

import duckdb
import pytest

from engagement_pipeline.cohorts.gate import ScoresMissingError, decide
from engagement_pipeline.cohorts.reasons import Reason
from engagement_pipeline.platform.settings_groups import GateSettings, ScoringSettings
from engagement_pipeline.scoring.scores import rescore
from engagement_pipeline_tests.cohorts.builders import KEY, NO_HOLD_OUT, NOW, ago, eligible, put, run, verdicts

A_MOMENT = 1 / 86_400

CASES: list[tuple[str, dict[str, Any]]] = [
    ("eligible", {}),
    ("no_address", {"address_key": None}),
    ("no_consent", {"consent": False}),
    ("no_consent", {"consent": None}),
    ("no_orders", {"order_days": 0, "order_count": 0, "last_order_at": None}),
    ("no_orders", {"last_order_at": None}),
    ("silence_too_short", {"last_order_at": ago(29)}),
    ("eligible", {"last_order_at": ago(30)}),
    ("eligible", {"last_order_at": ago(365)}),
    ("silence_too_long", {"last_order_at": ago(366)}),
    # Days are whole UTC days: the time of day of the order does not matter.
    ("eligible", {"last_order_at": datetime(2026, 1, 31, 23, 59, 59)}),  # noqa: DTZ001
    ("silence_too_short", {"last_order_at": datetime(2026, 2, 1, 0, 0, 0)}),  # noqa: DTZ001
    ("silence_too_short", {"last_order_at": ago(-1)}),
    ("eligible", {"last_touch_at": ago(28), "touches_since_order": 1}),
    ("cool_down", {"last_touch_at": ago(28 - A_MOMENT), "touches_since_order": 1}),
    ("cool_down", {"last_touch_at": ago(27), "touches_since_order": 1}),
    ("cool_down", {"last_touch_at": ago(-1), "touches_since_order": 1}),
    ("eligible", {"last_touch_at": ago(40), "touches_since_order": 2}),
    ("max_emails_reached", {"last_touch_at": ago(40), "touches_since_order": 3}),
]


@pytest.mark.parametrize(("reason", "changes"), CASES)
def test_each_rule(con: duckdb.DuckDBPyConnection, reason: str, changes: dict[str, Any]) -> None:
    put(con, [eligible("u", order_days=1, order_count=1) | changes])
    run(con)
    assert verdicts(con) == {"u": ("mail" if reason == "eligible" else "skip", reason)}


# Failing all of these at once names the first; taking the rules away one by one names the next.
BROKEN: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("no_address", {"address_key": None}, {"address_key": "shared"}),
    ("suppressed", {}, {"address_key": "own"}),
    ("no_consent", {"consent": False}, {"consent": True}),
    ("no_orders", {"order_days": 0}, {"order_days": 1}),
    ("silence_too_short", {"last_order_at": ago(3)}, {"last_order_at": ago(90)}),
    ("max_emails_reached", {"touches_since_order": 3}, {"touches_since_order": 1}),
    ("cool_down", {"last_touch_at": ago(3)}, {"last_touch_at": None}),
]


def test_precedence(con: duckdb.DuckDBPyConnection) -> None:
    row = eligible("u")
    for _, breaks, _ in BROKEN:
        row |= breaks
    for reason, _, mends in BROKEN:
        put(con, [row], suppressed=["shared"])
        run(con)
        assert verdicts(con) == {"u": ("skip", reason)}
        row |= mends
    put(con, [row], suppressed=["shared"])
    run(con)
    assert verdicts(con) == {"u": ("mail", "eligible")}


def test_suppressed_beats_everything_but_a_missing_address(con: duckdb.DuckDBPyConnection) -> None:
    put(con, [eligible("u", consent=False), eligible("v")], suppressed=["address-of-u"])
    run(con)
    assert verdicts(con) == {"u": ("skip", "suppressed"), "v": ("mail", "eligible")}


def test_one_of_several_users_with_one_address(con: duckdb.DuckDBPyConnection) -> None:
    rows = [
        eligible("poor", address_key="shared", average_order_value=10.0),
        eligible("rich-b", address_key="shared", average_order_value=90.0),
        eligible("rich-a", address_key="shared", average_order_value=90.0),
        eligible("richest-but-silent", address_key="shared", average_order_value=900.0, last_order_at=ago(400)),
        eligible("alone"),
    ]
    put(con, rows)
    run(con)
    assert verdicts(con) == {
        "poor": ("skip", "duplicate_address"),
        "rich-b": ("skip", "duplicate_address"),
        "rich-a": ("mail", "eligible"),
        "richest-but-silent": ("skip", "silence_too_long"),
        "alone": ("mail", "eligible"),
    }


def test_a_touch_of_anybody_cools_the_address_down(con: duckdb.DuckDBPyConnection) -> None:
    regular = eligible("regular", address_key="shared", order_days=40, last_order_at=ago(5), last_touch_at=ago(27))
    rows = [regular, eligible("a", address_key="shared"), eligible("b", address_key="shared")]
    put(con, rows)
    run(con)
    assert verdicts(con) == {"a": ("skip", "address_cool_down"), "b": ("skip", "address_cool_down")}
    regular["last_touch_at"] = ago(28)
    put(con, rows)
    run(con)
    assert verdicts(con) == {"a": ("mail", "eligible"), "b": ("skip", "duplicate_address")}


def test_what_is_kept_with_a_decision(con: duckdb.DuckDBPyConnection) -> None:
    put(con, [eligible("u", steps=2, changed_seq=7), eligible("v", consent=False)])
    report = run(con)
    row = con.execute(
        "SELECT score, band, value_at_risk, step, as_of, decided_at, changed_seq FROM at_risk_cohorts"
        " WHERE user_id = 'u'"
    ).fetchone()
    assert row is not None
    score, band, value, step, as_of, decided_at, seq = row
    assert (band, step, as_of, seq) == ("critical", 3, NOW.date(), 7)
    assert value == pytest.approx(40 * (1 - score / 100), abs=0.005)
    assert decided_at == NOW.replace(tzinfo=None)
    assert (report.below, report.decided) == (2, 2)
    assert report.by_decision == {"mail": 1, "skip": 1}
    assert report.by_reason == {"eligible": 1, "no_consent": 1}


def test_everybody_below_the_threshold_and_nobody_else(con: duckdb.DuckDBPyConnection) -> None:
    rows = [eligible(f"u{n:02}", order_days=1 + 5 * (n % 3), last_order_at=ago(9 * n)) for n in range(30)]
    put(con, rows)
    rescore(con, NOW.date(), ScoringSettings(), full=True, now=NOW)
    run(con)
    expected = con.execute("SELECT user_id, score, band FROM engagement_scores WHERE score < 50 ORDER BY 1").fetchall()
    assert 0 < len(expected) < 30
    assert con.execute("SELECT user_id, score, band FROM at_risk_cohorts ORDER BY 1").fetchall() == expected


def test_limits_are_settings(con: duckdb.DuckDBPyConnection) -> None:
    gate = GateSettings(
        min_silence_days=10, max_silence_days=20, cool_down_days=7, max_emails_per_silence=1, hold_out_share=0
    )
    once = {"order_days": 1, "order_count": 1}
    rows = [
        eligible("short", last_order_at=ago(9), **once),
        eligible("first", last_order_at=ago(10), **once),
        eligible("last", last_order_at=ago(20), **once),
        eligible("long", last_order_at=ago(21), **once),
        eligible("cool", last_order_at=ago(15), last_touch_at=ago(6), **once),
        eligible("warm", last_order_at=ago(15), last_touch_at=ago(7), **once),
        eligible("enough", last_order_at=ago(15), touches_since_order=1, **once),
    ]
    put(con, rows)
    run(con, gate)
    assert {user: reason for user, (_, reason) in verdicts(con).items()} == {
        "short": "silence_too_short",
        "first": "eligible",
        "last": "eligible",
        "long": "silence_too_long",
        "cool": "cool_down",
        "warm": "eligible",
        "enough": "max_emails_reached",
    }


def test_the_threshold_is_a_setting(con: duckdb.DuckDBPyConnection) -> None:
    put(con, [eligible("u")])
    decide(con, NOW, NO_HOLD_OUT, ScoringSettings(critical_below=1, at_risk_below=2), KEY, full=True)
    assert verdicts(con) == {}


def test_days_are_utc_days_wherever_the_clock_stands(con: duckdb.DuckDBPyConnection) -> None:
    put(con, [eligible("u", order_days=1, last_order_at=ago(29))])
    tomorrow_in_tokyo = NOW.astimezone(timezone(timedelta(hours=9)))
    assert tomorrow_in_tokyo.date() > NOW.date()
    decide(con, tomorrow_in_tokyo, NO_HOLD_OUT, ScoringSettings(), KEY, full=True)
    assert verdicts(con) == {"u": ("skip", "silence_too_short")}


def test_without_scores_nobody_is_decided_on(con: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(ScoresMissingError, match="engagement_scores"):
        run(con)


def test_a_moment_needs_a_time_zone(con: duckdb.DuckDBPyConnection) -> None:
    put(con, [eligible("u")])
    with pytest.raises(ValueError, match="time zone"):
        decide(con, NOW.replace(tzinfo=None), NO_HOLD_OUT, ScoringSettings(), KEY, full=True)


def test_every_reason_has_one_sentence() -> None:
    meanings = [reason.meaning for reason in Reason]
    assert len(set(meanings)) == len(Reason)
    assert all(meaning.endswith(".") and meaning.count(".") == 1 for meaning in meanings)
