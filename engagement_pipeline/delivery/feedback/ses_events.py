"""Reads the events of Amazon SES in both dialects: those of configuration sets, and those of identities without tags.

The former name themselves by `eventType`, the latter by `notificationType`; else they are alike. What is not known of
them is kept and ignored. The format: https://docs.aws.amazon.com/ses/latest/dg/notification-contents.html and
https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html.
"""

import hashlib
import json
import logging
import re
from collections.abc import Callable
from datetime import datetime, timezone
from email.utils import parseaddr
from functools import partial
from typing import Any, Final, NamedTuple

from pydantic import TypeAdapter

from engagement_pipeline.delivery import tracking
from engagement_pipeline.delivery.events import Event, Kind
from engagement_pipeline.delivery.feedback.errors import BadEventError
from engagement_pipeline.delivery.feedback.json_text import items, part, read_object
from engagement_pipeline.users.addresses import InvalidAddressError

logger = logging.getLogger(__name__)

# What SES says once, when it is connected to a topic; the one message of its that is no JSON.
_GREETING: Final = "Successfully validated SNS topic"

_EMAIL_ID: Final = re.compile(r"[0-9a-f]{32}")
_TAG: Final = "email_id"
_HEADER: Final = "x-engagement-email-id"
_LONGEST_MESSAGE_ID: Final = 256
_LONGEST_ADDRESS: Final = 400

_moment: Final = TypeAdapter(datetime).validate_python


class _Sort(NamedTuple):
    """One kind of event: our word, where its details are, and where among them the recipients."""

    kind: Kind
    details: str = ""
    recipients: str = ""


_SORTS: Final = {
    "bounce": _Sort("soft_bounce", "bounce", "bouncedRecipients"),
    "complaint": _Sort("complaint", "complaint", "complainedRecipients"),
    "delivery": _Sort("delivery", "delivery", "recipients"),
    "deliverydelay": _Sort("delivery_delay", "deliveryDelay", "delayedRecipients"),
    "send": _Sort("send", "send"),
    "reject": _Sort("reject", "reject"),
    "renderingfailure": _Sort("rendering_failure", "failure"),
    "open": _Sort("open", "open"),
    "click": _Sort("click", "click"),
    "subscription": _Sort("subscription", "subscription"),
}


def parse(text: str, key_of: Callable[[str], str], *, received_at: datetime) -> list[Event]:
    """Read one message of SES: an event for each recipient that it lists.

    Args:
        text: the message itself, without an SNS envelope.
        key_of: returns an address's key, or raises `InvalidAddressError`.
        received_at: stands in where the message has no time.

    Returns:
        The events. None for SES's greeting, which tells nothing.

    Raises:
        BadEventError: it cannot be read.
    """
    if text.startswith(_GREETING):
        return []
    event = read_object(text)
    sort = _sort(event)
    mail = part(event, "mail")
    details = part(event, sort.details)
    message_id = _message_id(mail)
    if message_id is None and sort.kind != "other":
        raise BadEventError("mail.messageId", "is missing")
    handed_over_at = _time(mail.get("timestamp"))
    occurred_at = _time(details.get("timestamp")) or handed_over_at or received_at
    canonical = json.dumps(event, sort_keys=True, separators=(",", ":")).encode()
    make = partial(
        Event,
        kind=_kind(sort.kind, details, occurred_at, handed_over_at),
        email_id=_email_id(mail),
        provider_message_id=message_id,
        occurred_at=occurred_at,
        source="ses",
        original=text,
    )
    return [
        make(event_id=hashlib.sha256(b"%s%d" % (canonical, place)).hexdigest(), address_key=_key(address, key_of))
        for place, address in enumerate(_recipients(sort, details, mail))
    ]


def _sort(event: dict[str, Any]) -> _Sort:
    named = event.get("eventType", event.get("notificationType"))
    if not isinstance(named, str):
        raise BadEventError("eventType", "is missing")
    return _SORTS.get(re.sub(r"[^a-z]", "", named.lower()), _Sort("other"))


def _kind(kind: Kind, details: dict[str, Any], occurred_at: datetime, handed_over_at: datetime | None) -> Kind:
    if kind == "soft_bounce":
        return "hard_bounce" if details.get("bounceType") == "Permanent" else "soft_bounce"
    if kind == "complaint":
        # Somebody took our e-mail out of the spam folder: https://www.rfc-editor.org/rfc/rfc6430
        return "other" if details.get("complaintFeedbackType") == "not-spam" else "complaint"
    if kind == "subscription":
        return "unsubscribe" if part(details, "newTopicPreferences").get("unsubscribeAll") is True else "subscription"
    if kind in ("open", "click"):
        agent = details.get("userAgent")
        elapsed = None if handed_over_at is None else (occurred_at - handed_over_at).total_seconds()
        name = agent if isinstance(agent, str) else None
        return _by_whom(kind, name, elapsed)
    return kind


def _by_whom(kind: Kind, user_agent: str | None, seconds_since_sent: float | None) -> Kind:
    if kind == "open":
        machine = tracking.is_machine("open", user_agent, seconds_since_sent=seconds_since_sent)
        return "machine_open" if machine else "open"
    machine = tracking.is_machine("click", user_agent, seconds_since_sent=seconds_since_sent)
    return "machine_click" if machine else "click"


def _email_id(mail: dict[str, Any]) -> str | None:
    tagged = items(part(mail, "tags"), _TAG)[:1]
    headers = [header for header in items(mail, "headers") if isinstance(header, dict)]
    named = [header.get("value") for header in headers if str(header.get("name")).lower() == _HEADER]
    for value in (*tagged, *named):
        if isinstance(value, str) and _EMAIL_ID.fullmatch(value):
            return value
    return None


def _message_id(mail: dict[str, Any]) -> str | None:
    value = mail.get("messageId")
    if not isinstance(value, str) or not 0 < len(value) <= _LONGEST_MESSAGE_ID:
        return None
    return value if value.isascii() and value.isprintable() else None


def _time(value: object) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        moment = _moment(value)
        return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).astimezone(timezone.utc)
    except (ValueError, OverflowError):
        return None


def _recipients(sort: _Sort, details: dict[str, Any], mail: dict[str, Any]) -> list[object]:
    """Return the addresses that the event concerns; at least one entry, None where it names nobody."""
    listed = items(details, sort.recipients) if sort.recipients else []
    if listed:
        return [entry.get("emailAddress") if isinstance(entry, dict) else entry for entry in listed]
    destination = items(mail, "destination")
    # Of several it could be any.
    return destination if len(destination) == 1 else [None]


def _key(address: object, key_of: Callable[[str], str]) -> str | None:
    if address is None:
        return None
    # The parser goes as deep as brackets are nested.
    short = address if isinstance(address, str) and len(address) <= _LONGEST_ADDRESS else ""
    try:
        return key_of(parseaddr(short)[1])
    except (InvalidAddressError, UnicodeError):
        logger.warning("An event of SES names a recipient whose address cannot be read; it is kept without.")
        return None
