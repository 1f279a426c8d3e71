"""One message that somebody has handed to us, from its text to the store: what every way in has in common."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from engagement_pipeline.delivery.events import Event
from engagement_pipeline.delivery.feedback import ses_events
from engagement_pipeline.delivery.feedback.errors import BadEventError, ForgedError
from engagement_pipeline.delivery.feedback.intake import Intake
from engagement_pipeline.delivery.stores import Stores
from engagement_pipeline.platform.settings import Settings
from engagement_pipeline.users import rejects
from engagement_pipeline.users.addresses import address_key
from engagement_pipeline.users.keys import check_secret_key
from engagement_pipeline.users.rejects import Reject


@dataclass
class Received:
    """What was read of some messages: events, and those that were not events with their fault."""

    events: list[Event] = field(default_factory=list)
    set_aside: list[Reject] = field(default_factory=list)


def read(text: str, settings: Settings, now: datetime) -> Sequence[Event]:
    """Read a message of SES, without an envelope.

    Raises:
        BadEventError: it cannot be read.
    """
    key_of = partial(address_key, secret=settings.secret_key.get_secret_value())
    return ses_events.parse(text, key_of, received_at=now)


def reject(text: str, error: BadEventError | ForgedError, origin: str) -> Reject:
    """Return what is kept of a message that cannot be taken; `origin` names the way by which it came."""
    return Reject(
        entity="event",
        file=origin,
        line=0,
        field=error.field,
        reason=error.code,
        message=str(error),
        original=rejects.storable(text),
    )


def take(stores: Stores, received: Received, settings: Settings, now: datetime) -> Intake:
    """Store events, draw their consequences and keep what was set aside, in one transaction.

    Raises:
        SecretKeyChangedError: with another key nobody would be found or suppressed.
    """
    with stores.database.write() as connection:
        check_secret_key(connection, settings.secret_key.get_secret_value())
        rejects.record(connection, received.set_aside, now)
        return stores.feedback.take(received.events, now)
