"""The suppression list on the Addresses table, whose items also say what touched an address; the two stay apart."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

from engagement_pipeline.delivery.dynamodb.addresses import SUPPRESSION
from engagement_pipeline.delivery.suppressions import ERASED, HABIT, RULE, Suppression, one_each
from engagement_pipeline.platform.audit import AuditEntry
from engagement_pipeline.platform.dynamodb import Dynamo
from engagement_pipeline.platform.dynamodb_audit import audit_puts
from engagement_pipeline.platform.dynamodb_tables import ADDRESSES
from engagement_pipeline.platform.dynamodb_values import Item
from engagement_pipeline.platform.dynamodb_words import Condition, absent, all_of, equals, is_one_of, unequal
from engagement_pipeline.platform.dynamodb_writes import Put, Update
from engagement_pipeline.platform.side_by_side import each
from engagement_pipeline.users.dynamodb.items import moment_of, text_of


class DynamoSuppressions:
    """The list as it is now; see `Suppressions`.

    Args:
        dynamo: the tables.
    """

    def __init__(self, dynamo: Dynamo) -> None:
        self._dynamo = dynamo

    def find(self, address_keys: Iterable[str]) -> dict[str, Suppression]:
        keys = [(address_key,) for address_key in set(address_keys)]
        items = self._dynamo.get_many(ADDRESSES, keys, ("addressKey", *SUPPRESSION))
        return {item["addressKey"]: found for item in items if (found := _suppression(item)) is not None}

    def add(self, entries: Sequence[Suppression], now: datetime, audit: AuditEntry | None = None) -> int:
        wanted = list(one_each(entries).values())
        new = 0
        # The audit's entry goes with the first that is new.
        while audit is not None and wanted and not new:
            new += self._add(wanted.pop(), audit_puts(audit))
        return new + sum(each(self._add, wanted))

    def worsen(self, entry: Suppression, milder: Collection[str], now: datetime) -> bool:
        if not milder:
            return False
        sets = {"reason": entry.reason, "source": entry.source}
        return self._is_written(entry.address_key, sets, is_one_of("reason", sorted(milder)))

    def add_erased(self, address_key: str, now: datetime) -> bool:
        erased = {"reason": ERASED, "source": ERASED}
        if self._is_written(address_key, erased, unequal("reason", ERASED)):
            return True
        return self._is_written(address_key, {**erased, "suppressedAt": text_of(now)}, absent("reason"))

    def remove(self, seen: Suppression, now: datetime, audit: AuditEntry | None = None) -> bool:
        is_it = all_of(equals("reason", seen.reason), equals("source", seen.source))
        update = Update(ADDRESSES, (seen.address_key,), removes=SUPPRESSION, condition=is_it)
        return not self._dynamo.transact([update, *audit_puts(audit)])

    def _add(self, entry: Suppression, also: Sequence[Put] = ()) -> bool:
        """Put an address on the list, or an entry in the place of one that gives way; tell whether it is new there."""
        sets = {"reason": entry.reason, "source": entry.source, "suppressedAt": text_of(entry.suppressed_at)}
        update = Update(ADDRESSES, (entry.address_key,), sets=sets, condition=absent("reason"))
        if not self._dynamo.transact([update, *also]):
            return True
        if (entry.reason, entry.source) != (HABIT, RULE):
            self._is_written(entry.address_key, sets, all_of(equals("reason", HABIT), equals("source", RULE)))
        return False

    def _is_written(self, address_key: str, sets: Item, condition: Condition) -> bool:
        return not self._dynamo.transact([Update(ADDRESSES, (address_key,), sets=sets, condition=condition)])


def _suppression(item: Item) -> Suppression | None:
    moment = moment_of(item.get("suppressedAt"))
    if "reason" not in item or moment is None:
        return None
    return Suppression(item["addressKey"], item["reason"], item["source"], moment)
