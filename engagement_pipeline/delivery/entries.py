"""What goes into the ledger and comes out of it: plain values, the same for every store."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from engagement_pipeline.delivery.statuses import Status


def email_id_for(user_id: str, campaign: str, step: int) -> str:
    """Return the id of the one e-mail that a user can get at this step of a campaign (32 hex digits).

    Derived rather than drawn, so that deciding the same thing twice, in whatever store, names the same e-mail.
    """
    return hashlib.sha256(f"{campaign}\0{step}\0{user_id}".encode()).hexdigest()[:32]


@dataclass(frozen=True)
class NewEmail:
    """A decision to write, or for the hold-out to stay silent (then without a copy).

    `requested_by` names who asked for this very e-mail, `overrides` the gate's reasons that were set aside for it.
    """

    user_id: str
    address_key: str
    campaign: str
    step: int
    score: float
    band: str
    value_at_risk: float
    decided_at: datetime
    variant: str | None = None
    copy: Mapping[str, Any] | None = None
    copywriter: str | None = None
    provenance: Mapping[str, Any] | None = None
    edition: str | None = None
    requested_by: str | None = None
    overrides: Sequence[str] | None = None
    last_day: date | None = None

    @property
    def email_id(self) -> str:
        return email_id_for(self.user_id, self.campaign, self.step)


@dataclass(frozen=True)
class Entry:
    """A row waiting to be sent.

    `overrides` are the gate's reasons that a person has set aside for it, as they stood at `decided_at`.
    """

    email_id: str
    user_id: str
    address_key: str
    campaign: str
    step: int
    score: float
    value_at_risk: float
    copy: Mapping[str, Any]
    attempts: int
    decided_at: datetime | None = None
    overrides: Sequence[str] | None = None
    last_day: date | None = None


@dataclass(frozen=True)
class StoredEmail:
    """A ledger row as it is: one field per column of the `emails` table.

    Attributes:
        step: the how-manieth row of the user in the campaign; 0 for a row from before there were steps.
        copy: what it says, with placeholders; None for the hold-out.
        attempts: how often it was handed over.
        claimed_by: the sender that holds it.
        sent_at: when it was handed over, by the sender's word or else by what was reported.
    """

    email_id: str
    user_id: str
    address_key: str
    campaign: str
    step: int
    status: Status
    reason: str | None
    score: float
    band: str
    value_at_risk: float
    variant: str | None
    copy: Mapping[str, Any] | None
    copywriter: str | None
    provenance: Mapping[str, Any] | None
    edition: str | None
    last_day: date | None
    attempts: int
    claimed_by: str | None
    claimed_until: datetime | None
    not_before: datetime | None
    provider: str | None
    provider_message_id: str | None
    decided_at: datetime
    created_at: datetime
    sent_at: datetime | None
    updated_at: datetime
    requested_by: str | None
    overrides: Sequence[str] | None


@dataclass(frozen=True)
class Report:
    """What events, together, say of one e-mail.

    Attributes:
        email_id: our id.
        status: the gravest that was reported; None where what was reported says nothing of it.
        moments: every moment at which an event says that it was on its way, those known before among them. They date a
            row that no sender has dated.
        provider_message_id: what the provider calls it, where an event says so.
    """

    email_id: str
    status: Status | None
    moments: Sequence[datetime] = ()
    provider_message_id: str | None = None


@dataclass(frozen=True)
class Correction:
    """A row as it was read, with the status that follows from its events; `moments` as in `Report`."""

    row: StoredEmail
    status: Status
    moments: Sequence[datetime] = ()


@dataclass(frozen=True)
class AddressFacts:
    """What the ledger knows of an address, over all users that share it."""

    suppressed: bool = False
    last_touch_at: datetime | None = None


@dataclass(frozen=True)
class Ticket:
    """Leave to send one row, valid only while what the gate has seen still holds.

    `user_as_read` is the user's `StoredUser.as_read`: it names a person.
    """

    email_id: str
    user_id: str
    user_version: int
    address_key: str
    address_touched_at: datetime | None
    provider: str
    user_as_read: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Outcome:
    """What became of handing over one message.

    `attempts` is what it adds to the row's count: a provider that paused the whole account has not tried this one.
    """

    email_id: str
    status: Status
    reason: str | None = None
    provider_message_id: str | None = None
    not_before: datetime | None = None
    attempts: int = 1


def left_in_hand(email_id: str, accepted: bool | None, *, delivers: bool) -> Outcome:
    """Return what became of a message that a sender who is gone has left in its hands.

    Args:
        email_id: our id.
        accepted: whether the mailer took it; None where it cannot tell.
        delivers: whether with this mailer taking a message is delivering it.
    """
    if accepted is None:
        return Outcome(email_id, "unknown", "sender_stopped")
    if not accepted:
        return Outcome(email_id, "queued")
    return Outcome(email_id, "delivered" if delivers else "sent")


@dataclass(frozen=True)
class Recovery:
    """What was found of senders that are gone: rows by what became of them."""

    sent: int = 0
    queued: int = 0
    unknown: int = 0
