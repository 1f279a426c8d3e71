"""What one run may spend, in money and in tokens, kept to while many calls are in flight."""

import asyncio
from typing import Final

from engagement_pipeline.copywriting.openai.answers import Usage, total
from engagement_pipeline.platform.settings_groups import CopywritingSettings

# Tokens that are answered in a batch cost half: https://platform.openai.com/docs/guides/batch
BATCH_PRICE: Final = 0.5


class Budget:
    """Counts what is spent, and sets aside what calls in flight, and batches under way, may still cost.

    A run may end up above its budget only where a call uses more tokens than its prompt was estimated to have, or where
    batches of several earlier runs come in at once.
    """

    def __init__(self, settings: CopywritingSettings) -> None:
        self._settings = settings
        self._reserved: list[Usage] = []
        self._waiting: list[asyncio.Future[None]] = []
        self._set_aside = Usage(0, 0)
        self._set_aside_usd = 0.0
        self.answers = 0
        self.spent = Usage(0, 0)
        self.spent_usd = 0.0
        self.is_used_up = False

    @property
    def is_limited(self) -> bool:
        """Whether there is one at all."""
        return self._settings.budget_usd is not None or self._settings.budget_tokens is not None

    @property
    def mean_tokens(self) -> int:
        """Tokens of an answer and its prompt so far; 0 before the first."""
        return sum(self.spent) // self.answers if self.answers else 0

    def cost(self, usage: Usage, price: float = 1) -> float:
        """Return US dollars; `price` is a factor on the settings' prices."""
        prices = self._settings
        millionths = (
            usage.input_tokens * prices.price_per_million_input + usage.output_tokens * prices.price_per_million_output
        )
        return price * millionths / 1_000_000

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
            self.count(1, used, self.cost(used))
        for waiting in self._waiting:
            if not waiting.done():
                waiting.set_result(None)
        self._waiting.clear()

    def set_aside(self, most: Usage) -> bool:
        """Set aside what an answer in a batch may use at most, for the rest of the run; False when it does not fit."""
        if not self._fits(most, BATCH_PRICE):
            return False
        self._set_aside = total((self._set_aside, most))
        self._set_aside_usd += self.cost(most, BATCH_PRICE)
        return True

    def free_what_was_set_aside(self) -> None:
        """Give up what was set aside for batches: they are not made."""
        self._set_aside, self._set_aside_usd = Usage(0, 0), 0.0

    def count(self, answers: int, used: Usage, cost_usd: float) -> None:
        """Count answers that were paid for."""
        self.answers += answers
        self.spent = total((self.spent, used))
        self.spent_usd += cost_usd

    def _fits(self, most: Usage, price: float = 1) -> bool:
        settings = self._settings
        in_flight = total((Usage(0, 0), *self._reserved))
        tokens = sum(total((self.spent, self._set_aside, in_flight, most)))
        usd = self.spent_usd + self._set_aside_usd + self.cost(in_flight) + self.cost(most, price)
        return (settings.budget_tokens is None or tokens <= settings.budget_tokens) and (
            settings.budget_usd is None or usd <= settings.budget_usd
        )
