"""Lists of e-mails, one e-mail as its recipient sees it, and everything that happened to a user in one list."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from engagement_pipeline.delivery.events import Event
from engagement_pipeline.delivery.tables import emails
from engagement_pipeline.pipeline import Pipeline
from engagement_pipeline.platform.audit import AuditEntry, record
from engagement_pipeline.platform.settings import Settings
from engagement_pipeline.platform.settings_groups import DeliverySettings
from engagement_pipeline.platform.sql import Database
from engagement_pipeline.scoring.formula import Population
from engagement_pipeline.users.models import OrderStatus
from engagement_pipeline.web.queries import emails as queries
from engagement_pipeline.web.queries.cursors import Position
from engagement_pipeline.web.queries.emails import EmailFilters, email_detail, list_emails, render
from engagement_pipeline.web.queries.timeline import Entry, curve, timeline
from engagement_pipeline_tests.conftest import NOW
from engagement_pipeline_tests.delivery.parts import COPY
from engagement_pipeline_tests.delivery.sql_stores import sql_stores
from engagement_pipeline_tests.plans import plans_of
from engagement_pipeline_tests.users.builders import SECRET, order, store_of, user

SENT_AT = NOW - timedelta(days=3)


def row(email_id: str, user_id: str = "u1", hours: float = 0, **values: object) -> dict[str, object]:
    at = SENT_AT + timedelta(hours=hours)
    given: dict[str, object] = {
        "email_id": email_id * 32,
        "user_id": user_id,
        "address_key": "0" * 64,
        "campaign": "win-back",
        "step": int(email_id, 16) + 1,
        "status": "delivered",
        "reason": None,
        "score": 30.0,
        "band": "at_risk",
        "value_at_risk": 10.0,
        "variant": "plain",
        "copy": COPY.model_dump(mode="json"),
        "attempts": 1,
        "decided_at": at,
        "created_at": at,
        "sent_at": at + timedelta(minutes=1),
        "updated_at": at + timedelta(minutes=1),
    }
    return given | values


@pytest.fixture
def ledger(database: Database) -> Database:
    store_of(database).put_users([user("u1", name="Ada <b>Test</b>"), user("u2")], NOW)
    with database.write() as connection:
        connection.execute(
            sa.insert(emails),
            [
                row("1"),
                row("2", "u2", hours=1, variant="warm"),
                row("3", "u2", hours=2, status="held_out", copy=None, sent_at=None),
                row("4", "u2", hours=2, campaign="spring", status="skipped", reason="cool_down", sent_at=None),
            ],
        )
    return database


def found(database: Database, filters: EmailFilters, limit: int = 1) -> str:
    """The first sign of each id, page by page."""
    ids = ""
    after: Position | None = None
    with database.read() as connection:
        while True:
            page = list_emails(connection, filters, limit, after)
            ids += "".join(each.email_id[0] for each in page.emails)
            if page.following is None:
                return ids
            after = page.following


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (EmailFilters(), "4321"),
        (EmailFilters(status="delivered"), "21"),
        (EmailFilters(campaign="win-back"), "321"),
        (EmailFilters(variant="warm"), "2"),
        (EmailFilters(variant="' OR 1=1 --"), ""),
        (EmailFilters(status="delivered", campaign="spring"), ""),
        (EmailFilters(created_from=SENT_AT + timedelta(hours=1)), "432"),
        (EmailFilters(created_to=SENT_AT + timedelta(hours=1)), "1"),
        (EmailFilters(user_id="u2"), "432"),
        (EmailFilters(user_id="u2", status="held_out"), "3"),
        (EmailFilters(user_id="nobody"), ""),
    ],
)
def test_filters(ledger: Database, filters: EmailFilters, expected: str) -> None:
    assert found(ledger, filters) == expected
    assert found(ledger, filters, limit=200) == expected


@pytest.mark.parametrize(
    ("filters", "index"),
    [
        (EmailFilters(), "ix_emails_created_at_email_id"),
        (EmailFilters(created_from=NOW, created_to=NOW), "ix_emails_created_at_email_id"),
        (EmailFilters(campaign="x", variant="y"), "ix_emails_created_at_email_id"),
        (EmailFilters(status="sent", variant="y"), "ix_emails_status_created_at_email_id"),
    ],
)
def test_no_page_sorts_or_reads_the_ledger_whole(ledger: Database, filters: EmailFilters, index: str) -> None:
    after = Position(0, (NOW, "x"))
    plans = plans_of(ledger, lambda connection: list_emails(connection, filters, 2, after))
    assert all(f"USING INDEX {index}" in plan or f"COVERING INDEX {index}" in plan for plan in plans), plans


def test_subjects_in_lists_name_nobody(ledger: Database) -> None:
    with ledger.read() as connection:
        page = list_emails(connection, EmailFilters(user_id="u1"), 10)
    assert [each.subject for each in page.emails] == ["It has been a while"]


def test_an_email_as_its_recipient_sees_it(ledger: Database, tmp_path: Path) -> None:
    settings = Settings(
        data_dir=tmp_path,
        database_url=ledger.engine.url.render_as_string(hide_password=False),
        secret_key=SECRET,
        delivery=DeliverySettings(public_url="https://mail.example.com"),
    )
    pipeline = Pipeline(settings, now=lambda: NOW)
    detail = email_detail(pipeline, "1" * 32)
    held_out = email_detail(pipeline, "3" * 32)
    assert email_detail(pipeline, "9" * 32) is None
    assert detail is not None
    rendered = render(pipeline, detail)
    assert rendered is not None
    assert "<b>Test" not in rendered.html
    assert "/unsubscribe?token=" in rendered.html
    # Looking at it is no opening, and following its button no click.
    assert "/o/" not in rendered.html
    assert "/c/" not in rendered.html
    assert held_out is not None
    assert render(pipeline, held_out) is None
    pipeline.database.close()


def report(database: Database, kind: str, at: datetime, original: str = "{}") -> None:
    event = Event(f"{kind}-1", kind, "1" * 32, None, None, at, "tracking", original)  # type: ignore[arg-type]
    sql_stores(database).feedback.take([event], at)


def test_events_tell_what_names_nobody(ledger: Database) -> None:
    report(ledger, "open", NOW, '{"user_agent": "Thunderbird", "address": "u1@example.com", "nested": {"a": 1}}')
    report(ledger, "delivery", SENT_AT + timedelta(minutes=2), '["no object"]')
    with ledger.read() as connection:
        events = queries.events_of(connection, "1" * 32)
    assert [(event.kind, event.detail) for event in events] == [
        ("delivery", {}),
        ("open", {"user_agent": "Thunderbird"}),
    ]


def test_the_timeline_is_one_list(ledger: Database) -> None:
    store = store_of(ledger)
    store.put_orders([order(f"o{n}", days_ago=100, value=n + 1.0) for n in range(3)], NOW)
    store.put_orders([order("later", days_ago=1, status=OrderStatus.CANCELLED)], NOW)
    report(ledger, "open", NOW - timedelta(hours=1))
    with ledger.write() as connection:
        record(connection, AuditEntry("shop", "user.updated", "user", "u1", {"fields": ["name"]}, NOW))
        record(connection, AuditEntry("shop", "user.updated", "user", "u2", {}, NOW))
    someone = store.get_user("u1")
    assert someone is not None
    with ledger.read() as connection:
        points = curve(connection, someone, Population(30.0, 20.0, 10), Settings().scoring, NOW.date())
        whole = timeline(connection, "u1", points, 100)
        assert whole.following is None
        by_pages: list[Entry] = []
        after: Position | None = None
        while True:
            page = timeline(connection, "u1", points, 2, after)
            by_pages += page.entries
            if page.following is None:
                break
            after = page.following
    assert by_pages == whole.entries
    told = [(entry.kind, entry.what) for entry in whole.entries]
    assert told[:2] == [("change", "user.updated"), ("event", "open")]
    assert told[2:6] == [("order", "cancelled"), ("email", "opened"), ("decision", "mail"), ("band", "critical")]
    assert told[-3:] == [("order", "delivered")] * 3
    assert [entry.at for entry in whole.entries] == sorted((entry.at for entry in whole.entries), reverse=True)


def test_the_timeline_tells_decisions_against_writing(ledger: Database) -> None:
    with ledger.read() as connection:
        entries = timeline(connection, "u2", [], 100).entries
    told = [(entry.what, entry.details.get("reason")) for entry in entries if entry.kind == "decision"]
    assert sorted(told, key=str) == [("hold_out", None), ("mail", None), ("mail", None), ("skip", "cool_down")]
