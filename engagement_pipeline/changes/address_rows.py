"""Which addresses are suppressed, as their items say; that an address was touched follows from e-mails here."""

from collections.abc import Sequence
from dataclasses import asdict

import sqlalchemy as sa

from engagement_pipeline.changes.reading import Reading
from engagement_pipeline.delivery.suppressions import Suppression, find_many
from engagement_pipeline.delivery.tables import suppressions
from engagement_pipeline.platform.change_log import Change
from engagement_pipeline.platform.sql import upsert
from engagement_pipeline.users.derived import chunks


def write(connection: sa.Connection, readings: Sequence[Reading[Suppression]]) -> list[Change]:
    """Bring the list of suppressions in line, in a writing transaction; return what has changed by that."""
    there = {reading.row.address_key: reading.row for reading in readings if reading.row is not None}
    gone = {reading.event.entity_id for reading in readings if reading.row is None}
    known = find_many(connection, {*there, *gone})
    changed = [entry for key, entry in there.items() if known.get(key) != entry]
    upsert(connection, suppressions, [asdict(entry) for entry in changed], ("reason", "source", "suppressed_at"))
    lifted = gone & known.keys()
    for chunk in chunks(lifted):
        connection.execute(sa.delete(suppressions).where(suppressions.c.address_key.in_(chunk)))
    changes = [
        Change("suppression", entry.address_key, None, "updated" if entry.address_key in known else "created")
        for entry in changed
    ]
    return changes + [Change("suppression", key, None, "deleted") for key in sorted(lifted)]
