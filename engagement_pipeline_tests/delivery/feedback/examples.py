"""SES's events in the shapes of AWS's documentation, made to speak of our e-mails.

https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-examples.html (`event_*`) and
https://docs.aws.amazon.com/ses/latest/dg/notification-examples.html (`notification_*`).
"""

import json
from functools import partial
from pathlib import Path
from typing import Any

from engagement_pipeline.delivery.events import Event
from engagement_pipeline.delivery.feedback import ses_events
from engagement_pipeline.users.addresses import address_key
from engagement_pipeline_tests.conftest import NOW
from engagement_pipeline_tests.delivery.parts import SECRET

_FILES = sorted((Path(__file__).parent / "fixtures").glob("*.json"))
NAMES = [path.stem for path in _FILES]
_TEXTS = {path.stem: path.read_text() for path in _FILES}

MESSAGE_ID = "EXAMPLE7c191be45-e9aedb9a-02f9-4d12-a87d-dd0099a07f8a-000000"
RECIPIENT = "recipient@example.com"


def text(name: str, email_id: str = "0" * 32, message_id: str = MESSAGE_ID, recipient: str = RECIPIENT) -> str:
    """Return one example about an e-mail of ours."""
    example = _TEXTS[name].replace("EMAIL_ID", email_id)
    return example.replace(MESSAGE_ID, message_id).replace(RECIPIENT, recipient)


def example(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(text(name))
    return found


def parse(message: str | dict[str, Any]) -> list[Event]:
    said = message if isinstance(message, str) else json.dumps(message)
    return ses_events.parse(said, partial(address_key, secret=SECRET), received_at=NOW)
