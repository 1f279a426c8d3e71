"""The rows of the ledger in the Emails table: reading them as they are now, and moving them as the rules say."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Final

from engagement_pipeline.delivery.dynamodb import addresses
from engagement_pipeline.delivery.dynamodb.addresses import Touch
from engagement_pipeline.delivery.dynamodb.items import (
    CLAIM_SHARDS,
    BadEmailError,
    is_email,
    item_of,
    stored_email,
)
from engagement_pipeline.delivery.dynamodb.moves import touched_at
from engagement_pipeline.delivery.entries import StoredEmail
from engagement_pipeline.platform.dynamodb import Dynamo
from engagement_pipeline.platform.dynamodb_tables import ADDRESSES, EMAILS
from engagement_pipeline.platform.dynamodb_values import Item
from engagement_pipeline.platform.dynamodb_words import Condition, absent, all_of, equals, unchanged
from engagement_pipeline.platform.dynamodb_writes import Put, Update, is_possible
from engagement_pipeline.platform.side_by_side import each

Move = Callable[[StoredEmail], StoredEmail | None]

# Whoever changes any of them has moved the row.
_PLACE: Final = ("status", "sentAt", "claimedBy")
_SHARDS: Final = tuple(str(shard) for shard in range(CLAIM_SHARDS))
# Of one address: whoever writes to it meets a few others at most.
_TRIES: Final = 30


class Rows:
    """Reads and moves rows. What a row does to its address is written with it, or neither is.

    Args:
        dynamo: the tables.
    """

    def __init__(self, dynamo: Dynamo) -> None:
        self._dynamo = dynamo

    def get(self, email_ids: Iterable[str]) -> dict[str, StoredEmail]:
        """Return the rows of these ids that there are, as they are now."""
        items = self._dynamo.get_many(EMAILS, [(email_id,) for email_id in email_ids])
        return {row.email_id: row for row in _readable(items)}

    def of_users(self, user_ids: Collection[str], known: Iterable[StoredEmail] = ()) -> dict[str, list[StoredEmail]]:
        """Return all rows of these users, as they are now.

        Args:
            user_ids: whose.
            known: rows that there are: the index, which lags behind, may not have those just written.
        """
        listed = each(self.ids_of, list(user_ids))
        ids = {email_id for found in listed for email_id in found} | {row.email_id for row in known}
        rows: dict[str, list[StoredEmail]] = defaultdict(list)
        for row in self.get(ids).values():
            rows[row.user_id].append(row)
        return rows

    def ids_of(self, user_id: str) -> list[str]:
        """Return the ids of a user's rows, and of what lies among them and is none; the index may lag behind."""
        return self._ids_at("userId", user_id, "user")

    def named(self, provider_message_id: str) -> str | None:
        """Return our id of what the provider calls by this name."""
        return next(iter(self._ids_at("providerMessageId", provider_message_id, "provider")), None)

    def held(self) -> dict[str, list[str]]:
        """Return the ids of rows that somebody holds, by who does; the index may lag behind."""
        holders: dict[str, list[str]] = defaultdict(list)
        for found in each(lambda shard: self._query(equals("claimShard", shard), "holder"), _SHARDS):
            for item in found:
                holders[item["claimedBy"]].append(item["emailId"])
        return holders

    def held_by(self, worker: str) -> set[str]:
        """Return the ids of rows that a worker holds; the index may lag behind."""
        keys = [all_of(equals("claimShard", shard), equals("claimedBy", worker)) for shard in _SHARDS]
        return {email_id for found in each(lambda key: self._ids(key, "holder"), keys) for email_id in found}

    def create(self, row: StoredEmail, also: Sequence[Put] = ()) -> bool:
        """Write a row, and other writes with it, unless there is one of its id; tell whether it was written."""
        put = Put(EMAILS, item_of(row), absent("emailId"))
        for _ in self._dynamo.tries("an address was touched again and again", _TRIES):
            refused = self._write([put, *self._touching(None, row), *also])
            if not refused or 0 in refused:
                break
        return not refused

    def change(self, email_id: str, move: Move, also: Sequence[Put] = ()) -> StoredEmail | None:
        """Move a row, and make other writes with it, by a rule on what the row is at that very moment.

        Returns:
            What has become of it; None where there is no such row, or the rule leaves it as it is.
        """
        for _ in self._dynamo.tries("a row was moved again and again", _TRIES):
            item = self._dynamo.get(EMAILS, email_id)
            if item is None or not is_email(item):
                break
            before = stored_email(item)
            after = move(before)
            if after is None:
                break
            if not self._write([_moving(item, before, after), *self._touching(before, after), *also]):
                return after
        return None

    def _touching(self, before: StoredEmail | None, after: StoredEmail) -> list[Update]:
        """Return what a row's move changes at addresses."""
        was, is_now = None if before is None else touch_of(before), touch_of(after)
        if was == is_now:
            return []
        keys = sorted({touch.address_key for touch in (was, is_now) if touch})
        seen = {item["addressKey"]: item for item in self._dynamo.get_many(ADDRESSES, [(key,) for key in keys])}
        writes = []
        for key in keys:
            given, taken = ([touch] if touch and touch.address_key == key else [] for touch in (is_now, was))
            writes.append(addresses.changing(key, seen.get(key, {}), given, taken))
        return [write for write in writes if write is not None]

    def _write(self, writes: Sequence[Put | Update]) -> set[int]:
        """Make all writes or none; return the places of those that were refused."""
        refused = self._dynamo.transact(writes) if len(writes) > 1 else [self._dynamo.write(writes[0])]
        return {each_refused.position for each_refused in refused if each_refused is not None}

    def _ids_at(self, attribute: str, value: str, index: str) -> list[str]:
        return self._ids(equals(attribute, value), index) if is_possible((value,)) else []

    def _ids(self, key: Condition, index: str) -> list[str]:
        return [item["emailId"] for item in self._query(key, index)]

    def _query(self, key: Condition, index: str) -> list[Item]:
        return list(self._dynamo.query(EMAILS, key, index=index))


def touch_of(row: StoredEmail) -> Touch | None:
    """Return how a row touches its address."""
    moment = touched_at(row)
    return Touch(row.address_key, moment, row.email_id) if moment is not None and row.address_key else None


def _moving(item: Mapping[str, Any], before: StoredEmail, after: StoredEmail) -> Update:
    """Return the write that makes one row of another, as long as the row is what it was when it was read."""
    old, new = item_of(before), item_of(after)
    sets = {name: value for name, value in new.items() if old.get(name) != value}
    removes = [name for name in old if name not in new]
    place = (*_PLACE, *(name for name in (*sets, *removes) if name not in _PLACE))
    return Update(EMAILS, (before.email_id,), sets=sets, removes=removes, condition=unchanged(item, place))


def _readable(items: Iterable[Item]) -> Iterable[StoredEmail]:
    """Return rows; an item that is none, such as one that an earlier deployment left unfinished, is passed over."""
    for item in items:
        try:
            yield stored_email(item)
        except BadEmailError:
            continue
