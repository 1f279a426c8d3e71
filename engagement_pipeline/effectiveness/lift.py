"""The effect of writing as a difference between two arms, with its uncertainty: pure rules over a few sums.

The units are decisions, several of which may concern one address, and these are not independent. So the variance is
that of sums per address (linearised ratio estimator; Cochran, Sampling Techniques, 3rd ed., sections 6.4 and 9A.2).
"""

from dataclasses import dataclass
from math import sqrt

# Two-sided 95 %.
Z = 1.959964

# Below these an interval would be wide, or wrong, rather than informative.
MIN_ADDRESSES = 100
MIN_OUTCOMES = 5


@dataclass(frozen=True)
class Sums:
    """A quantity y in one arm, summed over addresses c with n_c units each.

    Attributes:
        addresses: number of addresses.
        units: sum of n_c.
        units_squared: sum of n_c squared.
        total: sum of y_c.
        total_squared: sum of y_c squared.
        total_units: sum of y_c * n_c.
    """

    addresses: int
    units: float
    units_squared: float
    total: float
    total_squared: float
    total_units: float

    @property
    def mean(self) -> float:
        """The mean of y per unit; 0 without units."""
        return self.total / self.units if self.units else 0.0

    @property
    def variance(self) -> float:
        """The variance of the mean, robust to dependence within addresses; needs at least two of these."""
        mean = self.mean
        squares = self.total_squared - 2 * mean * self.total_units + mean**2 * self.units_squared
        return self.addresses / (self.addresses - 1) * max(squares, 0.0) / self.units**2


@dataclass(frozen=True)
class Effect:
    """A difference, mailed minus held out, with its 95 % interval."""

    difference: float
    low: float
    high: float


def shortage(mailed: Sums, held_out: Sums) -> str | None:
    """Tell what is missing before two arms can be compared; None if nothing is.

    The rule: at least 100 addresses in each arm, and in each at least 5 decisions that an order followed and 5 that
    none did.

    Args:
        mailed: the quantity is the number of decisions that an order followed.
        held_out: the same in the other arm.
    """
    for arm, sums in (("written to", mailed), ("held out", held_out)):
        if sums.addresses < MIN_ADDRESSES:
            return f"{sums.addresses:,} addresses {arm} of at least {MIN_ADDRESSES}"
        if sums.total < MIN_OUTCOMES:
            return f"{sums.total:,.0f} of those {arm} ordered, of at least {MIN_OUTCOMES}"
        if sums.units - sums.total < MIN_OUTCOMES:
            return f"{sums.units - sums.total:,.0f} of those {arm} did not order, of at least {MIN_OUTCOMES}"
    return None


def share_effect(mailed: Sums, held_out: Sums) -> Effect:
    """Compare two shares by Newcombe's method 10 (Statistics in Medicine 17, 1998), on effective sample sizes.

    Unlike the usual interval it keeps its coverage where one arm is small and few of it order, as in a hold-out.
    """
    low_1, high_1 = _wilson(mailed)
    low_2, high_2 = _wilson(held_out)
    p_1, p_2 = mailed.mean, held_out.mean
    return Effect(
        difference=p_1 - p_2,
        low=p_1 - p_2 - sqrt((p_1 - low_1) ** 2 + (high_2 - p_2) ** 2),
        high=p_1 - p_2 + sqrt((high_1 - p_1) ** 2 + (p_2 - low_2) ** 2),
    )


def mean_effect(mailed: Sums, held_out: Sums) -> Effect:
    """Compare two means, such as revenue per decision, by the normal approximation."""
    difference = mailed.mean - held_out.mean
    margin = Z * sqrt(mailed.variance + held_out.variance)
    return Effect(difference, difference - margin, difference + margin)


def _wilson(sums: Sums) -> tuple[float, float]:
    """Return the score interval of a share, on as many independent units as its variance amounts to."""
    share, variance = sums.mean, sums.variance
    units = min(share * (1 - share) / variance, sums.units) if variance > 0 else float(sums.addresses)
    centre = share + Z**2 / (2 * units)
    margin = Z * sqrt(share * (1 - share) / units + Z**2 / (4 * units**2))
    scale = 1 + Z**2 / units
    return max((centre - margin) / scale, 0.0), min((centre + margin) / scale, 1.0)
