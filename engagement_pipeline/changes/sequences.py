"""How far each item has been followed: what comes late, or once more, is known by its sequence number."""

import hashlib
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa

from engagement_pipeline.changes.tables import item_sequences
from engagement_pipeline.platform.sql import upsert
from engagement_pipeline.users.derived import chunks

ItemKey = tuple[str, str, str]

# Longer than a change can be on its way: a day in its stream, two weeks in the queue, as long among the dead letters.
KEPT_FOR: Final = timedelta(days=30)

_DIGITS: Final = 40


class Sequences:
    """The numbers of the newest changes that have been applied; works in the caller's writing transaction.

    A number is kept for an item that has been deleted, too: what it was before may still be on its way.

    Args:
        secret_key: keys the hashes under which items are known.
    """

    def __init__(self, secret_key: str) -> None:
        # The longest key that the hash takes.
        self._key = hashlib.sha256(secret_key.encode()).digest()

    def applied(
        self, connection: sa.Connection, keys: Iterable[ItemKey], since: datetime | None = None
    ) -> dict[ItemKey, int]:
        """Return the newest number of each of these items; those never heard of, or not since then, are absent."""
        by_hash = {self._hash(key): key for key in keys}
        found: dict[ItemKey, int] = {}
        for chunk in chunks(by_hash):
            query = sa.select(item_sequences.c.item_key, item_sequences.c.sequence)
            query = query if since is None else query.where(item_sequences.c.noted_at >= since)
            for hashed, sequence in connection.execute(query.where(item_sequences.c.item_key.in_(chunk))):
                found[by_hash[hashed]] = int(sequence)
        return found

    def note(self, connection: sa.Connection, newest: Collection[tuple[ItemKey, int]], now: datetime) -> None:
        """Record up to which number items have been followed."""
        rows = [
            {"item_key": self._hash(key), "sequence": f"{sequence:0{_DIGITS}d}", "noted_at": now}
            for key, sequence in newest
        ]
        upsert(connection, item_sequences, rows, ("sequence", "noted_at"))

    def _hash(self, key: ItemKey) -> str:
        return hashlib.blake2b("\0".join(key).encode(), key=self._key, digest_size=32).hexdigest()


def forget(connection: sa.Connection, before: datetime) -> int:
    """Delete the numbers of items that have not changed since a moment; return how many.

    Args:
        connection: a writing transaction.
        before: earlier than anything that can still be on its way.
    """
    return connection.execute(sa.delete(item_sequences).where(item_sequences.c.noted_at < before)).rowcount
