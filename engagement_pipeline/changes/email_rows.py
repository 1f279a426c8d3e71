"""The ledger's rows as their items say; what a person asks for wakes the reaction, as elsewhere."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import sqlalchemy as sa

from engagement_pipeline.changes.reading import Reading
from engagement_pipeline.delivery.dynamodb.items import column_id
from engagement_pipeline.delivery.statuses import WAITING
from engagement_pipeline.delivery.tables import emails
from engagement_pipeline.platform.change_log import Change
from engagement_pipeline.platform.sql import upsert
from engagement_pipeline.users.derived import chunks

# By the names of the columns.
EmailColumns = Mapping[str, Any]

_COLUMNS: Final = tuple(column.name for column in emails.columns if not column.primary_key)


def write(connection: sa.Connection, readings: Sequence[Reading[EmailColumns]]) -> list[Change]:
    """Bring the ledger's rows in line, in a writing transaction; return what has changed by that."""
    there = {reading.row["email_id"]: reading.row for reading in readings if reading.row is not None}
    gone = {column_id(reading.event.entity_id) for reading in readings if reading.row is None}
    known: dict[str, str] = {}
    for chunk in chunks({*there, *gone}):
        query = sa.select(emails.c.email_id, emails.c.user_id).where(emails.c.email_id.in_(chunk))
        known |= {row.email_id: row.user_id for row in connection.execute(query)}
    lost = gone & known.keys()
    for chunk in chunks(lost):
        connection.execute(sa.delete(emails).where(emails.c.email_id.in_(chunk)))
    upsert(connection, emails, [dict(row) for row in there.values()], _COLUMNS)
    changes = [Change("email", email_id, known[email_id], "deleted") for email_id in sorted(lost)]
    for email_id, row in there.items():
        is_new = email_id not in known
        changes.append(Change("email", email_id, row["user_id"], "created" if is_new else "updated"))
        if is_new and row["requested_by"] is not None and row["status"] in WAITING:
            changes.append(Change("request", email_id, row["user_id"], "created"))
    return changes
