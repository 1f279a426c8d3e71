"""Importing good files: every format, spelling and packing gives the same; twice changes nothing."""

import gzip
import json
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from engagement_pipeline.platform.sql import Database
from engagement_pipeline.users.importing import ImportReport, UnreadableFileError, import_path
from engagement_pipeline.users.importing import load as load_module
from engagement_pipeline.users.models import Order, OrderStatus
from engagement_pipeline.users.store import SqlUserStore
from engagement_pipeline_tests.conftest import NOW
from engagement_pipeline_tests.users.builders import log_of, newest_seq, order, scratch_database, store_of, user

ROWS: list[dict[str, Any]] = [
    {"order_id": "a", "user_id": "u1", "ordered_at": "2025-03-31", "total_value": 10.5, "item_count": 2},
    {"order_id": "b", "user_id": "u2", "ordered_at": "2025-04-01T14:05:09.25-05:00", "total_value": 0, "item_count": 0},
    {"order_id": "c;|,é", "user_id": "u2", "ordered_at": "2025-04-02 08:00", "total_value": 1e3, "item_count": 1},
]
EXPECTED = [
    Order(
        order_id="a",
        user_id="u1",
        ordered_at=datetime(2025, 3, 31, tzinfo=timezone.utc),
        total_value=10.5,
        item_count=2,
    ),
    Order(
        order_id="b",
        user_id="u2",
        ordered_at=datetime(2025, 4, 1, 19, 5, 9, 250_000, tzinfo=timezone.utc),
        total_value=0.0,
        item_count=0,
    ),
    Order(
        order_id="c;|,é",
        user_id="u2",
        ordered_at=datetime(2025, 4, 2, 8, tzinfo=timezone.utc),
        total_value=1000.0,
        item_count=1,
    ),
]


@pytest.fixture
def store(database: Database) -> SqlUserStore:
    store = store_of(database)
    store.put_users([user("u1"), user("u2")], NOW)
    return store


def delimited(delimiter: str, end: str = "\n") -> bytes:
    lines = [delimiter.join(ROWS[0])]
    lines += [
        delimiter.join(f'"{value}"' if value == "c;|,é" else str(value) for value in row.values()) for row in ROWS
    ]
    return (end.join(lines) + end).encode()


def json_lines() -> bytes:
    return "".join(json.dumps(row) + "\n" for row in ROWS).encode()


FILES: dict[str, Callable[[], bytes]] = {
    "orders.csv": lambda: delimited(","),
    "semicolon.csv": lambda: delimited(";"),
    "orders.tsv": lambda: delimited("\t"),
    "bar.txt": lambda: delimited("|"),
    "windows.csv": lambda: b"\xef\xbb\xbf" + delimited(",", "\r\n"),
    "no_end.csv": lambda: delimited(",").rstrip(b"\n"),
    "blank_lines.csv": lambda: delimited(",").replace(b"\n", b"\n\n"),
    "orders.csv.gz": lambda: gzip.compress(delimited(",")),
    "named_wrongly.csv": lambda: gzip.compress(delimited(";")),
    "orders.jsonl": json_lines,
    "orders.ndjson.gz": lambda: gzip.compress(json_lines()),
    "bom.json": lambda: b"\xef\xbb\xbf" + json_lines(),
    "spelled.csv": lambda: delimited(",").replace(b"order_id,user_id", b" Order ID ,User-Id", 1),
    "aliases.csv": lambda: delimited(",").replace(
        b"order_id,user_id,ordered_at,total_value,item_count", b"id,user,time,total,items"
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_every_format_gives_the_same_orders(store: SqlUserStore, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(FILES[name]())
    assert import_path(store, "order", path, NOW) == ImportReport(files=1, read=3, created=3)
    assert sorted(store.get_orders(["a", "b", "c;|,é"]), key=lambda each: each.order_id) == EXPECTED


@pytest.mark.parametrize("name", ["orders.csv", "orders.jsonl", "semicolon.csv"])
def test_importing_twice_changes_nothing(database: Database, store: SqlUserStore, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(FILES[name]() + b"broken\n")
    first = import_path(store, "order", path, NOW)
    seq = newest_seq(database)
    second = import_path(store, "order", path, NOW + timedelta(hours=1))
    assert (first.rejected, second) == (1, ImportReport(files=1, read=4, unchanged=3, rejected=1))
    assert newest_seq(database) == seq


def test_parquet_with_its_own_types(store: SqlUserStore, tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    moments = [each.ordered_at for each in EXPECTED]
    table = pa.table(
        {
            "order_id": pa.array([each.order_id for each in EXPECTED]).dictionary_encode(),
            "user_id": pa.array([each.user_id.encode() for each in EXPECTED], pa.binary()),
            "ordered_at": pa.array(moments, pa.timestamp("ns", "America/New_York")),
            "total_value": pa.array([Decimal(str(each.total_value)) for each in EXPECTED], pa.decimal128(12, 2)),
            "item_count": pa.array([2.0, 0.0, 1.0]),
            "comment": ["not", "our", "column"],
        }
    )
    path = tmp_path / "orders.parquet"
    pq.write_table(table, path, row_group_size=2)
    assert import_path(store, "order", path, NOW).created == 3
    assert sorted(store.get_orders(["a", "b", "c;|,é"]), key=lambda each: each.order_id) == EXPECTED
    assert import_path(store, "order", path, NOW) == ImportReport(files=1, read=3, unchanged=3)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("list.csv", b"id,user,time,total,skus\na,u1,2025-03-31,1,DR-101; 7 ;\nb,u1,2025-03-31,1,\n"),
        ("bars.csv", b"id,user,time,total,SKU\na,u1,2025-03-31,1,DR-101|7\nb,u1,2025-03-31,1,\n"),
        ("json.csv", b'id;user;time;total;skus\na;u1;2025-03-31;1;"[""DR-101"", 7]"\nb;u1;2025-03-31;1;[]\n'),
        (
            "orders.jsonl",
            b'{"id": "a", "user": "u1", "time": "2025-03-31", "total": 1, "skus": ["DR-101", 7, null]}\n'
            b'{"id": "b", "user": "u1", "time": "2025-03-31", "total": 1, "skus": null}\n',
        ),
    ],
)
def test_what_was_bought_is_a_list_in_any_form(store: SqlUserStore, tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    assert import_path(store, "order", path, NOW).created == 2
    assert {each.order_id: each.skus for each in store.orders_of("u1")} == {"a": ("DR-101", "7"), "b": ()}


def test_a_single_number_of_the_catalogue_is_a_list_of_one(store: SqlUserStore, tmp_path: Path) -> None:
    path = tmp_path / "orders.jsonl"
    path.write_text('{"id": "a", "user": "u1", "time": "2025-03-31", "total": 1, "skus": 7}\n')
    assert import_path(store, "order", path, NOW).created == 1
    assert store.orders_of("u1")[0].skus == ("7",)


def test_parquet_may_hold_lists(store: SqlUserStore, tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {"order_id": ["a", "b"], "user_id": ["u1", "u1"], "ordered_at": ["2025-03-31"] * 2, "total_value": [1, 2]}
    path = tmp_path / "orders.parquet"
    pq.write_table(pa.table({**columns, "skus": pa.array([["DR-101", "7"], None], pa.list_(pa.string()))}), path)
    assert import_path(store, "order", path, NOW).created == 2
    assert {each.order_id: each.skus for each in store.orders_of("u1")} == {"a": ("DR-101", "7"), "b": ()}


def test_parquet_ids_may_be_numbers_and_bad_rows_are_rejected(database: Database, tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    store = store_of(database)
    store.put_users([user("7")], NOW)
    table = pa.table(
        {
            "order_id": [1, 2, 3, None],
            "user_id": [7, 7, 7, 7],
            "ordered_at": pa.array([0, 10**9, 2**50, 0], pa.timestamp("s")),
            "total_value": [1.0, float("nan"), 1.0, 1.0],
        }
    )
    path = tmp_path / "orders.parquet"
    pq.write_table(table, path)
    report = import_path(store, "order", path, NOW)
    assert (report.created, report.rejected) == (1, 3)
    assert [row.reason for row in rejected(database)] == ["not_finite", "not_a_date", "missing_value"]
    assert [row.line for row in rejected(database)] == [2, 3, 4]
    assert '"order_id": 2' in rejected(database)[0].original


def rejected(database: Database) -> list[Any]:
    from engagement_pipeline.users.rejects import list_rejected

    with database.read() as connection:
        return list(list_rejected(connection))


def test_users_with_everything(database: Database, tmp_path: Path) -> None:
    path = tmp_path / "users.csv"
    path.write_text(
        "user_id,email,name,consent,time_zone,preferred_categories,order_count,average_order_value,first_order_at,last_order_at\n"
        "u1,Ada@Example.com,Ada Test,yes,Europe/Berlin,denim;shoes;denim,4,20.5,2024-01-01,2025-01-01\n"
        'u2,,,,,"[""dresses"", ""denim""]",,,,\n'
        "u3,c@example.com,C,0,UTC,dresses|shoes,,,,\n"
    )
    store = store_of(database)
    assert import_path(store, "user", path, NOW) == ImportReport(files=1, read=3, created=3)
    first, second, third = sorted(store.get_users(["u1", "u2", "u3"]), key=lambda each: each.user_id)
    assert (first.email, first.name, first.consent, first.time_zone) == (
        "Ada@Example.com",
        "Ada Test",
        True,
        "Europe/Berlin",
    )
    assert (first.preferred_categories, first.order_count, first.average_order_value) == (("denim", "shoes"), 4, 20.5)
    assert (second.email, second.consent, second.time_zone) == (None, False, "UTC")
    assert second.preferred_categories == ("dresses", "denim")
    assert (third.consent, third.preferred_categories) == (False, ("dresses", "shoes"))


def test_a_folder_is_read_users_first_whatever_the_names(database: Database, tmp_path: Path) -> None:
    folder = tmp_path / "drop"
    (folder / "part=1").mkdir(parents=True)
    (folder / "a_orders.csv").write_bytes(delimited(","))
    (folder / "part=1" / "more.jsonl").write_text(json.dumps({**ROWS[0], "order_id": "z"}) + "\n")
    (folder / "z_users.csv").write_text("user_id,email\nu1,u1@example.com\nu2,u2@example.com\n")
    (folder / "_SUCCESS").write_text("")
    (folder / ".hidden.csv").write_text("nonsense")
    (folder / "README.md").write_text("not data")
    store = store_of(database)
    assert import_path(store, None, folder, NOW) == ImportReport(files=3, read=6, created=6)


def test_one_broken_file_in_a_folder_and_nothing_is_written(database: Database, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("user_id,email\nu1,u1@example.com\n")
    (tmp_path / "b.csv.gz").write_bytes(gzip.compress(b"user_id\n" + b"u2\n" * 10_000)[:-20])
    with pytest.raises(UnreadableFileError, match=r"b\.csv\.gz"):
        import_path(store_of(database), None, tmp_path, NOW)
    assert log_of(database) == []


def test_progress_adds_up_to_what_was_read(
    store: SqlUserStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(load_module, "_BATCH", 2)
    path = tmp_path / "orders.csv"
    path.write_bytes(delimited(","))
    steps: list[int] = []
    import_path(store, "order", path, NOW, steps.append)
    assert steps == [2, 1]


def test_quoted_texts_may_hold_delimiters_quotes_and_line_breaks(database: Database, tmp_path: Path) -> None:
    path = tmp_path / "users.csv"
    path.write_bytes(
        b'user_id,name,note\r\nu1,"Smith, ""Ada""","two\r\nlines"\r\nu2,O\'Brien 5" tall,"x"\r\nu3,Plain,\r\n'
    )
    store = store_of(database)
    assert import_path(store, "user", path, NOW).created == 3
    names = {each.user_id: each.name for each in store.get_users(["u1", "u2", "u3"])}
    assert names == {"u1": 'Smith, "Ada"', "u2": "O'Brien 5\" tall", "u3": "Plain"}


def test_a_quote_that_never_closes_costs_one_line(database: Database, tmp_path: Path) -> None:
    path = tmp_path / "users.csv"
    path.write_text("user_id,name\n" + 'u0,"never closed\n' + "".join(f"u{number},Name\n" for number in range(1, 301)))
    store = store_of(database)
    report = import_path(store, "user", path, NOW)
    assert (report.read, report.created, report.rejected) == (301, 300, 1)
    assert [(row.line, row.reason) for row in rejected(database)] == [(2, "malformed")]


@pytest.mark.parametrize("batch", [1, 2, 100])
def test_of_duplicated_ids_the_last_counts_and_importing_again_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    monkeypatch.setattr(load_module, "_BATCH", batch)
    path = tmp_path / "orders.csv"
    path.write_text(
        "order_id,user_id,ordered_at,total_value,status\n"
        "a,u1,2025-01-01,1,created\nb,u1,2025-01-02,5,created\n"
        "a,u1,2025-01-01,1,shipped\na,u1,2025-01-01,1,shipped\nb,u1,2025-01-02,5,created\na,u1,2025-01-01,1,returned\n"
    )
    with scratch_database() as database:
        store = store_of(database)
        store.put_users([user("u1")], NOW)
        first = import_path(store, "order", path, NOW)
        assert (first.read, first.created, first.rejected) == (6, 2, 0)
        assert {each.order_id: each.status for each in store.orders_of("u1")} == {
            "a": OrderStatus.RETURNED,
            "b": OrderStatus.CREATED,
        }
        seq = newest_seq(database)
        assert import_path(store, "order", path, NOW) == ImportReport(files=1, read=6, unchanged=6)
        assert newest_seq(database) == seq


def test_many_differing_records_do_not_pile_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load_module, "_BATCH", 3)
    monkeypatch.setattr(load_module, "_MAX_WAITING", 4)
    path = tmp_path / "orders.csv"
    with scratch_database() as database:
        store = store_of(database)
        store.put_users([user("u1")], NOW)
        store.put_orders([order(f"o{number}") for number in range(20)], NOW)
        lines = "".join(f"o{number},u1,2025-01-01,{number}\n" for number in range(20))
        path.write_text("order_id,user_id,ordered_at,total_value\n" + lines)
        assert import_path(store, "order", path, NOW) == ImportReport(files=1, read=20, updated=20)
        assert sum(each.total_value for each in store.orders_of("u1")) == sum(range(20))


def test_a_shift_moves_every_moment_and_the_future_begins_after_it(store: SqlUserStore, tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    path.write_text(
        "order_id,user_id,ordered_at,total_value\na,u1,1998-06-30,5\nb,u1,1998-07-20,5\nc,u1,9998-01-01,5\n"
    )
    shift = NOW.date() - timedelta(days=1) - datetime(1998, 6, 30).date()  # noqa: DTZ001
    report = import_path(store, "order", path, NOW, shift=shift)
    assert (report.created, report.rejected) == (1, 2)
    assert store.orders_of("u1")[0].ordered_at.date() == NOW.date() - timedelta(days=1)
