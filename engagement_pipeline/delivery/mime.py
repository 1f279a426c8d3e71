"""A message as the bytes of an RFC 5322 e-mail.

Written out by hand because building and serialising an `email.message.EmailMessage` costs 1.4 ms, more than storing
and handing over together; the standard library's parser reads the result back in the tests.
"""

from binascii import b2a_base64
from email import policy
from email.headerregistry import HeaderRegistry
from email.utils import format_datetime
from functools import lru_cache

from engagement_pipeline.delivery.mailer import Message

_header = HeaderRegistry()
_LINE = 76
_ONE_CLICK = "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"


def message_id(message: Message) -> str:
    """Return the Message-ID header: the e-mail's own id at the sender's domain, the same at every attempt."""
    domain = message.sender.rpartition("@")[2].rstrip(">")
    return f"<{message.email_id}@{domain}>"


def to_bytes(message: Message) -> bytes:
    """Return the e-mail with its plain-text and HTML parts.

    Raises:
        ValueError: a header value contains a line break.
    """
    boundary = f"part-{message.email_id}"
    head = (
        _fold("From", message.sender)
        + _fold("To", message.recipient)
        + _fold("Subject", message.subject)
        + f"Date: {format_datetime(message.created_at)}\r\n"
        + f"Message-ID: {message_id(message)}\r\n"
        + f"List-Unsubscribe: <{_one_line(message.unsubscribe)}>\r\n"
        + (_ONE_CLICK if message.unsubscribe.startswith("https://") else "")
        + f"X-Engagement-Email-Id: {message.email_id}\r\n"
        + "MIME-Version: 1.0\r\n"
        + f'Content-Type: multipart/alternative; boundary="{boundary}"\r\n\r\n'
    )
    body = _part(boundary, "plain", message.text) + _part(boundary, "html", message.html) + f"--{boundary}--\r\n"
    return (head + body).encode("ascii")


@lru_cache(maxsize=1024)
def _fold(name: str, value: str) -> str:
    """Encode and fold a header by the standard library's rules; plain short values, nearly all, need neither."""
    _one_line(value)
    if value.isascii() and len(name) + len(value) < 76 and "=?" not in value:
        return f"{name}: {value}\r\n"
    return _header(name, value).fold(policy=policy.SMTP)


def _one_line(value: str) -> str:
    if "\r" in value or "\n" in value:
        raise ValueError("a header value must not contain a line break")
    return value


def _part(boundary: str, subtype: str, text: str) -> str:
    encoded = b2a_base64(text.encode("utf-8"), newline=False).decode("ascii")
    lines = "\r\n".join(encoded[start : start + _LINE] for start in range(0, len(encoded), _LINE))
    return (
        f"--{boundary}\r\n"
        f'Content-Type: text/{subtype}; charset="utf-8"\r\n'
        f"Content-Transfer-Encoding: base64\r\n\r\n{lines}\r\n"
    )
