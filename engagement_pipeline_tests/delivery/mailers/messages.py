"""A message to hand over, and the mail that comes out."""

import email
from dataclasses import replace
from datetime import datetime, timezone
from email.message import EmailMessage
from email.policy import default

from engagement_pipeline.delivery.entries import email_id_for
from engagement_pipeline.delivery.message import Message

MESSAGE = Message(
    email_id=email_id_for("u1", "win-back", 1),
    sender="Stitch Fix <stylists@shop.example.com>",
    recipient="zoe@example.com",
    subject="It has been a while, Zoë",
    html="<p>Grüße — ✂</p>\n.\n" * 500,
    text="Grüße — ✂\n.\n..\nBye\n",
    unsubscribe="https://shop.example.com/unsubscribe?token=abc",
    created_at=datetime(2026, 3, 2, 15, tzinfo=timezone.utc),
)


def message(number: int = 1, **changes: str) -> Message:
    numbered = replace(MESSAGE, email_id=email_id_for(f"u{number}", "win-back", 1))
    return replace(numbered, **changes)  # type: ignore[arg-type]


def parsed(content: bytes) -> EmailMessage:
    mail = email.message_from_bytes(content, policy=default)
    assert isinstance(mail, EmailMessage)
    return mail


def body(mail: EmailMessage, kind: str) -> str:
    part = mail.get_body((kind,))
    assert part is not None
    return str(part.get_content())


def assert_is_whole(content: bytes, sent: Message) -> None:
    """Check that a mail arrived as it was meant, with one-click unsubscribing."""
    mail = parsed(content)
    assert not mail.defects
    assert body(mail, "html") == sent.html
    assert body(mail, "plain") == sent.text
    assert mail["Subject"] == sent.subject
    assert [address.addr_spec for address in mail["To"].addresses] == [sent.recipient]
    assert mail["List-Unsubscribe"] == f"<{sent.unsubscribe}>"
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert mail["X-Engagement-Email-Id"] == sent.email_id
