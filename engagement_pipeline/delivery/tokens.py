"""Opaque, unforgeable tokens that stand for one e-mail and serve one purpose only. They do not expire."""

import base64
import hashlib
import hmac
from typing import Literal

Purpose = Literal["unsubscribe"]

_ID_BYTES = 16
_TAG_BYTES = 16


def issue(email_id: str, purpose: Purpose, secret: str) -> str:
    """Return the token for an e-mail id (32 hex digits): 43 characters that are safe in a URL."""
    return _token(bytes.fromhex(email_id), purpose, secret)


def read(token: str, purpose: Purpose, secret: str) -> str | None:
    """Return the e-mail id of a token that we issued for this purpose, None for any other text."""
    try:
        email_id = base64.b64decode(token + "=", altchars=b"-_", validate=True)[:_ID_BYTES]
    except ValueError:
        return None
    # Compared as text: base64 has more than one spelling of the same bytes.
    genuine = hmac.compare_digest(token.encode(errors="replace"), _token(email_id, purpose, secret).encode())
    return email_id.hex() if genuine else None


def _token(raw: bytes, purpose: Purpose, secret: str) -> str:
    tag = hmac.new(secret.encode(), purpose.encode() + b"\0" + raw, hashlib.sha256).digest()[:_TAG_BYTES]
    return base64.urlsafe_b64encode(raw + tag).rstrip(b"=").decode()
