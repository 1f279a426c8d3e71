"""What waits too long, and what waits rightly."""

from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa

from engagement_pipeline.delivery.overdue import Overdue, overdue
from engagement_pipeline.delivery.tables import emails
from engagement_pipeline.platform.sql import Database
from engagement_pipeline_tests.conftest import NOW
from engagement_pipeline_tests.delivery.sent_emails import add_sent

HOURS = timedelta(hours=1)


def waiting(
    database: Database, since: datetime, value: float = 5.0, not_before: datetime | None = None, status: str = "queued"
) -> None:
    [email_id] = add_sent(database, 1, None, "queued")
    change(database, email_id, status=status, created_at=since, not_before=not_before, value_at_risk=value)


def went(database: Database, sent_at: datetime, value: float) -> None:
    [email_id] = add_sent(database, 1, sent_at)
    change(database, email_id, value_at_risk=value)


def change(database: Database, email_id: str, **values: object) -> None:
    with database.write() as connection:
        connection.execute(sa.update(emails).where(emails.c.email_id == email_id).values(values))


def found(database: Database) -> Overdue:
    with database.read() as connection:
        return overdue(connection, NOW)


@pytest.mark.parametrize("status", ["draft", "queued"])
def test_a_queue_that_stands_still(database: Database, status: str) -> None:
    waiting(database, NOW - 24 * HOURS, status=status)
    assert found(database) == Overdue(0, None, 0, False)
    waiting(database, NOW - 30 * HOURS, status=status)
    waiting(database, NOW - 25 * HOURS, status=status)
    assert found(database) == Overdue(2, NOW - 30 * HOURS, 0, True)


def test_an_e_mail_is_not_overdue_before_its_time(database: Database) -> None:
    waiting(database, NOW - 90 * HOURS, not_before=NOW - 23 * HOURS)
    waiting(database, NOW - 90 * HOURS, not_before=NOW + HOURS)
    assert found(database).number == 0
    waiting(database, NOW - 90 * HOURS, not_before=NOW - 25 * HOURS)
    assert found(database) == Overdue(1, NOW - 25 * HOURS, 0, True)


def test_what_is_worth_less_waits_for_the_quota_of_another_day(database: Database) -> None:
    waiting(database, NOW - 90 * HOURS, value=5.0)
    went(database, NOW - 2 * HOURS, 5.0)
    went(database, NOW - 2 * HOURS, 9.0)
    went(database, NOW - 25 * HOURS, 1.0)
    assert found(database) == Overdue(1, NOW - 90 * HOURS, 2, False)
    went(database, NOW - 2 * HOURS, 4.0)
    assert found(database) == Overdue(1, NOW - 90 * HOURS, 3, True)
