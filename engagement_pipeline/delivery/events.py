"""What comes back about an e-mail, whoever reports it: the one form in which events enter the ledger."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, get_args

from engagement_pipeline.delivery.statuses import Status

Kind = Literal[
    "send",
    "delivery",
    "delivery_delay",
    "open",
    "click",
    "machine_open",
    "machine_click",
    "soft_bounce",
    "hard_bounce",
    "complaint",
    "reject",
    "rendering_failure",
    "subscription",
    "unsubscribe",
    "other",
]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)

# What each kind says of its e-mail. Kinds that are absent say at most that the provider took it, or nothing.
STATUS_OF: Final[dict[Kind, Status]] = {
    "send": "sent",
    "delivery_delay": "sent",
    "soft_bounce": "sent",
    "reject": "failed",
    "rendering_failure": "failed",
    "delivery": "delivered",
    "open": "opened",
    "click": "clicked",
    "hard_bounce": "bounced",
    "complaint": "complained",
}


@dataclass(frozen=True)
class Event:
    """One thing that happened to one e-mail at one address.

    Attributes:
        event_id: the same however often and by whatever way the event comes.
        kind: what happened.
        email_id: our id, where the event carries it.
        provider_message_id: the provider's id, where the event carries it.
        address_key: of the recipient concerned, where the event names one.
        occurred_at: by the reporter's clock.
        source: who reports: `ses`, `outbox`, `tracking`, `one_click`, `page`, `person`.
        original: as it came; JSON.
    """

    event_id: str
    kind: Kind
    email_id: str | None
    provider_message_id: str | None
    address_key: str | None
    occurred_at: datetime
    source: str
    original: str
