"""Figures, days and moments as people read them."""

from datetime import date, datetime, timezone
from typing import Final
from urllib.parse import quote

from markupsafe import Markup

NOTHING: Final = "–"

_MINUTE: Final = 60
_HOUR: Final = 3600
_DAY: Final = 86400


def number(value: float | None) -> str:
    """Return a count with its thousands apart."""
    return NOTHING if value is None else f"{value:,.0f}"


def money(value: float | None) -> str:
    """Return an amount in the shop's currency, which we do not know."""
    return NOTHING if value is None else f"{value:,.2f}"


def share(part: float, whole: float) -> str:
    """Return a part as a percentage of the whole."""
    if not whole:
        return NOTHING
    percent = 100 * part / whole
    if 0 < percent < 1:
        return "< 1 %"
    return f"{percent:.0f} %"


def points(value: float | None) -> str:
    """Return a difference in percentage points, with its sign; a true minus sign lines up with the plus."""
    return NOTHING if value is None else f"{value:+.1f}".replace("-", "\N{MINUS SIGN}")


def day(value: date | None) -> str:
    """Return a day of the calendar, the same wherever it is read."""
    return NOTHING if value is None else f"{value.day} {value:%b %Y}"


def moment(value: datetime | None) -> Markup | str:
    """Return a moment that the viewer's browser puts in its own zone; without a script it stays in UTC and says so."""
    if value is None:
        return NOTHING
    utc = value.astimezone(timezone.utc)
    return Markup('<time datetime="{}" data-show="moment">{} UTC</time>').format(
        _exactly(utc), f"{utc.day} {utc:%b %Y, %H:%M}"
    )


def short(value: datetime | None) -> Markup | str:
    """Return the day of a moment, for lists; the whole moment shows on pointing at it."""
    if value is None:
        return NOTHING
    utc = value.astimezone(timezone.utc)
    return Markup('<time datetime="{}" data-show="day" title="{} UTC">{}</time>').format(
        _exactly(utc), f"{utc.day} {utc:%b %Y, %H:%M}", day(utc)
    )


def ago(value: datetime | None, now: datetime) -> str:
    """Return how long ago a moment was, roughly."""
    if value is None:
        return "never"
    seconds = max((now - value).total_seconds(), 0)
    if seconds < _MINUTE:
        return "just now"
    if seconds < _HOUR:
        return _some(seconds / _MINUTE, "minute")
    if seconds < 2 * _DAY:
        return _some(seconds / _HOUR, "hour")
    return _some(seconds / _DAY, "day")


def in_path(value: str) -> str:
    """Return an id as one segment of an address."""
    return quote(value, safe="")


def _exactly(utc: datetime) -> str:
    return f"{utc:%Y-%m-%dT%H:%M:%SZ}"


def _some(value: float, unit: str) -> str:
    whole = int(value)
    return f"{whole:,} {unit}{'' if whole == 1 else 's'} ago"
