"""Wrong input, as a new user would try it: one clear sentence, or a rejected record that says why; nothing is lost."""

import gzip
import resource
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from engagement_pipeline.platform.sql import Database
from engagement_pipeline.users.importing import UnreadableFileError, import_path
from engagement_pipeline.users.rejects import MAX_ORIGINAL, count_by_reason, list_rejected
from engagement_pipeline.users.store import SqlUserStore
from engagement_pipeline_tests.conftest import NOW
from engagement_pipeline_tests.users.builders import log_of, newest_seq, store_of, user

HEADER = "order_id,user_id,ordered_at,total_value,item_count,status\n"
GOOD = "good,u1,2025-03-01,10,1,delivered\n"
TOMORROW = f"{NOW + timedelta(hours=20):%Y-%m-%dT%H:%M:%SZ}"
NEXT_WEEK = f"{NOW + timedelta(days=7):%Y-%m-%d}"


@pytest.fixture
def store(database: Database) -> SqlUserStore:
    store = store_of(database)
    store.put_users([user("u1")], NOW)
    return store


def rejects_of(database: Database) -> list[Any]:
    with database.read() as connection:
        return list(list_rejected(connection))


@pytest.mark.parametrize(
    ("line", "field", "reason"),
    [
        ("x,u1,2025-03-01,-1,1,delivered", "total_value", "negative"),
        ("x,u1,2025-03-01,10,-1,delivered", "item_count", "negative"),
        ("x,u1,2025-03-01,nan,1,delivered", "total_value", "not_finite"),
        ("x,u1,2025-03-01,-Infinity,1,delivered", "total_value", "not_finite"),
        ("x,u1,2025-03-01,1e999,1,delivered", "total_value", "not_finite"),
        ("x,u1,2025-03-01,1e15,1,delivered", "total_value", "too_large"),
        ("x,u1,2025-03-01,$10,1,delivered", "total_value", "not_a_number"),
        ("x,u1,2025-03-01,1_000,1,delivered", "total_value", "not_a_number"),
        ('x,u1,2025-03-01,"1,50",1,delivered', "total_value", "not_a_number"),
        ("x,u1,2025-03-01,,1,delivered", "total_value", "missing_value"),
        ("x,u1,2025-03-01,10,1.5,delivered", "item_count", "not_a_whole_number"),
        ("x,u1,2025-03-01,10,99999999999,delivered", "item_count", "too_large"),
        ("x,u1,03/04/2025,10,1,delivered", "ordered_at", "not_a_date"),
        ("x,u1,31.03.2025,10,1,delivered", "ordered_at", "not_a_date"),
        ("x,u1,20250331,10,1,delivered", "ordered_at", "not_a_date"),
        ("x,u1,1741000000,10,1,delivered", "ordered_at", "not_a_date"),
        ("x,u1,2025-02-30,10,1,delivered", "ordered_at", "not_a_date"),
        ("x,u1,2025-03-01T25:00,10,1,delivered", "ordered_at", "not_a_date"),
        ("x,u1,2025-03-01T12:00+99:00,10,1,delivered", "ordered_at", "not_a_date"),
        ("x,u1,٢٠٢٥-03-01,10,1,delivered", "ordered_at", "not_a_date"),
        ("x,u1,0001-01-01T00:00+05:00,10,1,delivered", "ordered_at", "date_out_of_range"),
        (f"x,u1,{NEXT_WEEK},10,1,delivered", "ordered_at", "future_date"),
        ("x,u1,9999-12-31T23:59-11:00,10,1,delivered", "ordered_at", "date_out_of_range"),
        ("x,u1,2025-03-01,10,1,lost", "status", "unknown_status"),
        (",u1,2025-03-01,10,1,delivered", "order_id", "missing_value"),
        ("x,,2025-03-01,10,1,delivered", "user_id", "missing_value"),
        (f"{'x' * 129},u1,2025-03-01,10,1,delivered", "order_id", "too_long"),
        ("x\x07y,u1,2025-03-01,10,1,delivered", "order_id", "control_characters"),
        ("x\x00y,u1,2025-03-01,10,1,delivered", "order_id", "control_characters"),
        ("x,ghost,2025-03-01,10,1,delivered", "user_id", "unknown_user"),
        ("x,u1,2025-03-01,10", None, "wrong_field_count"),
        ("x,u1,2025-03-01,10,1,delivered,more", None, "wrong_field_count"),
        ('"x,u1,2025-03-01,10,1,delivered', None, "malformed"),
        ('"x"y,u1,2025-03-01,10,1,delivered', None, "malformed"),
        ("x;u1;2025-03-01;10;1;delivered", None, "wrong_field_count"),
    ],
)
def test_a_bad_order_is_kept_aside_and_the_rest_imported(
    database: Database, store: SqlUserStore, tmp_path: Path, line: str, field: str | None, reason: str
) -> None:
    path = tmp_path / "orders.csv"
    path.write_text(HEADER + line + "\n" + GOOD, encoding="utf-8")
    for _ in range(2):
        report = import_path(store, "order", path, NOW)
        assert (report.read, report.created + report.unchanged, report.rejected) == (2, 1, 1)
        [row] = rejects_of(database)
        assert (row.entity, row.file, row.line, row.field, row.reason) == ("order", "orders.csv", 2, field, reason)
        assert row.original == line.replace("\x00", "\\x00")
        assert row.message
        assert field is None or row.message.startswith(field)
    assert len(store.orders_of("u1")) == 1


@pytest.mark.parametrize(
    ("line", "field", "reason"),
    [
        ("u9,nobody,true,UTC,", "email", "invalid_email"),
        ("u9,a@b@example.com,true,UTC,", "email", "invalid_email"),
        ("u9,a@example.com,perhaps,UTC,", "consent", "not_true_or_false"),
        ("u9,a@example.com,2,UTC,", "consent", "not_true_or_false"),
        ("u9,a@example.com,true,Berlin,", "time_zone", "unknown_time_zone"),
        ("u9,a@example.com,true,UTC,3", None, "inconsistent"),
        (",a@example.com,true,UTC,", "user_id", "missing_value"),
    ],
)
def test_a_bad_user_is_kept_aside(
    database: Database, tmp_path: Path, line: str, field: str | None, reason: str
) -> None:
    path = tmp_path / "users.csv"
    path.write_text(f"user_id,email,consent,time_zone,order_count\n{line}\nu2,b@example.com,true,UTC,\n")
    report = import_path(store_of(database), "user", path, NOW)
    assert (report.created, report.rejected) == (1, 1)
    [row] = rejects_of(database)
    assert (row.field, row.reason, row.original) == (field, reason, line)
    # What is kept for people to read aloud does not say whom it is about.
    assert "@" not in row.message


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{broken", "malformed"),
        ("[1, 2]", "malformed"),
        ('"text"', "malformed"),
        ("[" * 100_000, "malformed"),
        ('{"order_id": true, "user_id": "u1", "ordered_at": "2025-03-01", "total_value": 1}', "not_a_text"),
        ('{"order_id": "x", "user_id": {"a": 1}, "ordered_at": "2025-03-01", "total_value": 1}', "not_a_text"),
        ('{"order_id": "x", "user_id": "u1", "ordered_at": 1741000000, "total_value": 1}', "not_a_date"),
        ('{"order_id": "x", "user_id": "u1", "ordered_at": "2025-03-01", "total_value": NaN}', "not_finite"),
        ('{"order_id": "x", "user_id": "u1", "ordered_at": "2025-03-01", "total_value": [1]}', "not_a_text"),
        ('{"order_id": "x", "user_id": "u1", "ordered_at": "2025-03-01"}', "missing_value"),
        ('{"order_id": "\\ud800", "user_id": "u1", "ordered_at": "2025-03-01", "total_value": 1}', "not_utf8"),
        (
            '{"order_id": "\\u0000", "user_id": "u1", "ordered_at": "2025-03-01", "total_value": 1}',
            "control_characters",
        ),
        (f'{{"order_id": "x", "user_id": "u1", "ordered_at": "2025-03-01", "total_value": {"9" * 400}}}', "not_finite"),
    ],
)
def test_a_bad_json_line_is_kept_aside(
    database: Database, store: SqlUserStore, tmp_path: Path, line: str, reason: str
) -> None:
    good = '{"order_id": "good", "user_id": "u1", "ordered_at": "2025-03-01", "total_value": 1}'
    path = tmp_path / "orders.jsonl"
    path.write_text(f"{good}\n{line}\n")
    report = import_path(store, "order", path, NOW)
    assert (report.created, report.rejected) == (1, 1)
    [row] = rejects_of(database)
    assert (row.line, row.reason) == (2, reason)
    assert row.original.startswith(line[:MAX_ORIGINAL])


def test_all_that_is_wrong_with_a_record_is_said_at_once(
    database: Database, store: SqlUserStore, tmp_path: Path
) -> None:
    path = tmp_path / "orders.csv"
    path.write_text(HEADER + "x,u1,yesterday,free,1,lost\n")
    import_path(store, "order", path, NOW)
    [row] = rejects_of(database)
    assert all(field in row.message for field in ("ordered_at", "total_value", "status"))


def test_dates_of_three_formats(database: Database, store: SqlUserStore, tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    path.write_text(
        "order_id,user_id,ordered_at,total_value\n"
        "a,u1,2025-03-31,1\nb,u1,03/31/2025,1\nc,u1,31 Mar 2025,1\nd,u1,2025-03-31T10:00:00Z,1\n"
    )
    report = import_path(store, "order", path, NOW)
    assert (report.created, report.rejected) == (2, 2)
    with database.read() as connection:
        assert count_by_reason(connection) == {"not_a_date": 2}
    assert all("2025-03-31" in row.message for row in rejects_of(database))


def test_a_clock_that_runs_ahead_by_less_than_a_day_is_no_future(store: SqlUserStore, tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    path.write_text(f"order_id,user_id,ordered_at,total_value\na,u1,{TOMORROW},1\n")
    assert import_path(store, "order", path, NOW).created == 1


def test_a_line_of_ten_megabytes(database: Database, store: SqlUserStore, tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    path.write_text(HEADER + "x" * 10_000_000 + ",u1,2025-03-01,10,1,delivered\n" + GOOD)
    report = import_path(store, "order", path, NOW)
    assert (report.read, report.created, report.rejected) == (2, 1, 1)
    [row] = rejects_of(database)
    assert (row.line, row.reason) == (2, "line_too_long")
    assert len(row.original) < MAX_ORIGINAL + 100
    assert "10,000,030" in row.original


def test_a_line_that_is_not_utf8_keeps_its_bytes(database: Database, store: SqlUserStore, tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    path.write_bytes((HEADER + "x\u00e9,u1,2025-03-01,10,1,delivered\n").encode("latin-1") + GOOD.encode())
    report = import_path(store, "order", path, NOW)
    assert (report.created, report.rejected) == (1, 1)
    [row] = rejects_of(database)
    assert row.reason == "not_utf8"
    assert row.original == "x\\xe9,u1,2025-03-01,10,1,delivered"


def test_bytes_that_are_not_utf8_inside_a_quoted_text(database: Database, store: SqlUserStore, tmp_path: Path) -> None:
    path = tmp_path / "users.csv"
    path.write_bytes(b'user_id,name\nu5,"two\nl\xefnes"\nu6,Fine\n')
    report = import_path(store, "user", path, NOW)
    assert (report.created, report.rejected) == (1, 1)
    assert rejects_of(database)[0].reason == "not_utf8"


def test_orders_of_unknown_users_are_accepted_once_the_users_are_known(
    database: Database, store: SqlUserStore, tmp_path: Path
) -> None:
    path = tmp_path / "orders.csv"
    path.write_text(HEADER + GOOD + "x,u2,2025-03-01,10,1,delivered\ny,u3,2025-03-01,10,1,delivered\n")
    assert import_path(store, "order", path, NOW).rejected == 2
    store.put_users([user("u2")], NOW)
    report = import_path(store, "order", path, NOW)
    assert (report.created, report.unchanged, report.rejected) == (1, 1, 1)


def test_a_header_only_is_no_error_but_said(store: SqlUserStore, database: Database, tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    path.write_text(HEADER)
    seq = newest_seq(database)
    report = import_path(store, "order", path, NOW)
    assert (report.files, report.read, report.notes) == (1, 0, ("orders.csv holds no records",))
    assert newest_seq(database) == seq


def zipped(cut: int) -> bytes:
    return gzip.compress((HEADER + GOOD * 60_000).encode(), mtime=0)[:cut]


def parquet(*, lacking: bool = False, cut: bool = False) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {"order_id": ["a"], "user_id": ["u1"], "ordered_at": ["2025-01-01"], "total_value": [1.0]}
    if lacking:
        del columns["total_value"]
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(columns), sink)
    content: bytes = sink.getvalue().to_pybytes()
    return content[:-10] if cut else content


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("empty.csv", b"", "is empty"),
        ("blank.csv", b"\xef\xbb\xbf\n \n\n", "is empty"),
        ("empty.csv.gz", gzip.compress(b"", mtime=0), "is empty"),
        ("no_total.csv", b"order_id,user_id,ordered_at\na,u1,2025-03-01\n", "no column total_value"),
        ("no_header.csv", b"a,u1,2025-03-01,10\n", "no column order_id"),
        ("colon.csv", b"order_id:user_id:ordered_at:total_value\na:u1:2025-03-01:10\n", "no column order_id"),
        (
            "twice.csv",
            b"order_id,user_id,ordered_at,total_value,User_ID\na,u1,2025-03-01,10,u2\n",
            "user_id more than once",
        ),
        ("latin.csv", "order_id,user_id,größe\n".encode("latin-1"), "UTF-8"),
        ("wide.csv", (HEADER + GOOD).encode("utf-16"), "UTF-16"),
        ("image.csv", bytes(range(256)) * 10, "cannot be read"),
        ("cut.csv.gz", zipped(-20), "damaged or cut off"),
        ("cut_early.csv.gz", zipped(15), "damaged or cut off"),
        ("list.json", b'[{"order_id": "a"}]', "JSON Lines"),
        ("not.parquet", (HEADER + GOOD).encode(), "not a Parquet file"),
        ("cut.parquet", parquet(cut=True), "not a Parquet file"),
        ("lacking.parquet", parquet(lacking=True), "no column total_value"),
        ("damaged.parquet", b"PAR1" + b"\x00" * 200 + b"PAR1", "not a Parquet file"),
    ],
)
def test_an_unreadable_file_is_one_sentence_and_changes_nothing(
    database: Database, store: SqlUserStore, tmp_path: Path, name: str, content: bytes, says: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    before = log_of(database)
    with pytest.raises(UnreadableFileError) as caught:
        import_path(store, "order", path, NOW)
    message = str(caught.value)
    assert says in message
    assert message.startswith(name)
    assert "\n" not in message
    assert str(tmp_path) not in message
    assert log_of(database) == before


def test_no_such_file_and_an_empty_folder(store: SqlUserStore, tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError, match=r"nowhere\.csv does not exist"):
        import_path(store, "order", tmp_path / "nowhere.csv", NOW)
    with pytest.raises(UnreadableFileError, match="holds no"):
        import_path(store, "order", tmp_path, NOW)


@pytest.mark.parametrize("content", ["colour,size\nred,7\n", '{"colour": "red"}\n'])
def test_a_file_of_something_else(store: SqlUserStore, tmp_path: Path, content: str) -> None:
    path = tmp_path / "things.txt"
    path.write_text(content)
    with pytest.raises(UnreadableFileError, match="neither"):
        import_path(store, None, path, NOW)


def test_memory_stays_bounded_whatever_the_size_of_lines(store: SqlUserStore, tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    filler = "z" * 900_000
    with path.open("w") as file:
        file.write(HEADER.strip() + ",comment\n")
        for number in range(200):
            file.write(f"o{number},u1,2025-03-01,1,1,delivered,{filler}\n")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert import_path(store, "order", path, NOW).created == 200
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 120_000
