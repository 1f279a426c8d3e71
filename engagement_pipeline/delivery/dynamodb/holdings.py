"""What the workers of this process hold: the index lags behind, and knows nothing yet of what they have just taken."""

import threading
from collections import defaultdict
from collections.abc import Collection, Iterable
from typing import NamedTuple


class Words(NamedTuple):
    """What a row says, as far as it is decided on."""

    campaign: str
    edition: str | None


class Holdings:
    """Rows that were claimed, and rows that were closed but not settled, by worker. Threads may share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._claimed: dict[str, dict[str, Words]] = defaultdict(dict)
        self._closed: dict[str, set[str]] = defaultdict(set)

    def claim(self, worker: str, email_id: str, words: Words) -> bool:
        """Note a row before it is claimed; False where the worker has it already."""
        with self._lock:
            return self._claimed[worker].setdefault(email_id, words) is words

    def words(self, worker: str, email_id: str) -> Words | None:
        """Return what a row says that a worker has claimed here."""
        with self._lock:
            return self._claimed[worker].get(email_id)

    def claimed(self, worker: str) -> list[str]:
        with self._lock:
            return list(self._claimed[worker])

    def let_go(self, worker: str, email_ids: Iterable[str]) -> None:
        """Note that rows are in the queue no more, or not this worker's."""
        with self._lock:
            for email_id in email_ids:
                self._claimed[worker].pop(email_id, None)

    def close(self, worker: str, email_ids: Collection[str]) -> None:
        """Note rows before they are closed."""
        with self._lock:
            self._closed[worker].update(email_ids)
            for email_id in email_ids:
                self._claimed[worker].pop(email_id, None)

    def closed(self, worker: str) -> set[str]:
        with self._lock:
            return set(self._closed[worker])

    def settle(self, worker: str, email_ids: Iterable[str]) -> None:
        """Note that nothing more is to be done about rows."""
        with self._lock:
            self._closed[worker].difference_update(email_ids)
