"""The dashboard's session: a signed cookie that names a token, and a word bound to it that forms bring along."""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from itsdangerous import BadData, URLSafeSerializer

NAME: Final = "engagement_session"
LASTS: Final = timedelta(hours=12)

_SALT: Final = "engagement dashboard session"


@dataclass(frozen=True)
class Ticket:
    """What the cookie says: which token was shown, until when it holds, and something that no other session has."""

    token_id: str
    nonce: str
    expires_at: datetime


class SessionCookies:
    """Writes and reads the cookies of one store's secret key."""

    def __init__(self, secret_key: str) -> None:
        """Derive the keys; a cookie cannot be taken for any other signed thing of ours."""
        key = hmac.new(secret_key.encode(), _SALT.encode(), hashlib.sha256).digest()
        self._serializer = URLSafeSerializer(key, salt=_SALT, signer_kwargs={"digest_method": hashlib.sha256})
        self._form_key = hmac.new(key, b"forms", hashlib.sha256).digest()

    def write(self, token_id: str, now: datetime) -> str:
        """Return the cookie of a new session."""
        expires = int((now + LASTS).timestamp())
        return str(self._serializer.dumps([token_id, secrets.token_urlsafe(16), expires]))

    def read(self, cookie: str, now: datetime) -> Ticket | None:
        """Return what a cookie of ours says, None for one that is not, or has expired."""
        try:
            token_id, nonce, expires = self._serializer.loads(cookie)
        except (BadData, ValueError, TypeError):
            return None
        if now.timestamp() >= expires:
            return None
        return Ticket(token_id, nonce, datetime.fromtimestamp(expires, now.tzinfo))

    def form_token(self, nonce: str) -> str:
        """Return what the forms of a session bring along; another site can neither read nor guess it."""
        return hmac.new(self._form_key, nonce.encode(), hashlib.sha256).hexdigest()

    def is_form_token(self, given: str, nonce: str) -> bool:
        return hmac.compare_digest(given.encode(errors="replace"), self.form_token(nonce).encode())
