"""Items of the Users and Orders tables as users and orders. Pure.

The tables may be those of an earlier deployment, and the shop may go on writing to them. `orderCount`,
`averageOrderValue` and `lastOrderDate` are what the shop states unless `derivedAs` says that these very values were
derived by us: then the stated ones are in attributes of their own.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any, Final

from engagement_pipeline.platform.dynamodb_values import Item
from engagement_pipeline.users.addresses import address_key
from engagement_pipeline.users.aggregates import Aggregates, CountedOrder, Stated, aggregate, touches_since
from engagement_pipeline.users.importing.converters import ConversionError, to_moment, to_whole_number
from engagement_pipeline.users.importing.fields import Validator
from engagement_pipeline.users.importing.raw import Fault
from engagement_pipeline.users.models import Order, User
from engagement_pipeline.users.rejects import Entity
from engagement_pipeline.users.rows import StoredUser

_USER: Final = {
    "user_id": "userId",
    "email": "email",
    "name": "name",
    "preferred_categories": "preferredCategories",
    "consent": "consent",
    "time_zone": "timeZone",
    "created_at": "createdAt",
    "updated_at": "updatedAt",
}
AGGREGATES: Final = {
    "order_count": "orderCount",
    "average_order_value": "averageOrderValue",
    "first_order_at": "firstOrderDate",
    "last_order_at": "lastOrderDate",
}
STATED: Final = {name: f"stated{attribute[0].upper()}{attribute[1:]}" for name, attribute in AGGREGATES.items()}
# What the gate judges a user by, under `version`: the shop may change each of them without counting it up.
JUDGED: Final = (
    *("version", "email", "consent", "timeZone", "lastEmailDate"),
    *(*AGGREGATES.values(), "orderDays", "derivedAs"),
)
_ORDER: Final = {
    "order_id": "orderId",
    "user_id": "userId",
    "ordered_at": "orderDate",
    "total_value": "totalValue",
    "item_count": "itemCount",
    "skus": "skus",
    "status": "status",
}

_MOMENTS: Final = frozenset({"created_at", "updated_at", "first_order_at", "last_order_at", "ordered_at"})
_SECONDS: Final = re.compile(r"-?\d{9,13}(\.\d+)?", re.ASCII)
# Seconds reach it in the year 5138, milliseconds did in 1973.
_FIRST_IN_MILLISECONDS: Final = 1e11
# Of a reader who does not mind: nothing lies beyond it.
_ALWAYS: Final = datetime(9990, 1, 1, tzinfo=timezone.utc)
_UNKNOWN: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)


class BadItemError(ValueError):
    """An item is no user, or no order. The message names attributes and reasons, never what they hold."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("; ".join(f"{fault.field or 'the record'} {fault.message}" for fault in faults))


def user_of(item: Item, now: datetime, *, consent_when_missing: bool = False) -> User:
    """Return what the shop says of a user.

    Args:
        item: of the Users table.
        now: moments more than a day after it are refused.
        consent_when_missing: whether a user of whom the table says nothing has agreed to be written to.

    Raises:
        BadItemError: by the same rules by which a record of a file is rejected.
    """
    user = _strict("user", _user_values(item, consent_when_missing), now)
    assert isinstance(user, User)  # noqa: S101 - tells the type checker what the entity says
    return user


def order_of(item: Item, now: datetime) -> Order:
    """Return an order.

    Args:
        item: of the Orders table.
        now: moments more than a day after it are refused.

    Raises:
        BadItemError: by the same rules by which a record of a file is rejected.
    """
    order = _strict("order", _values(item, _ORDER), now)
    assert isinstance(order, Order)  # noqa: S101 - tells the type checker what the entity says
    return order


def readable_orders(items: Iterable[Item]) -> list[Order]:
    """Return the orders that items hold, leaving out what is none."""
    found = (_validated("order", _values(item, _ORDER), _ALWAYS) for item in items)
    return [order for order in found if isinstance(order, Order)]


def stored_user_of(
    item: Item,
    secret_key: str,
    *,
    consent_when_missing: bool = False,
    counted: Iterable[CountedOrder] = (),
) -> StoredUser:
    """Return a user as the store knows it; what cannot be read of an item is taken as missing.

    Args:
        item: of the Users table.
        secret_key: keys the address hash: the address that counts is the one that stands there now.
        consent_when_missing: whether a user of whom the table says nothing has agreed to be written to.
        counted: the user's orders that count; used only where `is_derived` is false.
    """
    user = _readable_user(item, consent_when_missing)
    stated = Stated(user.order_count, user.average_order_value, user.first_order_at, user.last_order_at)
    aggregates = _derived(item) if is_derived(item) else aggregate(stated, counted)
    touched_at = touches_of(item)
    return StoredUser(
        user_id=item["userId"],
        email=user.email,
        address_key=None if user.email is None else address_key(user.email, secret_key),
        name=user.name,
        preferred_categories=user.preferred_categories,
        consent=user.consent,
        time_zone=user.time_zone,
        stated_order_count=stated.order_count,
        stated_average_order_value=stated.average_order_value,
        stated_first_order_at=stated.first_order_at,
        stated_last_order_at=stated.last_order_at,
        **aggregates._asdict(),
        touched_at=touched_at,
        steps=_count(item.get("steps")),
        last_email_at=moment_of(item.get("lastEmailDate")),
        last_touch_at=touched_at[0] if touched_at else None,
        touches_since_order=touches_since(touched_at, aggregates.last_order_at),
        version=version_of(item),
        created_at=user.created_at or user.updated_at or _UNKNOWN,
        updated_at=user.updated_at or user.created_at or _UNKNOWN,
        as_read={name: item[name] for name in JUDGED if name in item},
    )


def is_derived(item: Item) -> bool:
    """Whether an item's aggregates are ours; else they are what the shop states, without the orders that we know."""
    return "derivedAs" in item and item["derivedAs"] == derived_as(item)


def derived_as(item: Item) -> str:
    """Return the mark of these very aggregates."""
    average = item.get("averageOrderValue")
    # A number comes back from the table as an int where it is whole.
    shown = repr(float(average)) if isinstance(average, (int, float)) else str(average)
    return f"{item.get('orderCount')} {shown} {item.get('lastOrderDate')}"


def version_of(item: Item) -> int:
    """Return the number of our changes to a user; an item of an earlier deployment has seen none."""
    return _count(item.get("version"))


def touches_of(item: Item) -> tuple[datetime, ...]:
    """Return a user's touches, newest first; of an earlier deployment's item the one e-mail that it tells of."""
    touched_at = item.get("touchedAt", [item.get("lastEmailDate")])
    moments = (moment_of(value) for value in touched_at) if isinstance(touched_at, list) else ()
    return tuple(sorted((moment for moment in moments if moment is not None), reverse=True))


def text_of(moment: datetime) -> str:
    """Return a moment as the tables hold it: ISO 8601 in UTC, later ones in later texts."""
    return moment.astimezone(timezone.utc).isoformat(timespec="microseconds").replace("+00:00", "Z")


def moment_of(value: Any) -> datetime | None:
    """Return a moment in UTC: of an ISO 8601 text, or of seconds or milliseconds since 1970; None for anything else."""
    if value is None:
        return None
    try:
        return to_moment(_of_seconds(value)).astimezone(timezone.utc)
    except (ConversionError, OverflowError):
        return None


def _derived(item: Item) -> Aggregates:
    return Aggregates(
        order_count=_count(item.get("orderCount")),
        order_days=_count(item.get("orderDays")),
        average_order_value=float(item.get("averageOrderValue") or 0),
        first_order_at=moment_of(item.get("firstOrderDate")),
        last_order_at=moment_of(item.get("lastOrderDate")),
    )


def _user_values(item: Item, consent_when_missing: bool) -> dict[str, Any]:
    orders = STATED if is_derived(item) else AGGREGATES
    values = _values(item, {**_USER, **orders})
    return {**values, "consent": consent_when_missing} if values["consent"] is None else values


def _values(item: Item, attributes: Mapping[str, str]) -> dict[str, Any]:
    """Return an item's values under the names of files' columns, in a form that a file might have."""
    return {name: _value(name, item.get(attribute)) for name, attribute in attributes.items()}


def _value(name: str, value: Any) -> Any:
    if isinstance(value, set):
        return sorted(value, key=str)
    return _of_seconds(value) if name in _MOMENTS else value


def _of_seconds(value: Any) -> Any:
    """Return seconds, or milliseconds, since 1970 as a moment; anything else, and what is no moment, as it is."""
    if isinstance(value, bool) or not _SECONDS.fullmatch(str(value)):
        return value
    number = float(value)
    try:
        return datetime.fromtimestamp(number / 1000 if abs(number) >= _FIRST_IN_MILLISECONDS else number, timezone.utc)
    except (ValueError, OverflowError, OSError):
        return value


def _strict(entity: Entity, values: dict[str, Any], now: datetime) -> User | Order:
    found = _validated(entity, values, now)
    if isinstance(found, list):
        raise BadItemError(found)
    if any(getattr(found, name) != values[name] for name in ("user_id", "order_id") if name in values):
        # Ids are keys: the item could not be found again under one without its blanks.
        raise BadItemError([Fault("user_id" if entity == "user" else "order_id", "blanks", "has blanks around it")])
    return found


def _validated(entity: Entity, values: dict[str, Any], now: datetime) -> User | Order | list[Fault]:
    return Validator(entity, now).validate(values)


def _readable_user(item: Item, consent_when_missing: bool) -> User:
    values = _user_values(item, consent_when_missing)
    while isinstance(found := _validated("user", values, _ALWAYS), list):
        faulty = {fault.field for fault in found}
        values = {name: value for name, value in values.items() if name not in (faulty - {None} or AGGREGATES)}
        values["user_id"] = "unreadable" if "user_id" in faulty else values["user_id"]
    assert isinstance(found, User)  # noqa: S101 - tells the type checker what the entity says
    return found


def _count(value: Any) -> int:
    try:
        return 0 if value is None else max(0, to_whole_number(value))
    except ConversionError:
        return 0
