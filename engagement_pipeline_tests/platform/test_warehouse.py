"""The warehouse: one process at a time, always closed, rows in by name."""

import subprocess
import sys
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

import duckdb
import pytest

from engagement_pipeline.platform import warehouse

HOLD = """
import sys, time
from engagement_pipeline.platform import warehouse
with warehouse.connect(sys.argv[1]) as con:
    print("open", flush=True)
    time.sleep(float(sys.argv[2]))
"""


def hold(path: Path, seconds: float) -> subprocess.Popen[str]:
    """Keep the file open in another process."""
    command = [sys.executable, "-c", HOLD, str(path), str(seconds)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "open\n"
    return process


def test_waits_for_another_process(tmp_path: Path) -> None:
    process = hold(tmp_path / "w.duckdb", 0.5)
    with warehouse.connect(tmp_path / "w.duckdb", wait_seconds=20) as con:
        assert con.execute("SELECT 1").fetchone() == (1,)
    process.wait()


def test_gives_up_after_the_bound(tmp_path: Path) -> None:
    process = hold(tmp_path / "w.duckdb", 30)
    start = time.monotonic()
    with (
        pytest.raises(warehouse.WarehouseBusyError, match=r"gave up after 0\.3 s"),
        warehouse.connect(tmp_path / "w.duckdb", wait_seconds=0.3),
    ):
        pass
    assert time.monotonic() - start < 10
    process.kill()
    process.wait()


def test_closes_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), warehouse.connect(tmp_path / "w.duckdb"):
        raise ZeroDivisionError
    with warehouse.connect(tmp_path / "w.duckdb", wait_seconds=0):
        pass


def test_read_only_cannot_write(tmp_path: Path) -> None:
    with warehouse.connect(tmp_path / "w.duckdb"):
        pass
    with (
        warehouse.connect(tmp_path / "w.duckdb", read_only=True) as con,
        pytest.raises(duckdb.InvalidInputException, match="read-only"),
    ):
        con.execute("CREATE TABLE t (a INTEGER)")


def test_a_transaction_is_all_or_nothing(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("CREATE TABLE t (a INTEGER)")
    with pytest.raises(ZeroDivisionError), warehouse.transaction(con):  # noqa: PT012 - all belong to it
        con.execute("INSERT INTO t VALUES (1)")
        warehouse.set_offset(con, "reader", 7)
        raise ZeroDivisionError
    assert con.execute("SELECT count(*) FROM t").fetchone() == (0,)
    assert warehouse.get_offset(con, "reader") is None


@pytest.mark.parametrize("rows", [1, 500, 501, 2_000])
def test_rows_arrive_the_same_by_either_way(con: duckdb.DuckDBPyConnection, rows: int) -> None:
    con.execute("CREATE TABLE t (left_out INTEGER, name VARCHAR, tags VARCHAR[], at_moment TIMESTAMP, price DOUBLE)")
    moment = datetime(2026, 3, 1, 9, 30, tzinfo=timezone(timedelta(hours=2)))
    given = [
        {"name": f"n{number}", "tags": ["a", "b"] if number % 2 else [], "at_moment": moment, "price": None}
        for number in range(rows)
    ]
    warehouse.insert_rows(con, "t", given)
    found = con.execute("SELECT * FROM t ORDER BY length(name), name").fetchall()
    naive = datetime(2026, 3, 1, 7, 30)  # noqa: DTZ001 - the warehouse's moments are naive, in UTC
    assert len(found) == rows
    assert found[0] == (None, "n0", [], naive, None)
    assert found[-1][2] == (["a", "b"] if (rows - 1) % 2 else [])
