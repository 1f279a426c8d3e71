"""What the ledger in SQL keeps besides: the change log, and rows that are closed while others are settled."""

from collections.abc import Sequence
from datetime import datetime

import pytest
import sqlalchemy as sa

from engagement_pipeline.delivery import bookkeeping
from engagement_pipeline.delivery.entries import Outcome
from engagement_pipeline.delivery.tables import email_events
from engagement_pipeline.platform.change_log import change_log
from engagement_pipeline.platform.sql import Database
from engagement_pipeline_tests.conftest import NOW
from engagement_pipeline_tests.delivery.parts import Parts
from engagement_pipeline_tests.delivery.steps import LEASE, US, Provider, lease, mark, queued, record


@pytest.fixture
def parts(database: Database) -> Parts:
    return Parts(database)


def test_the_change_log_hears_of_rows_events_and_touches(parts: Parts) -> None:
    queued(parts, 1)
    [entry] = lease(parts, US)
    with parts.database.read() as connection:
        before = connection.execute(sa.select(sa.func.max(change_log.c.seq))).scalar_one()
    mark(parts, US, entry)
    record(parts, US, entry, "delivered")
    with parts.database.read() as connection:
        changes = connection.execute(sa.select(change_log).where(change_log.c.seq > before)).all()
        [event] = connection.execute(sa.select(email_events)).all()
    assert {(change.entity, change.entity_id) for change in changes} == {
        ("email", entry.email_id),
        ("event", event.event_id),
        ("touch", entry.user_id),
    }
    assert (event.email_id, event.kind, event.source) == (entry.email_id, "delivery", "outbox")


# SQLite has one writer at a time: there, nothing can be closed meanwhile.
@pytest.mark.parametrize("database", [pytest.param("postgresql", marks=pytest.mark.integration)], indirect=True)
def test_a_row_that_is_closed_while_others_are_settled_is_settled_too(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    queued(parts, 2)
    first, second = lease(parts, US)
    for entry in (first, second):
        assert mark(parts, US, entry)
    parts.ledger.advance(US, Outcome(first.email_id, "sent"), None, NOW, LEASE)
    touch = bookkeeping.touch_users

    def touch_while_a_lane_goes_on(connection: sa.Connection, user_ids: Sequence[str], now: datetime) -> None:
        monkeypatch.setattr(bookkeeping, "touch_users", touch)
        parts.ledger.advance(US, Outcome(second.email_id, "sent"), None, NOW, LEASE)
        touch(connection, user_ids, now)

    monkeypatch.setattr(bookkeeping, "touch_users", touch_while_a_lane_goes_on)
    assert parts.ledger.settle(US, Provider(None), NOW) == 1
    assert parts.ledger.settle(US, Provider(None), NOW) == 1
    with parts.database.read() as connection:
        told = connection.execute(sa.select(change_log.c.entity_id).where(change_log.c.entity == "email")).scalars()
        assert second.email_id in told.all()[2:]
