"""What people read for our codes."""

from collections.abc import Mapping
from typing import Final

from engagement_pipeline.cohorts.reasons import Reason

BANDS: Final[Mapping[str, str]] = {
    "critical": "Critical",
    "at_risk": "At risk",
    "moderate": "Moderate",
    "good": "Good",
}

STATUSES: Final[Mapping[str, str]] = {
    "draft": "Draft",
    "queued": "Queued",
    "sending": "Being sent",
    "sent": "Sent",
    "delivered": "Delivered",
    "opened": "Opened",
    "clicked": "Clicked",
    "bounced": "Bounced",
    "complained": "Complained",
    "unknown": "Unknown",
    "failed": "Failed",
    "skipped": "Skipped",
    "held_out": "Held out",
}

STATUS_MEANINGS: Final[Mapping[str, str]] = {
    "draft": "Written, and waiting for its turn or for approval.",
    "queued": "Waits for the sender.",
    "sending": "In the sender's hands right now.",
    "sent": "The mail provider took it.",
    "delivered": "The recipient's mail server took it.",
    "opened": "Reported as opened. Unreliable: mail programs open by themselves, or hide that they do.",
    "clicked": "Somebody followed the link.",
    "bounced": "The address does not exist, or does not take our mail.",
    "complained": "The recipient called it spam.",
    "unknown": "Nobody can tell whether it was sent. It is never sent again by itself.",
    "failed": "It could not be sent.",
    "skipped": "The gate said no at the moment of sending.",
    "held_out": "Held out on purpose, to measure what writing changes. Nothing was sent.",
}

EVENTS: Final[Mapping[str, str]] = {
    "send": "Sent",
    "delivery": "Delivered",
    "delivery_delay": "Delivery is delayed",
    "open": "Opened (unreliable)",
    "click": "Clicked",
    "machine_open": "Opened by a machine",
    "machine_click": "Clicked by a machine",
    "soft_bounce": "Bounced for now",
    "hard_bounce": "Bounced for good",
    "complaint": "Called spam",
    "reject": "Refused by the provider",
    "rendering_failure": "The provider could not render it",
    "subscription": "Changed a subscription",
    "unsubscribe": "Unsubscribed",
    "other": "Another report",
}

SUPPRESSION_REASONS: Final[Mapping[str, str]] = {
    "unsubscribed": "Unsubscribed",
    "hard_bounce": "Bounced for good",
    "soft_bounces": "Bounced again and again",
    "complaint": "Called it spam",
    "erased": "Erased",
    "manual": "Put here by a person",
    "imported": "Came with a file",
}

ORDER_STATUSES: Final[Mapping[str, str]] = {
    "created": "Created",
    "processing": "Being prepared",
    "shipped": "Shipped",
    "delivered": "Delivered",
    "cancelled": "Cancelled",
    "returned": "Returned",
}

GATE_REASONS: Final[Mapping[str, str]] = {reason.value: reason.meaning for reason in Reason}


def readable(code: str) -> str:
    """Return a code as words: for those of others, or of a later day."""
    words = code.replace("_", " ").strip()
    return words[:1].upper() + words[1:]


def reason_meaning(code: str | None) -> str:
    """Return why an e-mail is where it is, in words; a provider's own words as they are."""
    if not code:
        return ""
    return GATE_REASONS.get(code) or (readable(code) if code.replace("_", "").isalnum() else code)
