"""The last runs of each job, as pages show them."""

from typing import Any

import sqlalchemy as sa

from engagement_pipeline.platform.run_marks import run_marks


def last_runs(connection: sa.Connection) -> list[sa.Row[Any]]:
    """Return when each job last succeeded and failed, by its name."""
    return list(connection.execute(sa.select(run_marks).order_by(run_marks.c.job)))
