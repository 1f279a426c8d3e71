"""Tokens a minute: calls wait for their turn rather than be refused by the provider."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from engagement_pipeline.platform import clock

# How much may go at once: the first minute must not see twice the rate.
_BURST_SECONDS: Final = 3.0


class TokenRate:
    """A bucket that fills evenly. Calls take what they may need beforehand and give back what they did not.

    Args:
        per_minute: tokens a minute; None: no limit.
        now: seconds that only grow.
        sleep: how to wait, in seconds.
    """

    def __init__(
        self,
        per_minute: int | None,
        now: Callable[[], float] = clock.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._per_second = None if per_minute is None else per_minute / 60
        self._now = now
        self._sleep = sleep
        self._free = self._most = 0.0 if per_minute is None else per_minute / 60 * _BURST_SECONDS
        self._at = now()

    async def take(self, tokens: int) -> None:
        """Wait until so many tokens may be used; whoever came first goes first."""
        if self._per_second is None:
            return
        self._fill(self._per_second)
        self._free -= tokens
        # A debt is paid by waiting, so that one call may be larger than the bucket and none has to queue.
        if self._free < 0:
            await self._sleep(-self._free / self._per_second)

    def give_back(self, tokens: int) -> None:
        """Return what was taken and not used; a negative number is what was used beyond it."""
        if self._per_second is not None:
            self._free += tokens

    def _fill(self, per_second: float) -> None:
        now = self._now()
        self._free = min(self._most, self._free + (now - self._at) * per_second)
        self._at = now
