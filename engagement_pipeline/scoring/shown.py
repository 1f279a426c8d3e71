"""A score as people read it, on pages, in sentences and at the command line."""

from decimal import ROUND_DOWN, Decimal
from typing import Final

# The borders of bands have no more, see `ScoringSettings`.
_STEP: Final = Decimal("0.1")


def shown(score: float) -> str:
    """Return a score (0 to 100) with one decimal, rounded down: 29.96 is critical, and 30.0 would not be."""
    return str(Decimal(repr(score)).quantize(_STEP, ROUND_DOWN))
