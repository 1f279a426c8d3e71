"""Scoring anybody's order file: formats, names, bad records, and files that cannot be used."""

import csv
import gzip
import os
from collections.abc import Callable
from datetime import date
from pathlib import Path

import duckdb
import pytest

from engagement_pipeline.scoring.files import FileScoreReport, score_file
from engagement_pipeline.scoring.order_files import BadRecord
from engagement_pipeline.scoring.order_formats import OrderColumns, OrderFileError
from engagement_pipeline_tests.scoring.facts import SAMPLE, SETTINGS

HEADER = "user_id,ordered_at,total_value\n"
GOOD = "a,2026-01-01,10\nb,2026-01-05,30\nb,2026-01-09,20.5\n"
COLUMNS = ("user_id", "score", "band", "order_days", "days_since_last_order", "average_order_value")


def score(source: Path, columns: OrderColumns = OrderColumns(), as_of: date | None = None) -> FileScoreReport:  # noqa: B008
    return score_file(source, source.with_name("scores.csv"), as_of, SETTINGS, columns)


def written(folder: Path) -> dict[str, dict[str, str]]:
    with (folder / "scores.csv").open() as file:
        return {row["user_id"]: row for row in csv.DictReader(file)}


def test_the_sample_has_its_published_numbers(tmp_path: Path) -> None:
    report = score_file(SAMPLE, tmp_path / "scores.parquet", None, SETTINGS)
    assert (report.users, report.orders, report.bad, report.as_of) == (23_570, 69_659, 0, date(1998, 7, 1))
    assert report.by_band["critical"] + report.by_band["at_risk"] == 21_537
    with duckdb.connect() as con:
        found = con.execute("SELECT * FROM read_parquet(?)", [str(tmp_path / "scores.parquet")])
        assert tuple(column[0] for column in found.description or ()) == COLUMNS
        below = "SELECT COUNT(*), COUNT(*) FILTER (days_since_last_order BETWEEN 30 AND 365) FROM read_parquet(?)"
        query = f"{below} WHERE score < 50"
        assert con.execute(query, [str(tmp_path / "scores.parquet")]).fetchall() == [(21_537, 5_954)]


def test_output_has_a_row_per_user_lowest_first(tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_text(HEADER + GOOD)
    report = score(tmp_path / "orders.csv")
    assert report.as_of == date(2026, 1, 10)
    rows = written(tmp_path)
    assert list(rows) == ["a", "b"]
    assert tuple(rows["a"]) == COLUMNS
    assert (rows["b"]["order_days"], rows["b"]["days_since_last_order"], rows["b"]["average_order_value"]) == (
        "2",
        "1",
        "25.25",
    )


def as_csv(folder: Path) -> Path:
    (folder / "orders.csv").write_text(HEADER + GOOD)
    return folder / "orders.csv"


def as_semicolons_with_byte_order_mark_and_windows_lines(folder: Path) -> Path:
    text = "\ufeff" + (HEADER + GOOD).replace(",", ";").replace("\n", "\r\n")
    (folder / "orders.csv").write_bytes(text.encode())
    return folder / "orders.csv"


def as_tabs_in_another_order(folder: Path) -> Path:
    rows = [line.split(",") for line in (HEADER + GOOD).splitlines()]
    (folder / "orders.tsv").write_text("".join(f"{value}\tx\t{day}\t{user}\n" for user, day, value in rows))
    return folder / "orders.tsv"


def as_gzip(folder: Path) -> Path:
    (folder / "orders.csv.gz").write_bytes(gzip.compress((HEADER + GOOD).encode()))
    return folder / "orders.csv.gz"


def as_json_lines(folder: Path) -> Path:
    rows = [line.split(",") for line in GOOD.splitlines()]
    lines = [f'{{"user_id": "{user}", "ordered_at": "{day}", "total_value": {value}}}\n' for user, day, value in rows]
    (folder / "orders.jsonl").write_text("".join(lines))
    return folder / "orders.jsonl"


def as_gzipped_json_lines(folder: Path) -> Path:
    plain = as_json_lines(folder)
    (folder / "orders.jsonl.gz").write_bytes(gzip.compress(plain.read_bytes()))
    return folder / "orders.jsonl.gz"


def as_parquet(folder: Path) -> Path:
    with duckdb.connect() as con:
        con.execute(
            "COPY (SELECT user_id, ordered_at::TIMESTAMP AS ordered_at, total_value::DECIMAL(9, 2) AS total_value"
            " FROM read_csv($source)) TO $target",
            {"source": str(as_csv(folder)), "target": str(folder / "orders.parquet")},
        )
    return folder / "orders.parquet"


@pytest.mark.parametrize(
    "form",
    [
        as_semicolons_with_byte_order_mark_and_windows_lines,
        as_tabs_in_another_order,
        as_gzip,
        as_json_lines,
        as_gzipped_json_lines,
        as_parquet,
    ],
)
def test_every_format_gives_the_same_scores(tmp_path: Path, form: Callable[[Path], Path]) -> None:
    expected_report = score(as_csv(tmp_path))
    expected = written(tmp_path)
    assert score(form(tmp_path)) == expected_report
    assert written(tmp_path) == expected


def test_other_names_another_date_format_and_a_status(tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_text(
        'client;"placed on";amount;state\n'
        "a;31/01/2026;10;delivered\na;02/02/2026;99;Cancelled\nb;01/02/2026;5;shipped\n"
    )
    columns = OrderColumns("client", "placed on", "amount", "state", date_format="%d/%m/%Y")
    report = score(tmp_path / "orders.csv", columns, date(2026, 2, 3))
    assert (report.users, report.orders, report.bad) == (2, 3, 0)
    assert written(tmp_path)["a"]["days_since_last_order"] == "3"


def test_moments_with_an_offset_count_by_their_day_in_utc(tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_text(HEADER + "a,2026-01-01T23:30:00-05:00,10\na,2026-01-02T10:00:00Z,10\n")
    score(tmp_path / "orders.csv")
    assert written(tmp_path)["a"]["order_days"] == "1"


def test_orders_of_the_day_and_later_are_left_out_and_counted(tmp_path: Path) -> None:
    report = score(as_csv(tmp_path), as_of=date(2026, 1, 5))
    assert (report.users, report.orders_left_out) == (1, 2)


@pytest.mark.parametrize(
    ("line", "field", "reason"),
    [
        (b",2026-01-01,10", "user_id", "is missing"),
        (b"c,,10", "ordered_at", "is missing"),
        (b"c,01/02/2026,10", "ordered_at", "is not a date in the expected format"),
        (b"c,2026-02-30,10", "ordered_at", "is not a date in the expected format"),
        (b"c,infinity,10", "ordered_at", "is not a date in the expected format"),
        (b"c,2026-01-01,", "total_value", "is missing"),
        (b"c,2026-01-01,ten", "total_value", "is not a number"),
        (b"c,2026-01-01,nan", "total_value", "is not a number"),
        (b"c,2026-01-01,-0.01", "total_value", "is negative"),
        (b"c,2026-01-01", "", "has too few fields"),
        (b"c,2026-01-01,1,2", "", "has too many fields"),
        (b"\xff\xfe,2026-01-01,1", "", "is not UTF-8 text"),
        (b"c" * 2_000_000 + b",2026-01-01,1", "", "is longer than 1,000,000 bytes"),
    ],
)
def test_a_bad_line_is_named_and_left_out(tmp_path: Path, line: bytes, field: str, reason: str) -> None:
    # An empty line and another bad one before it, so that place in the file and place among records differ.
    text = (HEADER + GOOD).encode() + b"\n" + line + b"\nd,2026-01-09,5\nonly this\n"
    (tmp_path / "orders.csv").write_bytes(text)
    report = score(tmp_path / "orders.csv")
    assert report.first_bad == BadRecord(6, field, reason)
    assert (report.bad, report.orders, report.users) == (2, 4, 3)


def test_the_first_bad_line_after_lines_that_are_no_records(tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_text(HEADER + "a,2026-01-01,10\nb,x,1\nc\n")
    assert str(score(tmp_path / "orders.csv").first_bad) == ("line 3: ordered_at is not a date in the expected format")


def test_bad_json_lines_and_parquet_rows(tmp_path: Path) -> None:
    path = as_json_lines(tmp_path)
    path.write_text(path.read_text() + 'no json\n[1]\n{"user_id": "c", "ordered_at": "2026-01-01"}\n')
    report = score(path)
    assert (report.bad, report.first_bad) == (3, BadRecord(4, "", "is not a JSON object"))
    with duckdb.connect() as con:
        con.execute(
            "COPY (SELECT 'a' AS user_id, DATE '2026-01-01' AS ordered_at, UNNEST([1, -1]) AS total_value) TO $path",
            {"path": str(tmp_path / "bad.parquet")},
        )
    assert score(tmp_path / "bad.parquet").first_bad == BadRecord(2, "total_value", "is negative")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("orders.csv", b"", "is empty"),
        ("orders.csv", HEADER.encode(), "has no usable order"),
        (
            "orders.csv",
            b"user,ordered_at,total_value\na,2026-01-01,1\n",
            "has no column user_id; its columns are: user",
        ),
        ("orders.csv", b"user_id,user_id,ordered_at,total_value\n", "two columns of the same name"),
        ("orders.csv", HEADER.encode() + b"a,yesterday,1\n", "no usable order; line 2: ordered_at is not a date"),
        ("orders.csv", (HEADER + GOOD).encode("utf-16"), "is not UTF-8 text"),
        ("orders.csv.gz", b"no gzip", "cannot be read"),
        ("orders.csv.gz", gzip.compress(os.urandom(1000) * 100)[:-500], "cannot be read|not UTF-8"),
        ("orders.parquet", b"no parquet", "is not a Parquet file"),
        ("orders.jsonl", b"", "has no usable order"),
        ("orders.xlsx", b"PK", "none of .csv, .parquet and .jsonl"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_sentence(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(OrderFileError, match=message) as error:
        score(tmp_path / name)
    assert "\n" not in str(error.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == [name]


def test_what_cannot_be_asked_for(tmp_path: Path) -> None:
    source = as_csv(tmp_path)
    with pytest.raises(OrderFileError, match="not a file"):
        score(tmp_path / "missing.csv")
    with pytest.raises(OrderFileError, match="none of"):
        score_file(source, tmp_path / "scores.xlsx", None, SETTINGS)
    with pytest.raises(OrderFileError, match="order file itself"):
        score_file(source, source, None, SETTINGS)
    with pytest.raises(OrderFileError, match="cannot be written"):
        score_file(source, tmp_path / "no folder" / "scores.csv", None, SETTINGS)
    with pytest.raises(OrderFileError, match="no order before 2026-01-01"):
        score(source, as_of=date(2026, 1, 1))
    assert source.read_text() == HEADER + GOOD
