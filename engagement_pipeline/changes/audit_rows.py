"""The audit log as its items say: entries are added, and after an erasure lead to nobody any more."""

from collections.abc import Mapping, Sequence
from typing import Final

import sqlalchemy as sa

from engagement_pipeline.changes.reading import Reading
from engagement_pipeline.changes.tables import audit_copies
from engagement_pipeline.platform.audit import AuditEntry, audit_log, row_of
from engagement_pipeline.users.derived import chunks

_WRITE: Final = (
    sa.update(audit_log)
    .where(audit_log.c.audit_id == sa.bindparam("p_audit_id"))
    .values(entity_id=sa.bindparam("p_entity_id"), details=sa.bindparam("p_details"))
)


def write(connection: sa.Connection, readings: Sequence[Reading[AuditEntry]]) -> None:
    """Bring the audit log in line, in a writing transaction. An entry stays, also where its item does not."""
    there = {reading.event.entity_id: reading.row for reading in readings if reading.row is not None}
    known: dict[str, int] = {}
    for chunk in chunks(there):
        query = sa.select(audit_copies).where(audit_copies.c.entry_id.in_(chunk))
        known |= {row.entry_id: row.audit_id for row in connection.execute(query)}
    changed = [
        {"p_audit_id": known[entry_id], "p_entity_id": entry.entity_id, "p_details": dict(entry.details)}
        for entry_id, entry in there.items()
        if entry_id in known
    ]
    if changed:
        connection.execute(_WRITE, changed)
    _add(connection, {entry_id: entry for entry_id, entry in there.items() if entry_id not in known})


def _add(connection: sa.Connection, new: Mapping[str, AuditEntry]) -> None:
    if not new:
        return
    # Their ids rise with time: rows come in the order in which things happened.
    ids = sorted(new)
    insert = sa.insert(audit_log).returning(audit_log.c.audit_id, sort_by_parameter_order=True)
    added = connection.execute(insert, [row_of(new[entry_id]) for entry_id in ids]).scalars()
    copies = [{"entry_id": entry_id, "audit_id": audit_id} for entry_id, audit_id in zip(ids, added, strict=True)]
    connection.execute(sa.insert(audit_copies), copies)
