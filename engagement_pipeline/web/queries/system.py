"""How the system stands: queues and their ages, what nobody can tell, what has stopped, and the last runs."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa

from engagement_pipeline.delivery import breaker
from engagement_pipeline.delivery.tables import emails
from engagement_pipeline.delivery.unknowns import Unknowns, count_unknown
from engagement_pipeline.platform import change_log, run_failures
from engagement_pipeline.platform.change_claims import change_claims
from engagement_pipeline.platform.run_marks import run_marks

_FAILURES_OF: Final = timedelta(days=7)


@dataclass(frozen=True)
class Waiting:
    """What waits: how many (counted up to a bound, `is_more` beyond it), and since when the oldest."""

    number: int
    is_more: bool
    oldest: datetime | None


@dataclass(frozen=True)
class JobMark:
    """When a job last succeeded and last failed."""

    job: str
    last_success_at: datetime | None
    last_failure_at: datetime | None


@dataclass(frozen=True)
class Failure:
    """A run that failed: which job, when, and the class of its first error."""

    run_id: str
    job: str
    steps: str
    error: str
    failed_at: datetime


@dataclass(frozen=True)
class SystemState:
    """How the system stands.

    Attributes:
        drafts: e-mails that are written and not released.
        queued: e-mails that wait for a sender.
        unanswered_changes: changes and requests that no run has answered yet.
        unknown: e-mails of which nobody can tell whether they were sent.
        stopped: why nothing is sent until a person says go on; None where nothing stops it.
        jobs: when each job last succeeded and failed.
        failures: failed runs of the last week, the newest first.
    """

    drafts: Waiting
    queued: Waiting
    unanswered_changes: int
    unknown: Unknowns
    stopped: str | None
    jobs: list[JobMark]
    failures: list[Failure]


# Counting millions of rows is nothing that a page waits for.
_COUNTED: Final = 10_000


def system_state(connection: sa.Connection, now: datetime) -> SystemState:
    """Return how the system stands."""
    return SystemState(
        drafts=waiting(connection, "draft"),
        queued=waiting(connection, "queued"),
        unanswered_changes=unanswered_changes(connection),
        unknown=count_unknown(connection),
        stopped=breaker.tripped(connection),
        jobs=job_marks(connection),
        failures=[Failure(**row._mapping) for row in run_failures.since(connection, now - _FAILURES_OF)],
    )


def waiting(connection: sa.Connection, status: str) -> Waiting:
    """Count the e-mails of one status, and find the oldest."""
    of_it = emails.c.status == status
    some = sa.select(sa.literal(1)).select_from(emails).where(of_it).limit(_COUNTED + 1).subquery()
    number = connection.execute(sa.select(sa.func.count()).select_from(some)).scalar_one()
    oldest = sa.select(emails.c.created_at).where(of_it).order_by(emails.c.created_at, emails.c.email_id).limit(1)
    since = connection.execute(oldest).scalar_one_or_none()
    return Waiting(min(number, _COUNTED), number > _COUNTED, since)


def unanswered_changes(connection: sa.Connection) -> int:
    """Count the changes and requests that no run has dealt with, up to a bound."""
    answered = connection.execute(sa.select(sa.func.max(change_claims.c.answered_seq))).scalar_one() or 0
    log = change_log.change_log.c
    newer = sa.select(sa.literal(1)).where(log.entity.in_(change_log.CAUSES), log.seq > answered).limit(_COUNTED)
    return int(connection.execute(sa.select(sa.func.count()).select_from(newer.subquery())).scalar_one())


def job_marks(connection: sa.Connection) -> list[JobMark]:
    """Return when each job last succeeded and failed, by name."""
    return [JobMark(**row._mapping) for row in connection.execute(sa.select(run_marks).order_by(run_marks.c.job))]


def last_success(connection: sa.Connection) -> datetime | None:
    """Return when any job last succeeded."""
    moment: datetime | None = connection.execute(
        sa.select(sa.func.max(run_marks.c.last_success_at, type_=run_marks.c.last_success_at.type))
    ).scalar_one()
    return moment


def count_by_status(connection: sa.Connection) -> dict[str, int]:
    """Count all e-mails by status: an index is read whole."""
    query = sa.select(emails.c.status, sa.func.count()).group_by(emails.c.status)
    return {row[0]: row[1] for row in connection.execute(query)}
