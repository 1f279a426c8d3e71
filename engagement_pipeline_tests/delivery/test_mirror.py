"""The warehouse's copies of the ledger, its events and the suppressions agree with the operational store."""

from datetime import timedelta
from pathlib import Path

import duckdb
import pytest
import sqlalchemy as sa

from engagement_pipeline.delivery import mirror, suppressions
from engagement_pipeline.delivery.outbox import OutboxMailer
from engagement_pipeline.delivery.reconciliation import Balance, reconcile, users_with_several_open
from engagement_pipeline.delivery.suppressions import SqlSuppressions
from engagement_pipeline.delivery.tables import email_events, emails
from engagement_pipeline.platform.change_log import prune_change_log
from engagement_pipeline.platform.sql import Database
from engagement_pipeline_tests.conftest import NOW
from engagement_pipeline_tests.delivery.parts import CAMPAIGN, Parts, silent_user


@pytest.fixture
def parts(database: Database) -> Parts:
    return Parts(database)


def draft_some(parts: Parts, numbers: range) -> None:
    users = [silent_user(number) for number in numbers]
    parts.add_users(users, NOW)
    parts.add_drafts([user.user_id for user in users], NOW)


def mirrored(con: duckdb.DuckDBPyConnection) -> dict[str, str]:
    return dict(con.execute("SELECT user_id, status FROM email_deliveries").fetchall())


def test_deliveries_follow_the_ledger(con: duckdb.DuckDBPyConnection, parts: Parts, tmp_path: Path) -> None:
    draft_some(parts, range(10))
    assert mirror.pull_deliveries(con, parts.database) == 10
    assert mirror.pull_deliveries(con, parts.database) == 0
    draft_some(parts, range(10, 12))
    parts.sender(OutboxMailer(tmp_path / "outbox")).run(lambda: NOW)
    draft_some(parts, range(12, 13))
    assert mirror.pull_deliveries(con, parts.database) == 13
    assert mirrored(con) == parts.statuses()
    assert con.execute("SELECT count(*), max(sent_at) FROM email_deliveries").fetchone() == (
        13,
        NOW.replace(tzinfo=None),
    )


def test_a_fresh_warehouse_and_an_old_one_agree(con: duckdb.DuckDBPyConnection, parts: Parts, tmp_path: Path) -> None:
    mirror.pull_deliveries(con, parts.database)
    mirror.pull_events(con, parts.database)
    draft_some(parts, range(5))
    mirror.pull_deliveries(con, parts.database)
    parts.sender(OutboxMailer(tmp_path / "outbox")).run(lambda: NOW)
    assert mirror.pull_deliveries(con, parts.database) == 5
    assert mirror.pull_events(con, parts.database) == 5
    fresh = duckdb.connect()
    assert mirror.pull_deliveries(fresh, parts.database) == 5
    assert mirror.pull_events(fresh, parts.database) == 5
    for table in ("email_deliveries", "email_events"):
        assert (
            con.execute(f"FROM {table} ORDER BY 1").fetchall() == fresh.execute(f"FROM {table} ORDER BY 1").fetchall()
        )


def test_many_changes_come_in_batches(
    con: duckdb.DuckDBPyConnection, parts: Parts, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(mirror, "BATCH", 7)
    draft_some(parts, range(20))
    assert mirror.pull_deliveries(con, parts.database) == 20
    parts.sender(OutboxMailer(tmp_path / "outbox")).run(lambda: NOW)
    mirror.pull_deliveries(con, parts.database)
    assert mirrored(con) == parts.statuses()


def test_a_pruned_log_is_no_gap(con: duckdb.DuckDBPyConnection, parts: Parts, tmp_path: Path) -> None:
    draft_some(parts, range(3))
    mirror.pull_deliveries(con, parts.database)
    parts.sender(OutboxMailer(tmp_path / "outbox")).run(lambda: NOW)
    with parts.database.write() as connection:
        assert prune_change_log(connection, NOW + timedelta(days=90), 10**9) > 0
    mirror.pull_deliveries(con, parts.database)
    assert mirrored(con) == parts.statuses()


def test_suppressions_come_and_go(con: duckdb.DuckDBPyConnection, parts: Parts) -> None:
    key = "0" * 64
    with parts.database.write() as connection:
        assert suppressions.add(connection, key, "complaint", "ses", NOW)
        assert not suppressions.add(connection, key, "unsubscribed", "page", NOW), "the first reason stays"
        assert suppressions.find(connection, key) is not None
    mirror.pull_suppressions(con, parts.database)
    assert con.execute("FROM suppressions").fetchall() == [(key, "complaint", NOW.replace(tzinfo=None))]
    with parts.database.write() as connection:
        [listed] = suppressions.list_suppressions(connection, 10)
        assert (listed.address_key, listed.reason, listed.source) == (key, "complaint", "ses")
        on_list = SqlSuppressions(parts.database)
        assert on_list.remove(listed, NOW)
        assert not on_list.remove(listed, NOW)
        assert suppressions.find(connection, key) is None
    mirror.pull_suppressions(con, parts.database)
    assert con.execute("FROM suppressions").fetchall() == []


def test_no_address_and_no_text_reaches_the_warehouse(con: duckdb.DuckDBPyConnection) -> None:
    mirror.ensure_tables(con)
    query = "SELECT column_name FROM duckdb_columns() WHERE NOT internal"
    columns = {name for (name,) in con.execute(query).fetchall()}
    assert "address_key" in columns
    assert not columns & {"email", "name", "copy", "original"}


def test_the_books_balance_and_a_loss_shows(con: duckdb.DuckDBPyConnection, parts: Parts, tmp_path: Path) -> None:
    draft_some(parts, range(6))
    parts.store.put_users([silent_user(1, consent=False)], NOW)
    parts.sender(OutboxMailer(tmp_path / "outbox")).run(lambda: NOW)
    draft_some(parts, range(6, 8))
    mirror.pull_deliveries(con, parts.database)
    assert reconcile(con, parts.database) == [Balance(CAMPAIGN, 8, {"delivered": 5, "skipped": 1, "draft": 2})]
    [balance] = reconcile(con, parts.database)
    assert balance.balanced
    assert balance.sent == 5
    con.execute("DELETE FROM email_deliveries WHERE status = 'skipped'")
    assert not reconcile(con, parts.database)[0].balanced


def test_users_with_several_open_emails_are_counted(parts: Parts) -> None:
    draft_some(parts, range(2))
    assert users_with_several_open(parts.database) == 0
    with parts.database.write() as connection:
        row = connection.execute(sa.select(emails).where(emails.c.user_id == "u00001")).one()
        connection.execute(sa.insert(emails).values(**(row._asdict() | {"email_id": "f" * 32, "step": 2})))
    assert users_with_several_open(parts.database) == 1


def test_each_delivery_is_one_event(parts: Parts, tmp_path: Path) -> None:
    draft_some(parts, range(3))
    parts.sender(OutboxMailer(tmp_path / "outbox")).run(lambda: NOW)
    with parts.database.read() as connection:
        events = connection.execute(sa.select(email_events.c.email_id, email_events.c.kind)).all()
    assert sorted(event.email_id for event in events) == sorted(row.email_id for row in parts.rows().values())
