"""The audit log, on SQLite, PostgreSQL and DynamoDB."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
import sqlalchemy as sa

from engagement_pipeline.platform.audit import Audit, AuditEntry, SqlAudit, audit_log
from engagement_pipeline.platform.dynamodb import Dynamo
from engagement_pipeline.platform.dynamodb_audit import DynamoAudit
from engagement_pipeline.platform.dynamodb_tables import AUDIT
from engagement_pipeline.platform.sql import Database
from engagement_pipeline_tests.conftest import NOW


@dataclass(frozen=True)
class Log:
    """A log, and what stands in it, oldest first: what was done, to what, by whom."""

    audit: Audit
    written: Callable[[], Sequence[tuple[Any, ...]]]


@pytest.fixture(
    params=[
        "sqlite",
        pytest.param("postgresql", marks=pytest.mark.integration),
        pytest.param("dynamodb", marks=pytest.mark.integration),
    ]
)
def log(request: pytest.FixtureRequest) -> Iterator[Log]:
    if request.param == "dynamodb":
        yield _of_dynamodb(request.getfixturevalue("dynamo"))
        return
    database = Database(request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url"))
    yield _of_sql(database)
    database.close()


def _of_sql(database: Database) -> Log:
    def written() -> Sequence[tuple[Any, ...]]:
        names = ("action", "entity", "entity_id", "actor", "details", "happened_at", "request_id")
        query = sa.select(*(audit_log.c[name] for name in names)).order_by(audit_log.c.audit_id)
        with database.read() as connection:
            return [tuple(row) for row in connection.execute(query)]

    return Log(SqlAudit(database), written)


def _of_dynamodb(dynamo: Dynamo) -> Log:
    def written() -> Sequence[tuple[Any, ...]]:
        from engagement_pipeline.users.dynamodb.items import moment_of

        found = sorted(dynamo.scan(AUDIT, 0, 1), key=lambda item: item["auditId"])
        names = ("action", "entity", "entityId", "actor", "details")
        return [
            (*(item[name] for name in names), moment_of(item["happenedAt"]), item.get("requestId")) for item in found
        ]

    return Log(DynamoAudit(dynamo, wait=lambda seconds: None), written)


def test_entries_come_back_as_they_were_written(log: Log) -> None:
    log.audit.record(AuditEntry("ada", "user.shown", "user", "u1", {"fields": ["name"], "rows": 3}, NOW, "r-1"))
    log.audit.record(AuditEntry("cli", "token.created", "token", "web", {}, NOW))
    assert log.written() == [
        ("user.shown", "user", "u1", "ada", {"fields": ["name"], "rows": 3}, NOW, "r-1"),
        ("token.created", "token", "web", "cli", {}, NOW, None),
    ]


def test_whoever_has_been_erased_gets_another_name_everywhere(log: Log) -> None:
    for entity, entity_id in [("user", "u1"), ("user", "u2"), ("email", "u1"), ("user", "u1")]:
        log.audit.record(AuditEntry("ada", "looked", entity, entity_id, {}, NOW))
    for _ in range(2):
        log.audit.rename({("user", "u1"): "erased-1", ("user", "ghost"): "erased-2"})
    assert [row[1:3] for row in log.written()] == [
        ("user", "erased-1"),
        ("user", "u2"),
        ("email", "u1"),
        ("user", "erased-1"),
    ]
