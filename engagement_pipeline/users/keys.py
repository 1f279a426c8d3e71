"""The secret that keys the address hashes: every process must use the one that the store began with."""

import hashlib
import hmac

import sqlalchemy as sa

from engagement_pipeline.platform import facts
from engagement_pipeline.platform.errors import BadInputError

_FACT = "address_key_check"


class SecretKeyChangedError(BadInputError):
    """The store's address hashes were made with another secret key."""


def check_secret_key(connection: sa.Connection, secret: str) -> None:
    """Keep a check value of the first key used, in a writing transaction, and refuse any other.

    With another key the same address would get another hash: suppressions would no longer match, and the hold-out
    would be drawn anew.

    Raises:
        SecretKeyChangedError: the store was made with another key.
    """
    value = hmac.new(secret.encode(), b"engagement_pipeline address keys", hashlib.sha256).hexdigest()
    if not hmac.compare_digest(facts.keep_first(connection, _FACT, value), value):
        message = (
            "the secret key differs from the one that this store was made with: set ENGAGEMENT_SECRET_KEY back to it, "
            "or suppressions and the hold-out would no longer apply"
        )
        raise SecretKeyChangedError(message)
