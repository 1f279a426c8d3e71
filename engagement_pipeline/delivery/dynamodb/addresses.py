"""What touched an address, on its item of the Addresses table. Pure.

`touches` holds "<moment>#<emailId>" of the e-mails that hold the address (written, being written, or held out), and
`touchedAt` the newest of their moments: a row is marked only while that is what the gate has seen. What was not sent
after all gives the address back, and the touch before counts again.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

from engagement_pipeline.platform.dynamodb_tables import ADDRESSES
from engagement_pipeline.platform.dynamodb_words import absent, all_of, any_of, at_most, unchanged
from engagement_pipeline.platform.dynamodb_writes import Delete, Update
from engagement_pipeline.users.dynamodb.items import text_of

# Suppression and touches of one item are changed apart from one another.
SUPPRESSION: Final = ("reason", "source", "suppressedAt")
TOUCHES: Final = ("touches", "touchedAt")

# Older ones are let go: only what was touched a moment ago can turn out not to have been.
_KEPT: Final = 5
MOST: Final = 10


class Touch(NamedTuple):
    """One e-mail at one address."""

    address_key: str
    moment: datetime
    email_id: str

    @property
    def text(self) -> str:
        return f"{text_of(self.moment)}#{self.email_id}"


def marking(touch: Touch, seen_at: datetime | None) -> Update:
    """Touch an address that is not suppressed, unless it was touched after the gate looked.

    Args:
        touch: of the row that is marked.
        seen_at: the newest touch that the gate has seen.
    """
    untouched = (
        absent("touchedAt") if seen_at is None else any_of(absent("touchedAt"), at_most("touchedAt", text_of(seen_at)))
    )
    return Update(
        ADDRESSES,
        (touch.address_key,),
        # A clock that is behind another's must not make the address look free.
        sets={"touchedAt": text_of(touch.moment if seen_at is None else max(touch.moment, seen_at))},
        adds={"touches": frozenset({touch.text})},
        condition=all_of(absent("reason"), untouched),
    )


def changing(
    address_key: str, seen: Mapping[str, Any], given: Iterable[Touch], taken: Iterable[Touch]
) -> Update | None:
    """Change what touched an address, unless it has been touched since it was read; None where nothing changes.

    Args:
        address_key: whose.
        seen: its item as read; empty where there was none.
        given: touches that are new.
        taken: touches that were none after all.
    """
    before = touches_of(seen)
    after = (before - {touch.text for touch in taken}) | {touch.text for touch in given}
    return None if after == before else _writing(address_key, seen, after)


def pruning(item: Mapping[str, Any]) -> Update | None:
    """Let go of the oldest touches of an address; None where they are few."""
    touches = touches_of(item)
    if len(touches) <= MOST:
        return None
    return _writing(item["addressKey"], item, set(sorted(touches)[-_KEPT:]))


def forgetting(item: Mapping[str, Any], email_ids: Collection[str]) -> Update | Delete | None:
    """Forget touches of e-mails, and the address with them where nothing else is known of it."""
    touches = touches_of(item)
    left = {touch for touch in touches if touch.partition("#")[2] not in email_ids}
    if not left and not any(name in item for name in SUPPRESSION):
        return Delete(ADDRESSES, (item["addressKey"],), unchanged(item, (*SUPPRESSION, *TOUCHES)))
    return None if left == touches else _writing(item["addressKey"], item, left)


def touches_of(item: Mapping[str, Any]) -> set[str]:
    """Return the touches that an address' item holds."""
    return set(item.get("touches", ()))


def _writing(address_key: str, seen: Mapping[str, Any], touches: set[str]) -> Update:
    as_it_was = unchanged(seen, TOUCHES)
    if not touches:
        return Update(ADDRESSES, (address_key,), removes=TOUCHES, condition=as_it_was)
    newest = max(touches).partition("#")[0]
    return Update(ADDRESSES, (address_key,), sets={"touches": touches, "touchedAt": newest}, condition=as_it_was)
