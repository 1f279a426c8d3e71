"""Opaque, unforgeable tokens that stand for one e-mail and serve one purpose only. They do not expire."""

import base64
import hashlib
import hmac
from typing import Final, Literal

Purpose = Literal["unsubscribe", "open", "click"]

_ID_BYTES: Final = 16
_TAG_BYTES: Final = 16


def issue(email_id: str, purpose: Purpose, secret: str, target: str = "") -> str:
    """Return the token for an e-mail: 43 characters that are safe in a URL.

    Args:
        email_id: 32 hex digits.
        purpose: the one thing that the token is good for.
        secret: the key; whoever knows it can make tokens.
        target: for a click, the address it leads to. The token does not hold it, but is only good together with it.
    """
    return _token(bytes.fromhex(email_id), purpose, secret, target)


def read(token: str, purpose: Purpose, secret: str, target: str = "") -> str | None:
    """Return the e-mail id of a token that we issued for this purpose and target, None for any other text."""
    try:
        raw = base64.b64decode(token + "=", altchars=b"-_", validate=True)
    except ValueError:
        return None
    if len(raw) != _ID_BYTES + _TAG_BYTES:
        return None
    email_id = raw[:_ID_BYTES]
    # Compared as text: base64 has more than one spelling of the same bytes.
    genuine = hmac.compare_digest(token.encode(errors="replace"), _token(email_id, purpose, secret, target).encode())
    return email_id.hex() if genuine else None


def _token(raw: bytes, purpose: Purpose, secret: str, target: str) -> str:
    # Only the target, which comes last, varies in length: no two inputs are signed as the same bytes.
    signed = purpose.encode() + b"\0" + raw + target.encode(errors="surrogatepass")
    tag = hmac.new(secret.encode(), signed, hashlib.sha256).digest()[:_TAG_BYTES]
    return base64.urlsafe_b64encode(raw + tag).rstrip(b"=").decode()
