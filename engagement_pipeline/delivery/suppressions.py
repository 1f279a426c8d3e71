"""The list of addresses that must not be written to. It knows addresses by their key only and beats everything else."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from engagement_pipeline.delivery.tables import suppressions
from engagement_pipeline.platform import change_log
from engagement_pipeline.platform.change_log import Change
from engagement_pipeline.platform.sql import insert_or_ignore


@dataclass(frozen=True)
class Suppression:
    """Why an address is on the list: `reason` is a code, `source` who put it there."""

    address_key: str
    reason: str
    source: str
    suppressed_at: datetime


def add(connection: sa.Connection, address_key: str, reason: str, source: str, now: datetime) -> bool:
    """Put an address on the list; the first reason stays. Tell whether it is new there."""
    row = {"address_key": address_key, "reason": reason, "source": source, "suppressed_at": now}
    if insert_or_ignore(connection, suppressions, [row]) == 0:
        return False
    change_log.append(connection, [Change("suppression", address_key, None, "created")], now)
    return True


def remove(connection: sa.Connection, address_key: str, now: datetime) -> bool:
    """Take an address off the list; tell whether it was there."""
    removed = connection.execute(sa.delete(suppressions).where(suppressions.c.address_key == address_key))
    if removed.rowcount == 0:
        return False
    change_log.append(connection, [Change("suppression", address_key, None, "deleted")], now)
    return True


def is_suppressed(connection: sa.Connection, address_key: str) -> bool:
    query = sa.select(sa.exists().where(suppressions.c.address_key == address_key))
    return bool(connection.execute(query).scalar_one())


def list_suppressions(connection: sa.Connection, limit: int) -> Sequence[Suppression]:
    """Return the newest entries."""
    newest = sa.select(suppressions).order_by(suppressions.c.suppressed_at.desc(), suppressions.c.address_key)
    return [Suppression(**row._mapping) for row in connection.execute(newest.limit(limit))]
