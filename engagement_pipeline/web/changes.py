"""Changes that people and programs make, each written with its entry in the audit log, both or neither."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from engagement_pipeline.platform.audit import AuditEntry
from engagement_pipeline.users.models import Order, User
from engagement_pipeline.users.rows import StoredUser, described
from engagement_pipeline.users.store import NotThereError, UserStore, WriteCounts

# So many ids of a batch stand in the audit log one by one.
_NAMED_ORDERS: Final = 20


@dataclass(frozen=True)
class By:
    """Who makes a change, in which request, and when."""

    actor: str
    request_id: str
    now: datetime

    def entry(self, action: str, entity: str, entity_id: str, details: Mapping[str, Any]) -> AuditEntry:
        """Return what the audit log says of the change."""
        return AuditEntry(self.actor, action, entity, entity_id, details, self.now, self.request_id)


def create_user(store: UserStore, user: User, by: By) -> StoredUser:
    """Write a new user.

    Raises:
        AlreadyThereError: there is one.
        SecretKeyChangedError: the store was made with another secret key.
    """
    given = [name for name, value in described(user).items() if value not in (None, [])]
    return store.create_user(user, by.now, by.entry("user.created", "user", user.user_id, {"fields": given}))


def change_user(store: UserStore, before: StoredUser, user: User, by: By) -> StoredUser:
    """Replace what the shop says of a user; where it says the same as before, nothing is written.

    Args:
        store: where the user is.
        before: the user who was looked at.
        user: what the shop says now.
        by: who says so.

    Raises:
        NotThereError: there is no such user any more.
        ChangedMeanwhileError: it is not the user who was looked at.
        SecretKeyChangedError: the store was made with another secret key.
    """
    old = {**vars(before), "preferred_categories": list(before.preferred_categories)}
    changed = [name for name, value in described(user).items() if old[name] != value]
    entry = by.entry("user.updated", "user", user.user_id, {"fields": changed})
    return store.change_user(user, before.version, by.now, entry)


def delete_user(store: UserStore, before: StoredUser, by: By) -> None:
    """Delete a user with all orders. What was sent and reported stays; to take that away too, erase the person.

    Raises:
        NotThereError: there is no such user any more.
        ChangedMeanwhileError: it is not the user who was looked at.
    """
    entry = by.entry("user.deleted", "user", before.user_id, {})
    if not store.delete_user(before.user_id, by.now, version=before.version, audit=entry):
        raise NotThereError


def put_orders(store: UserStore, orders: Sequence[Order], by: By) -> WriteCounts:
    """Write orders, all or none.

    Raises:
        UnknownUserError: names every user that the store does not know.
    """

    def entries(counts: WriteCounts) -> list[AuditEntry]:
        if len(orders) <= _NAMED_ORDERS:
            return [by.entry("order.written", "order", order.order_id, {}) for order in orders]
        details = {"orders": len(orders), "created": counts.created, "updated": counts.updated}
        return [by.entry("orders.written", "orders", "", details)]

    return store.put_orders(orders, by.now, entries)
