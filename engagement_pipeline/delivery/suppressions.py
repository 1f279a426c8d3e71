"""The list of addresses that must not be written to. It knows addresses by their key only and beats everything else.

Reasons and sources are codes, not texts: they are shown in logs, metadata and the warehouse, where no address may be.
"""

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Final, Protocol

import sqlalchemy as sa

from engagement_pipeline.delivery.tables import suppressions
from engagement_pipeline.platform import change_log
from engagement_pipeline.platform.audit import AuditEntry, record
from engagement_pipeline.platform.change_log import Change
from engagement_pipeline.platform.sql import Database, upsert
from engagement_pipeline.users.addresses import address_key
from engagement_pipeline.users.derived import chunks

REASON: Final = re.compile(r"[a-z0-9][a-z0-9_]{0,31}", re.ASCII)
SOURCE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}", re.ASCII)

# The address of somebody who has been erased; no later reason replaces it.
ERASED: Final = "erased"
# What the rule over all that came back finds (`feedback/suppressing.py`), and may lift when it learns more. Its source
# names the rule rather than a reporter: no single event suppresses there.
HABIT: Final = "soft_bounces"
RULE: Final = "feedback"
# The source of what somebody has entered by hand.
PERSON: Final = "person"

_KEY = re.compile(r"[0-9a-f]{64}", re.ASCII)


@dataclass(frozen=True)
class Suppression:
    """Why an address is on the list: `reason` is a code, `source` who put it there."""

    address_key: str
    reason: str
    source: str
    suppressed_at: datetime


class Suppressions(Protocol):
    """The list as it is now: what decides reads here. Lists and counts of it read the SQL table."""

    def find(self, address_keys: Iterable[str]) -> dict[str, Suppression]:
        """Return the entries of these addresses; those that are not on the list are absent."""

    def add(self, entries: Sequence[Suppression], now: datetime, audit: AuditEntry | None = None) -> int:
        """Put addresses on the list; return how many are new there. The entry is written where any is.

        What is on the list stays as it is, except a habit that the rule has found (`HABIT`, `RULE`): any other entry
        takes its place. Where an address occurs twice, the first entry counts, by the same rule.
        """

    def worsen(self, entry: Suppression, milder: Collection[str], now: datetime) -> bool:
        """Give an address that is on the list for one of the milder reasons this reason and source; tell whether."""

    def add_erased(self, address_key: str, now: datetime) -> bool:
        """Put the address of somebody who is being erased on the list for good; tell whether anything has changed.

        From then on nothing replaces the entry, whatever was there before.
        """

    def remove(self, seen: Suppression, now: datetime, audit: AuditEntry | None = None) -> bool:
        """Take an entry off the list and write the audit's; False where it is gone, or of another reason or source."""


def key_of(address_or_key: str, secret: str) -> str:
    """Return the key of an address, or the key itself where that is what is given.

    Raises:
        InvalidAddressError: it is neither.
    """
    given = address_or_key.strip().lower()
    return given if is_key(given) else address_key(address_or_key, secret)


def is_key(text: str) -> bool:
    return _KEY.fullmatch(text) is not None


class SqlSuppressions:
    """The list in SQLite or PostgreSQL.

    Args:
        database: the operational store.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, address_keys: Iterable[str]) -> dict[str, Suppression]:
        with self._database.read() as connection:
            return find_many(connection, address_keys)

    def add(self, entries: Sequence[Suppression], now: datetime, audit: AuditEntry | None = None) -> int:
        with self._database.write() as connection:
            new = add_many(connection, entries, now)
            if new:
                record(connection, audit)
            return new

    def worsen(self, entry: Suppression, milder: Collection[str], now: datetime) -> bool:
        listed = sa.and_(suppressions.c.address_key == entry.address_key, suppressions.c.reason.in_(milder))
        graver = sa.update(suppressions).where(listed).values(reason=entry.reason, source=entry.source)
        with self._database.write() as connection:
            change_log.lock(connection)
            if connection.execute(graver).rowcount == 0:
                return False
            change_log.append(connection, [Change("suppression", entry.address_key, None, "updated")], now)
            return True

    def add_erased(self, address_key: str, now: datetime) -> bool:
        with self._database.write() as connection:
            return add_erased(connection, address_key, now)

    def remove(self, seen: Suppression, now: datetime, audit: AuditEntry | None = None) -> bool:
        same = sa.and_(suppressions.c.reason == seen.reason, suppressions.c.source == seen.source)
        gone = sa.delete(suppressions).where(suppressions.c.address_key == seen.address_key, same)
        with self._database.write() as connection:
            change_log.lock(connection)
            if connection.execute(gone).rowcount == 0:
                return False
            change_log.append(connection, [Change("suppression", seen.address_key, None, "deleted")], now)
            record(connection, audit)
            return True


def add(connection: sa.Connection, address_key: str, reason: str, source: str, now: datetime) -> bool:
    """Put an address on the list, as `add_many` does. Tell whether it is new there."""
    return add_many(connection, [Suppression(address_key, reason, source, now)], now) == 1


def add_many(connection: sa.Connection, entries: Sequence[Suppression], now: datetime) -> int:
    """Put addresses on the list, in a writing transaction; return how many are new there.

    What is on the list stays as it is, except a habit that the rule has found: any other entry takes its place. The
    rule may lift its own finding, and would lift a person's wish with it.
    """
    first = one_each(entries)
    change_log.lock(connection)
    known = find_many(connection, first)
    new = [entry for key, entry in first.items() if key not in known]
    better = [entry for key, entry in first.items() if key in known and _gives_way(known[key], entry)]
    upsert(
        connection, suppressions, [asdict(entry) for entry in (*new, *better)], ("reason", "source", "suppressed_at")
    )
    changes = [Change("suppression", entry.address_key, None, "created") for entry in new]
    changes += [Change("suppression", entry.address_key, None, "updated") for entry in better]
    change_log.append(connection, changes, now)
    return len(new)


def one_each(entries: Iterable[Suppression]) -> dict[str, Suppression]:
    """Return the entry that counts of each address: the first, unless it gives way to a later one."""
    first: dict[str, Suppression] = {}
    for entry in entries:
        if entry.address_key not in first or _gives_way(first[entry.address_key], entry):
            first[entry.address_key] = entry
    return first


def _gives_way(listed: Suppression, entry: Suppression) -> bool:
    return (listed.reason, listed.source) == (HABIT, RULE) != (entry.reason, entry.source)


def add_erased(connection: sa.Connection, address_key: str, now: datetime) -> bool:
    """Put the address of somebody who is being erased on the list for good; tell whether anything has changed."""
    change_log.lock(connection)
    other = sa.and_(suppressions.c.address_key == address_key, suppressions.c.reason != ERASED)
    changed = connection.execute(sa.update(suppressions).where(other).values(reason=ERASED, source=ERASED))
    if changed.rowcount:
        change_log.append(connection, [Change("suppression", address_key, None, "updated")], now)
        return True
    return add(connection, address_key, ERASED, ERASED, now)


def find(connection: sa.Connection, address_key: str) -> Suppression | None:
    """Return why an address is on the list, or None if it is not."""
    return find_many(connection, [address_key]).get(address_key)


def find_many(connection: sa.Connection, address_keys: Iterable[str]) -> dict[str, Suppression]:
    """Return the entries of these addresses; those that are not on the list are absent."""
    found: dict[str, Suppression] = {}
    for chunk in chunks(address_keys):
        rows = connection.execute(sa.select(suppressions).where(suppressions.c.address_key.in_(chunk)))
        found.update((row.address_key, Suppression(**row._mapping)) for row in rows)
    return found


def list_suppressions(
    connection: sa.Connection, limit: int, *, reason: str | None = None, source: str | None = None
) -> Sequence[Suppression]:
    """Return the newest entries, of all or of one reason or source."""
    newest = sa.select(suppressions).order_by(suppressions.c.suppressed_at.desc(), suppressions.c.address_key)
    if reason is not None:
        newest = newest.where(suppressions.c.reason == reason)
    if source is not None:
        newest = newest.where(suppressions.c.source == source)
    return [Suppression(**row._mapping) for row in connection.execute(newest.limit(limit))]


def count_by_reason(connection: sa.Connection) -> dict[str, int]:
    """Return how many addresses are on the list for each reason, most frequent first."""
    number = sa.func.count().label("number")
    query = sa.select(suppressions.c.reason, number).group_by(suppressions.c.reason)
    return {row.reason: row.number for row in connection.execute(query.order_by(number.desc(), suppressions.c.reason))}
