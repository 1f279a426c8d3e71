"""Token buckets: so many requests a second from each, twice as many in a burst; kept in memory, within a bound."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from engagement_pipeline.platform import clock

_BURST_SECONDS: Final = 2.0
_MOST_KEYS: Final = 10_000


class Buckets:
    """One bucket for each key."""

    def __init__(
        self, per_second: float, burst: float | None = None, monotonic: Callable[[], float] = clock.monotonic
    ) -> None:
        """Allow so many a second, and `burst` at once (by default those of two seconds)."""
        self._per_second = per_second
        self._burst = max(1.0, per_second * _BURST_SECONDS if burst is None else burst)
        self._monotonic = monotonic
        # Allowance left, and when that was; those used longest ago come first.
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, key: str) -> float:
        """Take one; return 0, or after how many seconds there will be one to take."""
        with self._lock:
            now = self._monotonic()
            left, at = self._left.pop(key, (self._burst, now))
            left = min(self._burst, left + (now - at) * self._per_second)
            wait = 0.0 if left >= 1 else (1 - left) / self._per_second
            self._left[key] = (left if wait else left - 1, now)
            # A bucket that is forgotten is a full one again.
            while len(self._left) > _MOST_KEYS:
                self._left.popitem(last=False)
            return wait
