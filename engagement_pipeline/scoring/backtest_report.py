"""What a backtest found."""

from dataclasses import dataclass
from datetime import date

from engagement_pipeline.scoring.formula import Population
from engagement_pipeline.scoring.order_files import OrderFile


@dataclass(frozen=True)
class Decile:
    """A tenth of the users by score: how often the score said they would come back, and how often they did.

    Attributes:
        number: 1 for the lowest scores to 10 for the highest.
        users: how many; users of equal score share a decile, so the tenths are not exact.
        predicted: mean of score / 100.
        observed: share that ordered within the horizon.
    """

    number: int
    users: int
    predicted: float
    observed: float


@dataclass(frozen=True)
class Cutoff:
    """The score on one past day against what followed.

    Attributes:
        day: scores are as of this day, from orders before it; the outcome is an order within the horizon from it on.
        users: how many had ordered before.
        came_back: share of them that ordered within the horizon.
        below_threshold: share of them whose score was below the threshold.
        auc: probability that of two users, one who came back and one who did not, the score ranks the first higher;
            ties count half. 0.5 is chance, 1 perfect. None when all or none came back.
        brier: mean squared difference between score / 100 and the outcome; lower is better.
        brier_of_the_mean: the same for somebody who gives every user the share that came back, in hindsight.
        auc_recency: of days since the last order alone.
        auc_rfm: of the sum of the quintiles of recency, frequency and monetary value.
        deciles: calibration.
        population: the parameters estimated from the orders before the day.
    """

    day: date
    users: int
    came_back: float
    below_threshold: float
    auc: float | None
    brier: float
    brier_of_the_mean: float
    auc_recency: float | None
    auc_rfm: float | None
    deciles: tuple[Decile, ...]
    population: Population


@dataclass(frozen=True)
class BacktestReport:
    """A backtest over one or several days.

    Attributes:
        horizon_days: how far ahead the score looks.
        cutoffs: one entry per day, in order.
        file: what was read, where the orders came from a file.
    """

    horizon_days: int
    cutoffs: tuple[Cutoff, ...]
    file: OrderFile | None
