"""The audit log on DynamoDB: entries are put beside the change that they speak of, in its own transaction."""

import itertools
import time
import uuid
from collections.abc import Callable, Mapping
from datetime import timezone
from typing import Any, Final

from engagement_pipeline.platform.audit import AuditEntry
from engagement_pipeline.platform.dynamodb import Dynamo
from engagement_pipeline.platform.dynamodb_tables import AUDIT
from engagement_pipeline.platform.dynamodb_words import equals
from engagement_pipeline.platform.dynamodb_writes import Put, Update

# An index follows its table within a fraction of a second.
_INDEX_LAG_SECONDS: Final = 1.0

# Tells entries of one moment and one process apart, in their order.
_ENTRIES: Final = itertools.count()


def audit_put(entry: AuditEntry) -> Put:
    """Return the write that records an entry; the ids of entries rise with time."""
    moment = entry.happened_at.astimezone(timezone.utc)
    item: dict[str, Any] = {
        "auditId": f"{moment:%Y%m%dT%H%M%S.%fZ}-{next(_ENTRIES):08x}{uuid.uuid4().hex[:8]}",
        "entity": entry.entity,
        "entityId": entry.entity_id,
        "entityKey": _entity_key(entry.entity, entry.entity_id),
        "actor": entry.actor,
        "action": entry.action,
        "details": dict(entry.details),
        "happenedAt": f"{moment:%Y-%m-%dT%H:%M:%S.%fZ}",
    }
    return Put(AUDIT, item if entry.request_id is None else {**item, "requestId": entry.request_id})


def audit_puts(entry: AuditEntry | None) -> list[Put]:
    """Return what a transaction takes along of a change that may have an entry."""
    return [] if entry is None else [audit_put(entry)]


class DynamoAudit:
    """Who changed what, for ever.

    Args:
        dynamo: the tables.
        wait: sleeps until the index has caught up.
    """

    def __init__(self, dynamo: Dynamo, wait: Callable[[float], None] = time.sleep) -> None:
        self._dynamo = dynamo
        self._wait = wait

    def record(self, entry: AuditEntry) -> None:
        """Record a look at personal data, or a change of what the system keeps for itself, such as a token."""
        self._dynamo.write(audit_put(entry))

    def rename(self, names: Mapping[tuple[str, str], str]) -> None:
        """Give ids another name, wherever they stand, by entity and id: whoever had them has been erased.

        Repeating it changes nothing. Takes a second at least: what was recorded just before is not in the index yet.
        """
        changed = {key: name for key, name in names.items() if key[1] != name}
        if not changed:
            return
        self._rename(changed)
        self._wait(_INDEX_LAG_SECONDS)
        self._rename(changed)

    def _rename(self, names: Mapping[tuple[str, str], str]) -> None:
        for (entity, entity_id), name in names.items():
            whole = equals("entityKey", _entity_key(entity, entity_id))
            for item in self._dynamo.query(AUDIT, whole, index="entity", attributes=("auditId",)):
                sets = {"entityId": name, "entityKey": _entity_key(entity, name)}
                self._dynamo.write(Update(AUDIT, (item["auditId"],), sets=sets))


def _entity_key(entity: str, entity_id: str) -> str:
    return f"{entity}#{entity_id}"
