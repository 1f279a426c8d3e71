"""Users, orders and touches as attributes of items, and what has to change of an item to hold them. Pure.

Attributes that we do not know stay: the tables may be another system's, too.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any, Final

from engagement_pipeline.platform.dynamodb_tables import ORDERS, USERS
from engagement_pipeline.platform.dynamodb_values import Item
from engagement_pipeline.platform.dynamodb_words import Condition, exists, unchanged
from engagement_pipeline.platform.dynamodb_writes import Put, Update
from engagement_pipeline.users.addresses import address_key
from engagement_pipeline.users.aggregates import Aggregates, CountedOrder, Stated, aggregate
from engagement_pipeline.users.derived import MAX_TOUCHES
from engagement_pipeline.users.dynamodb.items import AGGREGATES, STATED, derived_as, text_of, version_of
from engagement_pipeline.users.models import Order, User
from engagement_pipeline.users.store import StoredUser, Touches

_DESCRIPTION: Final = ("email", "addressKey", "name", "preferredCategories", "consent", "timeZone", *STATED.values())
_DERIVED: Final = (*AGGREGATES.values(), "orderDays", "derivedAs")
# What a change is decided on: all of it is as it was when the change is made.
_DECISIVE: Final = ("version", *_DESCRIPTION, *_DERIVED)


def new_user(user: User, counted: Iterable[CountedOrder], secret_key: str, now: datetime) -> Item:
    """Return the item of a user who is new.

    Args:
        user: what the shop says.
        counted: the user's orders that count, where some came first.
        secret_key: keys the address hash.
        now: when, unless the shop says when.
    """
    return {
        "userId": user.user_id,
        **_description(user, secret_key),
        **_aggregates(aggregate(_stated(user), counted)),
        "version": 1,
        "createdAt": text_of(user.created_at or now),
        "updatedAt": text_of(user.updated_at or now),
    }


def described(user: User, seen: Item, counted: Iterable[CountedOrder], secret_key: str, now: datetime) -> Update:
    """Return the change that makes an item say what the shop says now; refused where it is not as it was seen."""
    wanted = {**_description(user, secret_key), **_aggregates(aggregate(_stated(user), counted))}
    return _change(seen, wanted, (*_DESCRIPTION, *_DERIVED), user.updated_at or now)


def aggregated(stored: StoredUser, seen: Item, aggregates: Aggregates, now: datetime) -> Update:
    """Return the change that brings a user's aggregates up to date; refused where the item is not as it was seen.

    It counts the version up in any case: two changes of one user's orders must not pass each other by.
    """
    if aggregates_of(stored) == aggregates:
        return Update(USERS, (stored.user_id,), sets={"version": version_of(seen) + 1}, condition=as_seen(seen))
    stated = {name: getattr(stored, f"stated_{name}") for name in STATED}
    wanted = {**_texts(STATED, stated), **_aggregates(aggregates)}
    return _change(seen, wanted, (*STATED.values(), *_DERIVED), now)


def aggregates_of(stored: StoredUser) -> Aggregates:
    """Return a user's aggregates as they are known."""
    return Aggregates(*(getattr(stored, name) for name in Aggregates._fields))


def as_seen(seen: Item) -> Condition:
    """Hold as long as nothing that decides about a user has changed since the item was read, whoever changed it."""
    return unchanged(seen, _DECISIVE)


def after(update: Update, seen: Item) -> Item:
    """Return the item as it is once the change is made."""
    return {name: value for name, value in {**seen, **update.sets}.items() if name not in update.removes}


def touched(touches: Touches, now: datetime) -> Update:
    """Return the change that writes a user's touches; refused where the user is gone."""
    moments = [text_of(moment) for moment in sorted(touches.touched_at, reverse=True)[:MAX_TOUCHES]]
    values = {
        "touchedAt": moments,
        "lastTouchAt": moments[0] if moments else None,
        "lastEmailDate": None if touches.last_email_at is None else text_of(touches.last_email_at),
        "steps": touches.steps,
        "updatedAt": text_of(now),
    }
    sets = {name: value for name, value in values.items() if value is not None}
    removes = [name for name in values if name not in sets]
    return Update(USERS, (touches.user_id,), sets, removes, {"version": 1}, exists("userId"))


def order_written(order: Order, seen: Sequence[Item], now: datetime) -> Put | Update:
    """Return the write of an order; what its item says besides stays, also where it comes from another user's.

    Args:
        order: as it shall be.
        seen: its items so far.
        now: the moment of the change.
    """
    attributes: Item = {
        "orderDate": text_of(order.ordered_at),
        "totalValue": order.total_value,
        "itemCount": order.item_count,
        "skus": list(order.skus),
        "status": order.status.value,
        "updatedAt": text_of(now),
    }
    moved = [item for item in seen if item["userId"] != order.user_id]
    if len(moved) < len(seen) or not moved:
        return Update(ORDERS, (order.user_id, order.order_id), sets=attributes)
    return Put(ORDERS, {**moved[0], **attributes, "userId": order.user_id})


def _change(seen: Item, wanted: Item, names: Collection[str], updated_at: datetime) -> Update:
    sets = {**wanted, "version": version_of(seen) + 1, "updatedAt": text_of(updated_at)}
    removes = [name for name in names if name in seen and name not in wanted]
    return Update(USERS, (seen["userId"],), sets, removes, condition=as_seen(seen))


def _description(user: User, secret_key: str) -> Item:
    values = {
        "email": user.email,
        "addressKey": None if user.email is None else address_key(user.email, secret_key),
        "name": user.name,
        "preferredCategories": list(user.preferred_categories),
        "consent": user.consent,
        "timeZone": user.time_zone,
    }
    return {
        **{name: value for name, value in values.items() if value is not None},
        **_texts(STATED, {name: getattr(user, name) for name in STATED}),
    }


def _aggregates(aggregates: Aggregates) -> Item:
    item = {**_texts(AGGREGATES, aggregates._asdict()), "orderDays": aggregates.order_days}
    return {**item, "derivedAs": derived_as(item)}


def _texts(attributes: dict[str, str], values: dict[str, Any]) -> Item:
    found = {attribute: values[name] for name, attribute in attributes.items() if values[name] is not None}
    return {name: text_of(value) if isinstance(value, datetime) else value for name, value in found.items()}


def _stated(user: User) -> Stated:
    return Stated(user.order_count, user.average_order_value, user.first_order_at, user.last_order_at)
