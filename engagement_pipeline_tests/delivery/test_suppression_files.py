"""Suppressions from files of any maker, and back into one."""

import csv
import gzip
import stat
import tracemalloc
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engagement_pipeline.delivery import suppression_files, suppressions
from engagement_pipeline.delivery.suppression_files import (
    CannotWriteError,
    SuppressionImport,
    export_suppressions,
    import_suppressions,
)
from engagement_pipeline.delivery.suppressions import Suppression
from engagement_pipeline.platform.sql import Database
from engagement_pipeline.users.addresses import address_key
from engagement_pipeline.users.importing import UnreadableFileError
from engagement_pipeline.users.keys import SecretKeyChangedError
from engagement_pipeline.users.rejects import list_rejected
from engagement_pipeline.users.store import SqlUserStore
from engagement_pipeline_tests.conftest import NOW
from engagement_pipeline_tests.delivery.parts import SECRET, silent_user
from engagement_pipeline_tests.delivery.sql_stores import sql_stores
from engagement_pipeline_tests.users.builders import newest_seq, scratch_database

KEY = "c" * 64


def key(email: str) -> str:
    return address_key(email, SECRET)


def listed(database: Database) -> dict[str, Suppression]:
    with database.read() as connection:
        return {entry.address_key: entry for entry in suppressions.list_suppressions(connection, 10**6)}


def take(database: Database, path: Path, content: str) -> SuppressionImport:
    path.write_text(content)
    return import_suppressions(sql_stores(database), path, SECRET, NOW)


def test_a_list_from_elsewhere(database: Database, tmp_path: Path) -> None:
    content = (
        "\ufeffId;Email;Reason;suppressed_at\n"
        '1; Ada@Example.com ;Hard_Bounce;2025-12-24\n\n2;"bob@example.com";;\n3;ada@example.com;complaint;\n'
    )
    assert take(database, tmp_path / "list.csv", content) == SuppressionImport(read=3, added=2, known=1)
    christmas = datetime(2025, 12, 24, tzinfo=timezone.utc)
    assert listed(database) == {
        key("ada@example.com"): Suppression(key("ada@example.com"), "hard_bounce", "imported", christmas),
        key("bob@example.com"): Suppression(key("bob@example.com"), "imported", "imported", NOW),
    }


def test_importing_twice_changes_nothing(database: Database, tmp_path: Path) -> None:
    content = f"email,address_key\nada@example.com,\n,{KEY.upper()}\nnonsense,\n"
    take(database, tmp_path / "list.csv", content)
    before, seq = listed(database), newest_seq(database)
    later = import_suppressions(sql_stores(database), tmp_path / "list.csv", SECRET, NOW + timedelta(days=1))
    assert later == SuppressionImport(read=3, known=2, rejected=1)
    assert (listed(database), newest_seq(database)) == (before, seq)


def test_bad_lines_are_kept_with_their_reason_and_cost_no_other(database: Database, tmp_path: Path) -> None:
    lines = [
        "email,address_key,reason,source,suppressed_at",
        "nonsense,,,,",
        ",abc,,,",
        ",,complaint,,",
        "a@example.com,,what they told us on the phone,,",
        "a@example.com,,,the list of ann@example.com,",
        "a@example.com,,,,03/04/2025",
        "a@example.com,,,,2027-01-01",
        "a@example.com,,",
        'a@example.com,"x,,,',
        "good@example.com,,complaint,old-tool,2025-01-01",
    ]
    report = take(database, tmp_path / "list.csv", "\n".join(lines))
    assert report == SuppressionImport(read=10, added=1, rejected=9)
    assert list(listed(database)) == [key("good@example.com")]
    with database.read() as connection:
        kept = sorted(list_rejected(connection), key=lambda row: row.line)
    assert [(row.entity, row.file, row.line, row.field, row.reason) for row in kept] == [
        ("suppression", "list.csv", line, field, reason)
        for line, field, reason in [
            (2, "email", "invalid_address"),
            (3, "address_key", "not_a_key"),
            (4, "email", "missing_value"),
            (5, "reason", "not_a_code"),
            (6, "source", "not_a_code"),
            (7, "suppressed_at", "not_a_date"),
            (8, "suppressed_at", "future_date"),
            (9, None, "wrong_field_count"),
            (10, None, "malformed"),
        ]
    ]
    assert "ann@" not in "".join(row.message for row in kept)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "is empty"),
        ("name,reason\nAda,complaint\n", "no column email or address_key"),
        ("email,Email\na@example.com,b@example.com\n", "more than once"),
    ],
)
def test_a_file_that_is_no_list_changes_nothing(database: Database, tmp_path: Path, content: str, says: str) -> None:
    with pytest.raises(UnreadableFileError, match=says):
        take(database, tmp_path / "list.csv", content)
    with pytest.raises(UnreadableFileError, match="does not exist"):
        import_suppressions(sql_stores(database), tmp_path / "missing.csv", SECRET, NOW)
    assert newest_seq(database) == 0


def test_another_secret_would_suppress_nobody_and_is_refused(database: Database, tmp_path: Path) -> None:
    take(database, tmp_path / "list.csv", "email\nada@example.com\n")
    with pytest.raises(SecretKeyChangedError):
        import_suppressions(sql_stores(database), tmp_path / "list.csv", "another secret of ours", NOW)


def test_the_address_decides_where_the_key_is_another_stores(database: Database, tmp_path: Path) -> None:
    report = take(database, tmp_path / "list.csv", f"email,address_key\nada@example.com,{KEY}\n")
    assert report == SuppressionImport(read=1, added=1, foreign_keys=1)
    assert list(listed(database)) == [key("ada@example.com")]


def test_export_names_addresses_that_are_known_and_comes_back_equal(database: Database, tmp_path: Path) -> None:
    store = SqlUserStore(database, SECRET)
    users = [silent_user(1), silent_user(2, "Shared@example.com"), silent_user(3, "shared@example.com")]
    store.put_users([*users, silent_user(4, "=1+1|cmd@example.com")], NOW)
    with database.write() as connection:
        for email in ("u1@example.com", "shared@example.com", "=1+1|cmd@example.com", "gone@example.com"):
            suppressions.add(connection, key(email), "complaint", "ses", NOW - timedelta(seconds=1, microseconds=7))
    path = tmp_path / "out.csv"
    path.write_text("what was there before")
    assert export_suppressions(database, path) == 4
    rows = {row["address_key"]: row["email"] for row in csv.DictReader(path.open())}
    assert rows.pop(key("shared@example.com")).lower() == "shared@example.com"
    # A spreadsheet would run the third as a formula; nobody is known by the fourth.
    assert rows == {
        key("u1@example.com"): "u1@example.com",
        key("=1+1|cmd@example.com"): "",
        key("gone@example.com"): "",
    }
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in tmp_path.iterdir() if file.suffix == ".unfinished"] == []
    before = listed(database)
    on_list = sql_stores(database).suppressions
    for entry in on_list.find(before).values():
        on_list.remove(entry, NOW)
    assert import_suppressions(sql_stores(database), path, SECRET, NOW).added == 4
    assert listed(database) == before


ENTRIES = st.dictionaries(
    st.text("0123456789abcdef", min_size=64, max_size=64),
    st.tuples(
        st.from_regex(suppressions.REASON, fullmatch=True),
        st.from_regex(suppressions.SOURCE, fullmatch=True),
        st.datetimes(datetime(2000, 1, 1), datetime(2026, 3, 2), timezones=st.just(timezone.utc)),  # noqa: DTZ001
    ),
    max_size=8,
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(ENTRIES)
def test_every_list_survives_the_round_trip(tmp_path: Path, entries: dict[str, tuple[str, str, datetime]]) -> None:
    path = tmp_path / "round.csv"
    with scratch_database() as first, scratch_database() as second:
        with first.write() as connection:
            suppressions.add_many(connection, [Suppression(key, *rest) for key, rest in entries.items()], NOW)
        export_suppressions(first, path)
        assert import_suppressions(sql_stores(second), path, SECRET, NOW).added == len(entries)
        assert listed(second) == listed(first)


def test_an_export_that_fails_leaves_the_old_file(database: Database, tmp_path: Path) -> None:
    with database.write() as connection:
        suppressions.add(connection, KEY, "manual", "person", NOW)
    with pytest.raises(CannotWriteError, match="cannot be written"):
        export_suppressions(database, tmp_path / "missing" / "out.csv")
    path = tmp_path / "out.csv"
    path.write_text("before")

    def fail(_: int) -> None:
        raise RuntimeError("the process ends here")

    with pytest.raises(RuntimeError):
        export_suppressions(database, path, fail)
    assert path.read_text() == "before"
    assert list(tmp_path.glob("*.unfinished")) == list(tmp_path.glob(".*.unfinished")) == []


@pytest.mark.integration
def test_memory_does_not_grow_with_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suppression_files, "_BATCH", 500)
    lines = 20_000
    path = tmp_path / "long.csv.gz"
    with gzip.open(path, "wt") as file:
        file.write("address_key\n")
        file.writelines(f"{number:064x}\n" for number in range(lines))
    with scratch_database(tmp_path) as database:
        tracemalloc.start()
        try:
            assert import_suppressions(sql_stores(database), path, SECRET, NOW).added == lines
            assert export_suppressions(database, tmp_path / "out.csv") == lines
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    # The lines alone, as records, would be three times as much.
    assert peak < 5 * 1024 * 1024
