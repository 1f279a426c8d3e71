"""Who changed what, for ever: one row per write by a person or a program, without the values that were written.

Rows are only ever added. Erasing a person replaces the person's id in `entity_id` by a keyed hash, and nothing else.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

import sqlalchemy as sa

from engagement_pipeline.platform.sql import Database, UtcDateTime, metadata

audit_log = sa.Table(
    "audit_log",
    metadata,
    sa.Column("audit_id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
    # Not named `at`, which is a reserved word in DuckDB.
    sa.Column("happened_at", UtcDateTime, nullable=False),
    # The name of a token; `cli`; or `local`, where no token is needed.
    sa.Column("actor", sa.String(64), nullable=False),
    sa.Column("action", sa.String(64), nullable=False),
    sa.Column("entity", sa.String(32), nullable=False),
    sa.Column("entity_id", sa.String(256), nullable=False),
    # Names of fields, flags and numbers; never an address or a name.
    sa.Column("details", sa.JSON, nullable=False),
    sa.Column("request_id", sa.String(64)),
    sa.Index("ix_audit_log_entity_entity_id", "entity", "entity_id"),
    sqlite_autoincrement=True,
)


@dataclass(frozen=True)
class AuditEntry:
    """One write by a person or a program.

    A write that has an entry takes it as a parameter, so that the store that makes the change keeps both or neither.

    Attributes:
        actor: the name of a token, `cli`, or `local`.
        action: what was done, such as `user.created`.
        entity: what it was done to, such as `user`.
        entity_id: which one; a user's id where the entity is `user`.
        details: names of fields, flags and numbers; never an address or a name.
        happened_at: the moment.
        request_id: names the request that asked for it, where there was one.
    """

    actor: str
    action: str
    entity: str
    entity_id: str
    details: Mapping[str, Any]
    happened_at: datetime
    request_id: str | None = None


class Audit(Protocol):
    """Where entries go that no other store's write carries, and what an erasure does to all of them."""

    def record(self, entry: AuditEntry) -> None:
        """Record a look at personal data, or a change of what the system keeps for itself, such as a token."""

    def rename(self, names: Mapping[tuple[str, str], str]) -> None:
        """Give ids another name, wherever they stand: whoever had them has been erased. Repeating it changes nothing.

        Args:
            names: the new ones, by entity and id.
        """


class SqlAudit:
    """The log in SQLite or PostgreSQL.

    Args:
        database: the operational store.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def record(self, entry: AuditEntry) -> None:
        with self._database.write() as connection:
            record(connection, entry)

    def rename(self, names: Mapping[tuple[str, str], str]) -> None:
        with self._database.write() as connection:
            for (entity, entity_id), name in names.items():
                of_it = sa.and_(audit_log.c.entity == entity, audit_log.c.entity_id == entity_id)
                connection.execute(sa.update(audit_log).where(of_it).values(entity_id=name))


def record(connection: sa.Connection, entry: AuditEntry | None) -> None:
    """Record a write in its own transaction, if it has an entry."""
    if entry is not None:
        connection.execute(sa.insert(audit_log), [row_of(entry)])


def row_of(entry: AuditEntry) -> dict[str, Any]:
    """Return an entry's row."""
    return {**vars(entry), "details": dict(entry.details)}
