"""What users and orders are called in files, and the way from a raw record to a validated one or to its faults."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from pydantic import ValidationError

from engagement_pipeline.users.importing.converters import (
    ConversionError,
    to_categories,
    to_identifier,
    to_moment,
    to_number,
    to_skus,
    to_status,
    to_text,
    to_truth,
    to_whole_number,
)
from engagement_pipeline.users.importing.raw import Fault
from engagement_pipeline.users.models import Order, User
from engagement_pipeline.users.rejects import Entity

# How far a shop's clock and time zone may run ahead of ours.
FUTURE_TOLERANCE = timedelta(days=1)


@dataclass(frozen=True)
class Kind:
    """How records of one entity look in files: columns, which of them are needed, other names for them."""

    model: type[User] | type[Order]
    columns: Mapping[str, Callable[[Any], Any]]
    required: tuple[str, ...]
    aliases: Mapping[str, str]
    moments: tuple[str, ...]


KINDS: Mapping[Entity, Kind] = {
    "user": Kind(
        model=User,
        columns={
            "user_id": to_identifier,
            "email": to_text,
            "name": to_text,
            "preferred_categories": to_categories,
            "consent": to_truth,
            "time_zone": to_text,
            "last_order_at": to_moment,
            "order_count": to_whole_number,
            "average_order_value": to_number,
            "first_order_at": to_moment,
            "created_at": to_moment,
            "updated_at": to_moment,
        },
        required=("user_id",),
        aliases={"id": "user_id"},
        moments=("last_order_at", "first_order_at", "created_at", "updated_at"),
    ),
    "order": Kind(
        model=Order,
        columns={
            "order_id": to_identifier,
            "user_id": to_identifier,
            "ordered_at": to_moment,
            "total_value": to_number,
            "item_count": to_whole_number,
            "skus": to_skus,
            "status": to_status,
        },
        required=("order_id", "user_id", "ordered_at", "total_value"),
        aliases={
            "id": "order_id",
            "user": "user_id",
            "time": "ordered_at",
            "total": "total_value",
            "items": "item_count",
            "sku": "skus",
        },
        moments=("ordered_at",),
    ),
}

_CODES = {
    "finite_number": ("not_finite", "is not a finite number"),
    "greater_than_equal": ("negative", "is negative"),
    "less_than_equal": ("too_large", "is too large to be true"),
    "string_too_long": ("too_long", "is too long"),
    "too_long": ("too_long", "has too many entries"),
    "string_too_short": ("missing_value", "is empty"),
    "string_unicode": ("not_utf8", "is not text in UTF-8"),
}


def columns_by_name(names: Iterable[str], entity: Entity) -> Mapping[str, str]:
    """Return our column for each name of a file that we know, by the name itself or, where that is absent, an alias."""
    return _columns_by_name(tuple(names), entity)


@lru_cache(maxsize=64)
def _columns_by_name(names: tuple[str, ...], entity: Entity) -> Mapping[str, str]:
    kind = KINDS[entity]
    spelled = {name: re.sub(r"[ -]", "_", name.strip().lower()) for name in names}
    known = {name: spelling for name, spelling in spelled.items() if spelling in kind.columns}
    for name, spelling in spelled.items():
        column = kind.aliases.get(spelling)
        if column and column not in known.values():
            known[name] = column
    return known


def entity_of(names: Iterable[str]) -> Entity | None:
    """Tell from the column names what a file holds: orders have a total, users only an id."""
    listed = list(names)
    if set(KINDS["order"].required) <= set(columns_by_name(listed, "order").values()):
        return "order"
    return "user" if "user_id" in columns_by_name(listed, "user").values() else None


@dataclass(frozen=True)
class Validator:
    """Turns raw values into a validated user or order.

    Attributes:
        entity: which of them.
        now: moments more than a day after it are refused.
        shift: is added to each moment first.
    """

    entity: Entity
    now: datetime
    shift: timedelta = timedelta()

    def validate(self, values: Mapping[str, Any]) -> User | Order | list[Fault]:
        """Return the record, or everything that is wrong with it."""
        kind = KINDS[self.entity]
        converted, faults = _convert(kind, values)
        if faults:
            return faults
        try:
            record = kind.model.model_validate(converted)
        except ValidationError as error:
            return [_fault(problem) for problem in error.errors(include_url=False, include_input=False)]
        moments = {name: moment for name in kind.moments if (moment := getattr(record, name)) is not None}
        # Compared before it is shifted: a shift must not run out of the calendar.
        latest = self.now + FUTURE_TOLERANCE - self.shift
        if late := [name for name, moment in moments.items() if moment > latest]:
            return [Fault(name, "future_date", "lies in the future") for name in late]
        if not self.shift:
            return record
        return record.model_copy(update={name: moment + self.shift for name, moment in moments.items()})


def _convert(kind: Kind, values: Mapping[str, Any]) -> tuple[dict[str, Any], list[Fault]]:
    converted: dict[str, Any] = {}
    faults: list[Fault] = []
    for name, convert in kind.columns.items():
        value = values.get(name)
        if value is None or value == "":
            if name in kind.required:
                faults.append(Fault(name, "missing_value", "is missing"))
            continue
        try:
            converted[name] = convert(value)
        except ConversionError as wrong:
            faults.append(Fault(name, wrong.reason, str(wrong)))
    return converted, faults


def _fault(problem: Mapping[str, Any]) -> Fault:
    reason, message = _CODES.get(problem["type"], (problem["type"], problem["msg"]))
    return Fault(str(problem["loc"][0]) if problem["loc"] else None, reason, message)
