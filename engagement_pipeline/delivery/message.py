"""An e-mail ready to hand over, and its bytes by RFC 5322.

Written out by hand because building and serialising an `email.message.EmailMessage` costs 1.4 ms, more than storing
and handing over together; the standard library's parser reads the result back in the tests.
"""

from binascii import b2a_base64
from dataclasses import dataclass
from datetime import datetime
from email import policy
from email.header import Header
from email.headerregistry import HeaderRegistry
from email.utils import format_datetime, formataddr
from functools import cached_property, lru_cache

from engagement_pipeline.delivery.mailer import PermanentError

_header = HeaderRegistry()
_LINE = 76
_ONE_CLICK = "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"


@dataclass(frozen=True)
class Message:
    """A rendered e-mail.

    `sender` and `recipient` are checked header values (an address, the sender's with its name); `unsubscribe` is the
    URL of the List-Unsubscribe header, one-click (RFC 8058) when it is https.
    """

    email_id: str
    sender: str
    recipient: str
    subject: str
    html: str
    text: str
    unsubscribe: str
    created_at: datetime

    @property
    def message_id(self) -> str:
        """The Message-ID header: the e-mail's own id at the sender's domain, the same at every attempt."""
        domain = self.sender.rpartition("@")[2].rstrip(">")
        return f"<{self.email_id}@{domain}>"

    @cached_property
    def content(self) -> bytes:
        """The e-mail with its plain-text and HTML parts, 7-bit; made once, before its turn comes.

        Raises:
            PermanentError: a header value contains a line break.
        """
        boundary = f"part-{self.email_id}"
        head = (
            _fold("From", self.sender)
            + _fold("To", self.recipient)
            + _fold("Subject", self.subject)
            + f"Date: {format_datetime(self.created_at)}\r\n"
            + f"Message-ID: {self.message_id}\r\n"
            + f"List-Unsubscribe: <{_one_line(self.unsubscribe)}>\r\n"
            + (_ONE_CLICK if self.unsubscribe.startswith("https://") else "")
            + f"X-Engagement-Email-Id: {self.email_id}\r\n"
            + "MIME-Version: 1.0\r\n"
            + f'Content-Type: multipart/alternative; boundary="{boundary}"\r\n\r\n'
        )
        parts = (_part(boundary, "plain", self.text), _part(boundary, "html", self.html))
        return b"".join((head.encode("ascii"), *parts, f"--{boundary}--\r\n".encode("ascii")))


def mailbox(name: str, address: str) -> str:
    """Return a name with its address as a header has them (RFC 5322 section 3.4, RFC 2047 section 5).

    Args:
        name: visible, without an encoded word in it.
        address: in ASCII.
    """
    if name.isascii():
        return formataddr((name, address))
    return f"{Header(name, 'utf-8', header_name='From').encode(linesep='')} <{address}>"


def _fold(name: str, value: str) -> str:
    """Encode and fold a header by the standard library's rules; plain short values, nearly all, need neither."""
    _one_line(value)
    if value.isascii() and len(name) + len(value) < 76 and "=?" not in value:
        return f"{name}: {value}\r\n"
    return _folded(name, value)


# Subjects come again, one for each first name. Plain values do not pass through here: addresses would push them out.
@lru_cache(maxsize=1024)
def _folded(name: str, value: str) -> str:
    if name == "Subject" and "=?" in value:
        # The parser would decode what looks encoded: a line break in it would begin a header, and words would be read
        # that nobody has checked. Encoded once more, it reads as it was written.
        encoded = Header(value, "utf-8", header_name=name).encode(linesep="\r\n")
        return f"{name}: {encoded}\r\n"
    if name == "From" and value.startswith("=?"):
        # Made by `mailbox`. Decoded and encoded anew, a comma or quotation mark in the name would be left bare.
        lines = "\r\n ".join(value.split(" "))
        return f"{name}: {lines}\r\n"
    return _header(name, value).fold(policy=policy.SMTP)


def _one_line(value: str) -> str:
    if "\r" in value or "\n" in value:
        raise PermanentError("a header value must not contain a line break")
    return value


def _part(boundary: str, subtype: str, text: str) -> bytes:
    encoded = b2a_base64(text.encode("utf-8"), newline=False)
    lines = b"\r\n".join([encoded[start : start + _LINE] for start in range(0, len(encoded), _LINE)])
    head = f'--{boundary}\r\nContent-Type: text/{subtype}; charset="utf-8"\r\nContent-Transfer-Encoding: base64\r\n\r\n'
    return head.encode("ascii") + lines + b"\r\n"
