"""How the system stands, as the API gives it."""

from datetime import datetime
from typing import Any

from pydantic import Field

from engagement_pipeline.web.api.models.common import Code, Given, Identifier, Listed


class Queue(Given):
    """What waits."""

    number: int
    is_more: bool = Field(description="Whether there are more than were counted.")
    oldest: datetime | None


class Unknown(Given):
    """E-mails of which nobody can tell whether they were sent."""

    number: int
    oldest: datetime | None


class Job(Given):
    """When a job last succeeded and last failed."""

    job: str
    last_success_at: datetime | None
    last_failure_at: datetime | None


class FailedRun(Given):
    """A run that failed: the class of its first error."""

    run_id: str
    job: str
    steps: str
    error: str
    failed_at: datetime


class SystemAnswer(Given):
    """How the system stands."""

    drafts: Queue
    queued: Queue
    unanswered_changes: int = Field(description="Changes and requests that no run has answered yet.")
    unknown: Unknown
    stopped: str | None = Field(description="Why nothing is sent until a person says go on.")
    jobs: list[Job]
    failures: list[FailedRun] = Field(description="Of the last week.")


class AuditQuery(Listed):
    """Which entries; the newest come first."""

    entity: Code | None = Field(None, description="Such as `user`.")
    entity_id: Identifier | None = None


class AuditEntry(Given):
    """Who did what to what. Values are never kept, only names of fields."""

    audit_id: int
    happened_at: datetime
    actor: str
    action: str
    entity: str
    entity_id: str
    details: dict[str, Any]
    request_id: str | None


class Ready(Given):
    """Whether the system can do its work."""

    ready: bool
    store: bool = Field(description="The operational store answers.")
    schema_current: bool
    last_run_at: datetime | None = Field(description="When a run last succeeded.")
    last_run_age_seconds: float | None


class Alive(Given):
    """That the process answers."""

    status: str
