"""When jobs last ended, in whatever order we hear of it."""

from datetime import datetime, timedelta

import sqlalchemy as sa

from engagement_pipeline.platform import run_marks
from engagement_pipeline.platform.sql import Database
from engagement_pipeline_tests.conftest import NOW

EARLIER = NOW - timedelta(hours=1)


def marks(database: Database) -> list[tuple[str, datetime | None, datetime | None]]:
    with database.read() as connection:
        rows = connection.execute(sa.select(run_marks.run_marks).order_by(run_marks.run_marks.c.job))
        return [(row.job, row.last_success_at, row.last_failure_at) for row in rows]


def record(database: Database, job: str, ended_at: datetime, *, succeeded: bool) -> None:
    with database.write() as connection:
        run_marks.record(connection, job, succeeded=succeeded, ended_at=ended_at)


def test_each_job_has_its_own_marks(database: Database) -> None:
    record(database, "send_emails", NOW, succeeded=True)
    record(database, "send_emails", EARLIER, succeeded=False)
    record(database, "prove_score", EARLIER, succeeded=False)
    assert marks(database) == [("prove_score", None, EARLIER), ("send_emails", NOW, EARLIER)]


def test_a_run_that_is_heard_of_late_does_not_turn_the_mark_back(database: Database) -> None:
    for ended_at in (NOW, EARLIER):
        record(database, "send_emails", ended_at, succeeded=True)
    assert marks(database) == [("send_emails", NOW, None)]
