"""One user's score in words: what each factor adds or takes, and when the score falls below the threshold.

The points come from the formula itself: a user with one typical order placed today becomes the real one step by step,
and each step's difference in score is what that factor adds or takes. They add up to the score.
"""

import math
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from itertools import pairwise
from typing import Any, Literal, Protocol

from engagement_pipeline.platform.settings_groups import ScoringSettings
from engagement_pipeline.scoring.engine import in_memory
from engagement_pipeline.scoring.formula import Population, parameters, scored
from engagement_pipeline.scoring.shown import shown

Factor = Literal["frequency", "value", "recency", "email"]

_STEPS = """
    SELECT UNNEST(
        CAST($steps AS STRUCT(
            step INTEGER, order_days INTEGER, average_order_value DOUBLE, last_order_at TIMESTAMP,
            last_email_at TIMESTAMP
        )[]),
        recursive := true
    )
"""

_BANDS = {"critical": "critical", "at_risk": "at risk", "moderate": "moderate", "good": "good"}


class Facts(Protocol):
    """What the score needs to know of a user; a stored user has it all. Moments are in UTC, with a time zone."""

    @property
    def order_days(self) -> int: ...
    @property
    def average_order_value(self) -> float: ...
    @property
    def last_order_at(self) -> datetime | None: ...
    @property
    def last_email_at(self) -> datetime | None: ...


@dataclass(frozen=True)
class Contribution:
    """What one factor adds to the score (points above 0) or takes from it, given those before it."""

    factor: Factor
    points: float
    sentence: str


@dataclass(frozen=True)
class Explanation:
    """A score and where it comes from.

    Attributes:
        score: 0 to 100.
        band: critical, at_risk, moderate or good.
        start: the score of a user of this shop with one order of typical value, placed today.
        contributions: what turns that into this user's score; `start` plus their points is `score`.
        below_from: the first day from which on the score stays below the threshold if nothing happens; it may have
            passed. None where the score is 0 for want of a dated order.
        sentences: all of it in words, for people.
    """

    score: float
    band: str
    start: float
    contributions: tuple[Contribution, ...]
    below_from: date | None
    sentences: tuple[str, ...]


@dataclass(frozen=True)
class _Scored:
    score: float
    band: str
    odds: float
    email_factor: float
    days: int | None


def explain(user: Facts, population: Population, settings: ScoringSettings, as_of: date) -> Explanation:
    """Explain a user's score as of a day."""
    steps = _score_steps(user, population, settings, as_of)
    start, final = steps[0], steps[-1]
    heading = f"Score {shown(final.score)} of 100 ({_BANDS[final.band]})"
    if user.order_days <= 0 or user.last_order_at is None:
        why = "no order is known" if user.order_days <= 0 else "the date of the last order is not known"
        return Explanation(final.score, final.band, start.score, (), None, (f"{heading}: {why}.",))
    contributions = _contributions(user, population, settings, steps)
    below_from = _below_from(user, final, population, settings)
    sentences = (
        f"{heading}: a chance of about {final.score:.0f} % of an order within the next {settings.horizon_days} days.",
        f"A user with one order of this shop's typical value, placed today, would have {shown(start.score)}.",
        *(contribution.sentence for contribution in contributions),
        _outlook(user, final.score, below_from, settings, as_of),
    )
    return Explanation(final.score, final.band, start.score, contributions, below_from, sentences)


def _score_steps(user: Facts, population: Population, settings: ScoringSettings, as_of: date) -> list[_Scored]:
    """Score the typical user and his way to the real one: order days, average value, silence, e-mail."""
    typical = {
        "step": 0,
        "order_days": 1,
        "average_order_value": population.median_order_value,
        "last_order_at": as_of,
        "last_email_at": None,
    }
    rows: list[dict[str, Any]] = [typical]
    for name, value in (
        ("order_days", user.order_days),
        ("average_order_value", user.average_order_value),
        ("last_order_at", _naive(user.last_order_at)),
        ("last_email_at", _naive(user.last_email_at)),
    ):
        rows.append({**rows[-1], "step": len(rows), name: value})
    with in_memory() as con:
        query = f"SELECT score, band, odds, email_factor, days_since_last_order FROM ({scored(_STEPS)}) ORDER BY step"  # noqa: S608
        return [
            _Scored(*row)
            for row in con.execute(query, {**parameters(as_of, population, settings), "steps": rows}).fetchall()
        ]


def _contributions(
    user: Facts, population: Population, settings: ScoringSettings, steps: list[_Scored]
) -> tuple[Contribution, ...]:
    final = steps[-1]
    points = [round(after.score - before.score, 2) for before, after in pairwise(steps)]
    days = f"{user.order_days} different days" if user.order_days > 1 else "a single day"
    value, typical = user.average_order_value, population.median_order_value
    silence = "today" if final.days == 0 else "1 day ago" if final.days == 1 else f"{final.days} days ago"
    contributions = [
        Contribution("frequency", points[0], f"Orders on {days}: {_change(points[0])}."),
        Contribution("value", points[1], f"{_worth(value, typical)}: {_change(points[1])}."),
        Contribution("recency", points[2], f"The last order was {silence}: {_change(points[2])}."),
    ]
    if final.email_factor != 1 and user.last_email_at is not None:
        until = _last_email_day(user.last_email_at, settings)
        sentence = f"An e-mail that no order has followed, which counts until {until}: {_change(points[3])}."
        contributions.append(Contribution("email", points[3], sentence))
    return tuple(contributions)


def _change(points: float) -> str:
    if round(abs(points), 1) == 0:
        return "no difference"
    return f"{'adds' if points > 0 else 'takes'} {abs(points):.1f} points"


def _worth(value: float, typical: float) -> str:
    average = f"An average order of {value:,.2f}"
    if typical <= 0:
        return average
    if math.isclose(value, typical, rel_tol=0.05):
        return f"{average}, about this shop's typical {typical:,.2f}"
    if value > 2 * typical:
        return f"{average}, {value / typical:.1f} times this shop's typical {typical:,.2f}"
    return f"{average}, {'more' if value > typical else 'less'} than this shop's typical {typical:,.2f}"


def _below_from(user: Facts, final: _Scored, population: Population, settings: ScoringSettings) -> date | None:
    """Solve the formula for the day: odds fall below those of the threshold when d > strength / odds - G."""
    # The score is rounded to two decimals before it is compared.
    threshold = settings.at_risk_below - 0.005
    if threshold <= 0 or user.last_order_at is None or final.days is None:
        return None
    last_order = _day(user.last_order_at)
    gap = population.mean_gap_days
    strength = final.odds * (gap + final.days) / final.email_factor
    odds = threshold / (100 - threshold)

    def below(factor: float) -> date:
        days = max(0, math.floor(strength * factor / odds - gap) + 1)
        return last_order + timedelta(days=min(days, (date.max - last_order).days))

    crossing = below(1)
    emailed = user.last_email_at
    if emailed is None or emailed <= user.last_order_at:
        return crossing
    if crossing > _last_email_day(emailed, settings) + timedelta(days=1):
        # What the e-mail takes is given back before that.
        return crossing
    return min(crossing, max(_day(emailed), below(settings.email_factor)))


def _outlook(user: Facts, score: float, below_from: date | None, settings: ScoringSettings, as_of: date) -> str:
    threshold = settings.at_risk_below
    if below_from is None:
        return f"It will never be below {threshold:g}."
    if below_from <= as_of:
        return f"It has been below {threshold:g} since {below_from}."
    days = (below_from - as_of).days
    when = f"{below_from}, in {days} {'day' if days == 1 else 'days'}"
    if score < threshold and user.last_email_at is not None:
        until = _last_email_day(user.last_email_at, settings)
        return (
            f"Only the e-mail keeps it below {threshold:g}, until {until}; if nothing happens, it will be below for "
            f"good from {when}."
        )
    return f"If nothing happens, it will be below {threshold:g} from {when}."


def _last_email_day(last_email_at: datetime, settings: ScoringSettings) -> date:
    return _day(last_email_at) + timedelta(days=settings.email_factor_days - 1)


def _day(moment: datetime) -> date:
    return moment.astimezone(timezone.utc).date()


def _naive(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.astimezone(timezone.utc).replace(tzinfo=None)
