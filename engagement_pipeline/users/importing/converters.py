"""From what a file holds in a field to a value of the type that the models ask for, or a reason why not."""

import json
import math
import re
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any

from engagement_pipeline.users.models import OrderStatus

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
_MOMENT = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?(?:\s?(Z|z|[+-]\d\d(?::?\d\d)?))?)?",
    re.ASCII,
)
_MOMENT_FORM = "is not a date in the form 2025-03-31 or 2025-03-31T14:05:00Z (no other form: 03/04 could be two days)"
_TRUE = frozenset({"true", "t", "yes", "y", "1"})
_FALSE = frozenset({"false", "f", "no", "n", "0"})
_NOT_FINITE = frozenset({"nan", "inf", "infinity"})


class ConversionError(ValueError):
    """The field holds something else; `reason` is a short code, the message a clause that follows the field's name."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def to_text(value: Any) -> str:
    """Return a text without the blanks around it."""
    if isinstance(value, bytes):
        try:
            return value.decode().strip()
        except UnicodeDecodeError:
            raise ConversionError("not_utf8", "is not text in UTF-8") from None
    if not isinstance(value, str):
        raise ConversionError("not_a_text", "is not a text")
    return value.strip()


def to_identifier(value: Any) -> str:
    """Return an id. Whole numbers are ids in many shops; a fraction or a truth value is a mistake."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else to_text(value)


def to_number(value: Any) -> float:
    """Return a number written with a point; one that is not finite stays so, for the model to refuse."""
    if isinstance(value, (int, float, Decimal)) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            return math.inf
    text = to_text(value)
    if text.lower().lstrip("+-") in _NOT_FINITE:
        return math.nan
    if not _NUMBER.fullmatch(text):
        raise ConversionError("not_a_number", "is not a plain number such as 1234.50 (no currency, no comma)")
    return float(text)


def to_whole_number(value: Any) -> int:
    """Return a number without a fraction."""
    number = to_number(value)
    if not math.isfinite(number):
        raise ConversionError("not_finite", "is not a finite number")
    if number != int(number):
        raise ConversionError("not_a_whole_number", "is not a whole number")
    return int(number)


def to_moment(value: Any) -> datetime:
    """Return an ISO 8601 moment, or a date's midnight; what names no time zone is in UTC."""
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=timezone.utc)
    if isinstance(value, date):
        return datetime.combine(value, time(), timezone.utc)
    match = _MOMENT.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ConversionError("not_a_date", _MOMENT_FORM)
    *parts, fraction, offset = match.groups(default="0")
    year, month, day, hour, minute, second = map(int, parts)
    microsecond = int(fraction[:6].ljust(6, "0"))
    try:
        return datetime(year, month, day, hour, minute, second, microsecond, _time_zone(offset))
    except ValueError:
        raise ConversionError("not_a_date", "is no day or time that exists") from None


def to_truth(value: Any) -> bool:
    """Return a plain yes or no, in English or as 1 and 0."""
    text = str(value).strip().lower() if isinstance(value, (bool, int, str)) else ""
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise ConversionError("not_true_or_false", "is neither true nor false")


def to_status(value: Any) -> OrderStatus:
    """Return the order status of that name."""
    name = to_text(value).lower()
    try:
        return OrderStatus(name)
    except ValueError:
        known = ", ".join(status.value for status in OrderStatus)
        raise ConversionError("unknown_status", f"is none of {known}") from None


def to_categories(value: Any) -> tuple[str, ...]:
    """Return a list of names, given as a list, as JSON or separated by `;` or `|`; each name once."""
    names = map(to_text, _parts(value))
    return tuple(dict.fromkeys(name for name in names if name))


def to_skus(value: Any) -> tuple[str, ...]:
    """Return a list of the catalogue's numbers, given like categories; a single one may be a plain number."""
    skus = map(to_identifier, [value] if isinstance(value, int) else _parts(value))
    return tuple(sku for sku in skus if sku)


def _time_zone(offset: str) -> timezone:
    if offset in ("0", "Z", "z"):
        return timezone.utc
    digits = offset[1:].replace(":", "").ljust(4, "0")
    ahead = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return timezone(-ahead if offset[0] == "-" else ahead)


def _parts(value: Any) -> list[Any]:
    if isinstance(value, (list, tuple)):
        parts = list(value)
    else:
        text = to_text(value)
        parts = _json_list(text) if text.startswith("[") else re.split(r"[;|]", text)
    return [part for part in parts if part is not None]


def _json_list(text: str) -> list[Any]:
    try:
        parsed = json.loads(text)
    except (ValueError, RecursionError):
        parsed = None
    if not isinstance(parsed, list):
        raise ConversionError("not_a_list", "is neither a JSON list nor separated by ; or |")
    return parsed
