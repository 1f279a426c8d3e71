"""Failed runs, kept where the command line can show them. Error texts stay in Dagster: they may quote data."""

from datetime import datetime

import sqlalchemy as sa

from engagement_pipeline.platform.sql import UtcDateTime, insert_or_ignore, metadata

run_failures = sa.Table(
    "run_failures",
    metadata,
    sa.Column("run_id", sa.String(64), primary_key=True),
    sa.Column("job", sa.String(128), nullable=False),
    sa.Column("steps", sa.String(512), nullable=False),
    sa.Column("error", sa.String(128), nullable=False),
    sa.Column("failed_at", UtcDateTime, nullable=False),
)


def record(
    connection: sa.Connection, *, run_id: str, job: str, steps: list[str], error: str, failed_at: datetime
) -> None:
    """Keep a failed run: which steps, and the class of the first error."""
    row = {"run_id": run_id, "job": job, "steps": ", ".join(steps)[:512], "error": error[:128], "failed_at": failed_at}
    insert_or_ignore(connection, run_failures, [row])


def since(connection: sa.Connection, moment: datetime) -> list[sa.Row[tuple[str, str, str, str, datetime]]]:
    """Return the failures from `moment` on, newest first."""
    query = sa.select(run_failures).where(run_failures.c.failed_at >= moment).order_by(run_failures.c.failed_at.desc())
    return list(connection.execute(query))
