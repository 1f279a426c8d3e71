"""When each job last succeeded and last failed, where the API and the dashboard can see it."""

from datetime import datetime

import sqlalchemy as sa

from engagement_pipeline.platform.sql import UtcDateTime, insert_or_ignore, metadata

run_marks = sa.Table(
    "run_marks",
    metadata,
    sa.Column("job", sa.String(128), primary_key=True),
    sa.Column("last_success_at", UtcDateTime),
    sa.Column("last_failure_at", UtcDateTime),
)


def record(connection: sa.Connection, job: str, *, succeeded: bool, ended_at: datetime) -> None:
    """Note the end of a run, in a writing transaction. Runs are heard of late and in any order: the latest end counts.

    Args:
        connection: a writing transaction.
        job: its name.
        succeeded: whether it did what it was to do.
        ended_at: when it ended.
    """
    insert_or_ignore(connection, run_marks, [{"job": job}])
    column = run_marks.c.last_success_at if succeeded else run_marks.c.last_failure_at
    earlier = sa.or_(column.is_(None), column < ended_at)
    connection.execute(sa.update(run_marks).where(run_marks.c.job == job, earlier).values({column.name: ended_at}))
