"""The backtest: the published numbers on the sample, and statistics that agree with their definitions."""

from datetime import date, timedelta
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engagement_pipeline.platform.settings_groups import ScoringSettings
from engagement_pipeline.scoring.backtest import BacktestError, BacktestReport, backtest, plot
from engagement_pipeline_tests.scoring.facts import SAMPLE, SETTINGS, load_sample_orders

CUTOFF = date(1998, 4, 1)


@pytest.fixture(scope="module")
def report() -> BacktestReport:
    return backtest(SAMPLE, [CUTOFF], SETTINGS)


def test_published_numbers_of_the_sample(report: BacktestReport) -> None:
    (cutoff,) = report.cutoffs
    assert cutoff.users == 23_570
    assert cutoff.auc is not None
    assert round(cutoff.auc, 3) == 0.837
    assert round(cutoff.brier, 3) == 0.092
    assert round(cutoff.below_threshold, 3) == 0.905


def test_rivals_stand_beside_it(report: BacktestReport) -> None:
    (cutoff,) = report.cutoffs
    assert cutoff.auc is not None
    assert cutoff.auc_recency is not None
    assert cutoff.auc_rfm is not None
    assert 0.5 < cutoff.auc_recency < cutoff.auc
    assert 0.5 < cutoff.auc_rfm < cutoff.auc
    assert cutoff.brier < cutoff.brier_of_the_mean


def test_deciles_divide_all_users_and_rise(report: BacktestReport) -> None:
    (cutoff,) = report.cutoffs
    assert [decile.number for decile in cutoff.deciles] == list(range(1, 11))
    assert sum(decile.users for decile in cutoff.deciles) == cutoff.users
    predicted = [decile.predicted for decile in cutoff.deciles]
    assert predicted == sorted(predicted)
    observed = sum(decile.users * decile.observed for decile in cutoff.deciles)
    assert observed == pytest.approx(cutoff.users * cutoff.came_back)


def test_warehouse_and_file_agree(con: duckdb.DuckDBPyConnection, report: BacktestReport) -> None:
    load_sample_orders(con)
    (here,), (there,) = backtest(con, [CUTOFF], SETTINGS).cutoffs, report.cutoffs
    assert (here.auc, here.auc_recency, here.auc_rfm) == (there.auc, there.auc_recency, there.auc_rfm)
    assert here.brier == pytest.approx(there.brier, rel=1e-9)
    assert here.population == there.population
    left_behind = con.execute("SELECT table_name FROM duckdb_tables() WHERE temporary").fetchall()
    assert left_behind == []


def test_several_cutoffs_come_in_order() -> None:
    report = backtest(SAMPLE, [CUTOFF, date(1998, 1, 1), CUTOFF], SETTINGS)
    assert [cutoff.day for cutoff in report.cutoffs] == [date(1998, 1, 1), CUTOFF]


def test_without_a_cutoff_the_latest_with_a_whole_horizon_is_taken() -> None:
    assert [cutoff.day for cutoff in backtest(SAMPLE, [], SETTINGS).cutoffs] == [date(1998, 4, 2)]


@pytest.mark.parametrize("day", [date(1997, 1, 1), date(1998, 4, 3)])
def test_a_cutoff_that_the_orders_cannot_answer_is_refused(day: date) -> None:
    with pytest.raises(BacktestError, match="no later than 1998-04-02"):
        backtest(SAMPLE, [day], SETTINGS)


def test_known_before_says_that_days_without_orders_are_known_too(con: duckdb.DuckDBPyConnection) -> None:
    write_orders(con, [("a", 0, 10.0, "delivered"), ("b", 1, 10.0, "delivered")])
    day = date(2026, 1, 1) + timedelta(days=5)
    with pytest.raises(BacktestError, match="too short"):
        backtest(con, [day], SETTINGS)
    report = backtest(con, [day], SETTINGS, known_before=day + timedelta(days=90))
    assert (report.cutoffs[0].came_back, report.cutoffs[0].auc) == (0, None)


def test_no_orders_at_all(con: duckdb.DuckDBPyConnection) -> None:
    write_orders(con, [])
    with pytest.raises(BacktestError, match="no orders"):
        backtest(con, [], SETTINGS)


def test_outcome_is_a_counted_order_from_the_cutoff_to_before_the_horizon(con: duckdb.DuckDBPyConnection) -> None:
    users = ["before", "on the day", "last day", "too late", "returned"]
    later = [("on the day", 10), ("last day", 39), ("too late", 40)]
    write_orders(
        con,
        [(user, number, 10.0, "delivered") for number, user in enumerate(users)]
        + [(user, day, 10.0, "delivered") for user, day in later]
        + [("returned", 20, 10.0, "returned"), ("stranger", 20, 10.0, "delivered")],
    )
    day = date(2026, 1, 1) + timedelta(days=10)
    (cutoff,) = backtest(con, [day], ScoringSettings(horizon_days=30)).cutoffs
    assert cutoff.users == 5
    assert cutoff.came_back == pytest.approx(2 / 5)


HISTORIES = st.lists(
    st.tuples(st.sampled_from("abcdefgh"), st.integers(0, 60), st.sampled_from([5.0, 10.0, 80.0])), min_size=4
)


@settings(max_examples=25, deadline=None)
@given(HISTORIES)
def test_auc_is_the_share_of_pairs_ranked_right(history: list[tuple[str, int, float]]) -> None:
    first, cut = date(2026, 1, 1), date(2026, 2, 1)
    orders = [("a", 0, 10.0, "delivered"), *((*order, "delivered") for order in history)]
    with duckdb.connect() as con:
        write_orders(con, orders)
        limits = ScoringSettings(horizon_days=30)
        (found,) = backtest(con, [cut], limits, known_before=date(2026, 4, 1)).cutoffs
    last: dict[str, int] = {}
    back = set()
    for user, day, _, _ in orders:
        if first + timedelta(days=day) < cut:
            last[user] = max(last.get(user, 0), day)
        elif first + timedelta(days=day) < cut + timedelta(days=30):
            back.add(user)
    pairs = [(last[a], last[b]) for a in last for b in last if a in back and b not in back]
    assert found.came_back == pytest.approx(len(back & set(last)) / len(last))
    if pairs:
        expected = sum(1.0 if a > b else 0.5 if a == b else 0.0 for a, b in pairs) / len(pairs)
        assert found.auc_recency == pytest.approx(expected)
    else:
        assert found.auc_recency is None


def test_plot_is_a_picture(report: BacktestReport, tmp_path: Path) -> None:
    several = backtest(SAMPLE, [date(1998, 1, 1), CUTOFF], SETTINGS)
    for each in (report, several):
        picture = plot(each)
        assert picture.startswith(b"\x89PNG")
        assert len(picture) > 20_000


def write_orders(con: duckdb.DuckDBPyConnection, orders: list[tuple[str, int, float, str]]) -> None:
    con.execute("CREATE TABLE raw_orders (user_id VARCHAR, ordered_at TIMESTAMP, total_value DOUBLE, status VARCHAR)")
    for user, day, value, status in orders:
        moment = date(2026, 1, 1) + timedelta(days=day)
        con.execute("INSERT INTO raw_orders VALUES (?, ?, ?, ?)", [user, moment, value, status])
