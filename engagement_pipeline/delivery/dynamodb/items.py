"""Rows of the ledger as items of the Emails table, as the read model's columns, and back. Pure.

Rows of an earlier deployment, which state their status in capitals, are read as rows of a campaign of their own; their
`subject` and `content`, which may name a person, stay where they are.
"""

import hashlib
import json
import struct
import zlib
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import date, datetime
from typing import Any, Final

from engagement_pipeline.delivery.entries import Entry, NewEmail, StoredEmail
from engagement_pipeline.delivery.statements import EXPIRED
from engagement_pipeline.delivery.statuses import EMAILED, REPORTED, WAITING, Status
from engagement_pipeline.platform.dynamodb_values import Item
from engagement_pipeline.users.dynamodb.items import moment_of, text_of

# The campaign of rows from before there were campaigns; also their band, and why some of them did not go out.
EARLIER: Final = "earlier"
_EARLIER_STATUS: Final[dict[str, Status]] = {
    "GENERATED": "skipped",
    "SENT": "sent",
    "OPENED": "opened",
    "CLICKED": "clicked",
    "FAILED": "failed",
}
# What they are read by, and what may be known of them since; all else may name a person.
EARLIER_FACTS: Final = ("status", "generatedAt", "sentAt", "updatedAt", "engagementScoreAtTime", "providerMessageId")

# The partition of rows of which nobody can tell whether they were sent; no campaign has this name.
UNKNOWN: Final = "#unknown"

# Over so many partitions lies what senders hold: each takes a thousand changes a second.
CLAIM_SHARDS: Final = 8

_LONGEST_ID: Final = 32
_SIGN: Final = 1 << 63
_ALL_BITS: Final = (1 << 64) - 1

_ATTRIBUTES: Final = {
    "email_id": "emailId",
    "user_id": "userId",
    "address_key": "addressKey",
    "campaign": "campaign",
    "step": "step",
    "status": "status",
    "reason": "reason",
    "score": "engagementScoreAtTime",
    "band": "band",
    "value_at_risk": "valueAtRisk",
    "variant": "variant",
    "copy": "copy",
    "copywriter": "copywriter",
    "provenance": "provenance",
    "edition": "edition",
    "last_day": "lastDay",
    "attempts": "attempts",
    "claimed_by": "claimedBy",
    "claimed_until": "claimedUntil",
    "not_before": "notBefore",
    "provider": "provider",
    "provider_message_id": "providerMessageId",
    "decided_at": "decidedAt",
    "created_at": "generatedAt",
    "sent_at": "sentAt",
    "updated_at": "updatedAt",
    "requested_by": "requestedBy",
    "overrides": "overrides",
}
_ENTRY: Final = tuple(Entry.__dataclass_fields__)


class BadEmailError(ValueError):
    """An item is no e-mail; the message names an attribute, never what it holds."""


def is_email(item: Mapping[str, Any]) -> bool:
    """Tell an e-mail from what else lies in the table: verdicts on words."""
    return "userId" in item


def item_of(row: StoredEmail) -> Item:
    """Return the item of a row, with what places it in the indexes."""
    item: Item = {}
    for name, attribute in _ATTRIBUTES.items():
        value = getattr(row, name)
        if value is not None:
            item[attribute] = _TO_ITEM.get(name, _as_it_is)(value)
    if row.status in WAITING:
        item |= {"campaignStatus": queue_of(row.campaign, row.status), "rank": rank_of(row.value_at_risk, row.email_id)}
    if row.status == "unknown" and row.reason != EXPIRED and row.sent_at is not None:
        item |= {"campaignStatus": UNKNOWN, "rank": f"{text_of(row.sent_at)}#{row.email_id}"}
    if row.claimed_by is not None:
        item["claimShard"] = claim_shard(row.email_id)
    return item


def stored_email(item: Mapping[str, Any]) -> StoredEmail:
    """Return the row of an item.

    Raises:
        BadEmailError: the item is no e-mail.
    """
    if "campaign" not in item:
        return _earlier(item)
    values = {name: item.get(attribute) for name, attribute in _ATTRIBUTES.items()}
    try:
        found: dict[str, Any] = {
            name: _FROM_ITEM.get(name, _as_it_is)(value) if value is not None else None
            for name, value in values.items()
        }
    except (TypeError, ValueError) as error:
        raise BadEmailError("an e-mail has an attribute that cannot be read") from error
    return StoredEmail(**found)


def columns_of(item: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the row of an item as the columns of the read model's `emails`; None where it is no e-mail.

    Raises:
        BadEmailError: it is one, and cannot be read.
    """
    if not is_email(item):
        return None
    row = stored_email(item)
    # Who holds it only the item says: that is not announced.
    columns = asdict(row) | {"email_id": column_id(row.email_id), "claimed_by": None, "claimed_until": None}
    # There, a user has a step of a campaign once.
    return columns | ({"step": zlib.crc32(row.email_id.encode()) >> 1} if row.campaign == EARLIER else {})


def column_id(email_id: str) -> str:
    """Return an e-mail's id as it fits into the read model: as it is, where it is one of ours."""
    if len(email_id) <= _LONGEST_ID:
        return email_id
    without_hyphens = email_id.replace("-", "")
    if len(without_hyphens) == _LONGEST_ID:
        return without_hyphens
    return hashlib.sha256(email_id.encode()).hexdigest()[:_LONGEST_ID]


def new_row(email: NewEmail, status: Status, now: datetime, **values: Any) -> StoredEmail:
    """Return the row of a decision; `values` are other fields of it."""
    blank: dict[str, Any] = dict.fromkeys(_ATTRIBUTES)
    decided = {name: getattr(email, name) for name in ("email_id", *NewEmail.__dataclass_fields__)}
    made = {"status": status, "attempts": 0, "created_at": now, "updated_at": now}
    return StoredEmail(**(blank | decided | made | values))


def entry_of(row: StoredEmail) -> Entry:
    """Return what a sender has to know of a row that waits."""
    values = {name: getattr(row, name) for name in _ENTRY}
    return Entry(**(values | {"copy": row.copy or {}}))


def queue_of(campaign: str, status: Status) -> str:
    """Return the partition in which a campaign's rows of a status wait."""
    return f"{campaign}#{status}"


def rank_of(value: float, email_id: str) -> str:
    """Return a text by which the most valuable comes first, and among equals the smallest id."""
    [bits] = struct.unpack(">Q", struct.pack(">d", value + 0.0))
    rising = ~bits & _ALL_BITS if bits & _SIGN else bits | _SIGN
    return f"{_ALL_BITS - rising:016x}#{email_id}"


def claim_shard(email_id: str) -> str:
    """Return the partition in which a row lies as long as somebody holds it."""
    return str(zlib.crc32(email_id.encode()) % CLAIM_SHARDS)


def _earlier(item: Mapping[str, Any]) -> StoredEmail:
    stated = str(item.get("status"))
    # What was reported since stands there in our own words.
    status = next((word for word in REPORTED if word == stated), _EARLIER_STATUS.get(stated.upper()))
    generated_at = moment_of(item.get("generatedAt"))
    user_id, email_id = item.get("userId"), item.get("emailId")
    if status is None or generated_at is None or not isinstance(user_id, str) or not isinstance(email_id, str):
        raise BadEmailError("an earlier e-mail lacks its user, its status or when it was generated")
    sent_at = moment_of(item.get("sentAt")) or generated_at
    blank: dict[str, Any] = dict.fromkeys(_ATTRIBUTES)
    values: dict[str, Any] = {
        "email_id": email_id,
        "user_id": user_id,
        "address_key": "",
        "campaign": EARLIER,
        "step": 0,
        "status": status,
        "reason": EARLIER if status == "skipped" else None,
        "score": _number(item.get("engagementScoreAtTime")),
        "band": EARLIER,
        "value_at_risk": 0.0,
        "attempts": 0,
        "decided_at": generated_at,
        "created_at": generated_at,
        "sent_at": sent_at if status in EMAILED else None,
        "updated_at": moment_of(item.get("updatedAt")) or generated_at,
    }
    return StoredEmail(**(blank | values))


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return 0.0


def _as_it_is(value: Any) -> Any:
    return value


def _as_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def as_moment(value: Any) -> datetime:
    """Return a moment, as `moment_of` does.

    Raises:
        ValueError: it is none.
    """
    moment = moment_of(value)
    if moment is None:
        raise ValueError("no moment")
    return moment


_MOMENTS: Final = ("claimed_until", "not_before", "decided_at", "created_at", "sent_at", "updated_at")
_TO_ITEM: Final[dict[str, Callable[[Any], Any]]] = {
    **dict.fromkeys(_MOMENTS, text_of),
    **dict.fromkeys(("copy", "provenance"), _as_json),
    "last_day": date.isoformat,
    "overrides": list,
}
_FROM_ITEM: Final[dict[str, Callable[[Any], Any]]] = {
    **dict.fromkeys(_MOMENTS, as_moment),
    **dict.fromkeys(("copy", "provenance"), json.loads),
    **dict.fromkeys(("score", "value_at_risk"), float),
    "last_day": date.fromisoformat,
}
