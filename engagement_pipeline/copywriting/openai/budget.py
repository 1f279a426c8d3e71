"""What one run may spend, in money and in tokens, kept to while many calls are in flight."""

import asyncio

from engagement_pipeline.copywriting.openai.answers import Usage, total
from engagement_pipeline.platform.settings import CopywritingSettings


class Budget:
    """Counts what is spent, and sets aside what calls in flight may still cost.

    A run may end up above its budget only where a call uses more tokens than its prompt was estimated to have.
    """

    def __init__(self, settings: CopywritingSettings) -> None:
        self._settings = settings
        self._reserved: list[Usage] = []
        self._waiting: list[asyncio.Future[None]] = []
        self.answers = 0
        self.spent = Usage(0, 0)
        self.is_used_up = False

    @property
    def mean_tokens(self) -> int:
        """Tokens of an answer and its prompt so far; 0 before the first."""
        return sum(self.spent) // self.answers if self.answers else 0

    def cost(self, usage: Usage) -> float:
        """Return US dollars."""
        prices = self._settings
        millionths = (
            usage.input_tokens * prices.price_per_million_input + usage.output_tokens * prices.price_per_million_output
        )
        return millionths / 1_000_000

    async def reserve(self, most: Usage) -> bool:
        """Set aside what a call may use at most; False when the budget does not allow it, now and for all that follow.

        Waits while calls in flight may yet cost less than is set aside for them.
        """
        while not self.is_used_up:
            if self._fits(most):
                self._reserved.append(most)
                return True
            if not self._reserved:
                self.is_used_up = True
                break
            waiting = asyncio.get_running_loop().create_future()
            self._waiting.append(waiting)
            await waiting
        return False

    def settle(self, reserved: Usage, used: Usage | None) -> None:
        """Replace what was set aside by what was used; None where there was no answer to pay for."""
        self._reserved.remove(reserved)
        if used is not None:
            self.answers += 1
            self.spent = total((self.spent, used))
        for waiting in self._waiting:
            if not waiting.done():
                waiting.set_result(None)
        self._waiting.clear()

    def _fits(self, most: Usage) -> bool:
        usage = total((self.spent, *self._reserved, most))
        settings = self._settings
        return (settings.budget_tokens is None or sum(usage) <= settings.budget_tokens) and (
            settings.budget_usd is None or self.cost(usage) <= settings.budget_usd
        )
