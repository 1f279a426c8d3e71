"""What nobody can tell, until somebody can."""

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Row

from engagement_pipeline.delivery import unknowns
from engagement_pipeline.delivery.events import Event
from engagement_pipeline.delivery.feedback.replay import replay
from engagement_pipeline.delivery.sql_ledger import SqlLedger
from engagement_pipeline.delivery.tables import emails
from engagement_pipeline.delivery.unknowns import Became, Unknowns, count_unknown, list_unknown
from engagement_pipeline.platform.sql import Database
from engagement_pipeline_tests.conftest import NOW
from engagement_pipeline_tests.delivery.sent_emails import add_sent
from engagement_pipeline_tests.delivery.sql_stores import sql_stores
from engagement_pipeline_tests.users.builders import log_of


def resolve(database: Database, email_id: str, became: Became) -> bool:
    return unknowns.resolve(sql_stores(database), email_id, became, "seen in the log", NOW)


def row_of(database: Database, email_id: str) -> Row[Any]:
    with database.read() as connection:
        return connection.execute(sa.select(emails).where(emails.c.email_id == email_id)).one()


def test_what_has_expired_is_no_longer_asked_about(database: Database) -> None:
    [old] = add_sent(database, 1, NOW - timedelta(days=4), "unknown")
    [young] = add_sent(database, 1, NOW - timedelta(days=1), "unknown")
    add_sent(database, 5, NOW - timedelta(days=9))
    with database.read() as connection:
        assert [each.email_id for each in list_unknown(connection, 9)] == [old, young]
        assert [each.email_id for each in list_unknown(connection, 1)] == [old]
    SqlLedger(database, soft_bounces=3).expire_unknown(NOW - timedelta(days=3), NOW)
    with database.read() as connection:
        assert count_unknown(connection) == Unknowns(1, NOW - timedelta(days=1))
    assert resolve(database, old, "sent"), "who finds out late may still say so"


@pytest.mark.parametrize("became", ["sent", "failed"])
def test_a_persons_word_is_kept_like_the_providers(database: Database, became: Became) -> None:
    [email_id] = add_sent(database, 1, NOW - timedelta(days=1), "unknown")
    assert resolve(database, email_id, became)
    assert not resolve(database, email_id, "failed")
    assert row_of(database, email_id).status == became
    assert {entry[0] for entry in log_of(database)} == {"email", "event"}
    assert replay(database, sql_stores(database).ledger, NOW).changed == 0
    assert row_of(database, email_id).status == became


def test_the_providers_word_is_graver(database: Database) -> None:
    [email_id] = add_sent(database, 1, NOW - timedelta(days=1), "unknown")
    resolve(database, email_id, "failed")
    event = Event("e1", "delivery", email_id, None, None, NOW, "ses", "{}")
    sql_stores(database).feedback.take([event], NOW)
    assert row_of(database, email_id).status == "delivered"


@pytest.mark.parametrize("status", ["queued", "sent", "failed", "delivered"])
def test_only_what_is_unknown_can_be_resolved(database: Database, status: Any) -> None:
    [email_id] = add_sent(database, 1, NOW, status)
    assert not resolve(database, email_id, "failed")
    assert not resolve(database, "f" * 32, "failed")
    assert row_of(database, email_id).status == status
