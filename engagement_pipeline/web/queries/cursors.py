"""Where a list goes on, as a text that says nothing: positions hold names, and addresses of pages travel far."""

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

Key = str | int | float | datetime | None

_NONCE_BYTES: Final = 12


class CursorError(ValueError):
    """The text is no cursor of ours, or is one of another list."""


@dataclass(frozen=True)
class Position:
    """Behind which row a list goes on: in which of its segments, and that row's values of the sort key."""

    segment: int
    keys: tuple[Key, ...]


class Cursors:
    """Writes and reads the cursors of one store's secret key."""

    def __init__(self, secret_key: str) -> None:
        """Derive the key."""
        self._cipher = AESGCM(hmac.new(secret_key.encode(), b"engagement cursors", hashlib.sha256).digest())

    def write(self, position: Position, of: str) -> str:
        """Return the cursor of a position in the list named `of`, with its filters and its order."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        plain = json.dumps([position.segment, [_to_json(key) for key in position.keys]]).encode()
        return base64.urlsafe_b64encode(nonce + self._cipher.encrypt(nonce, plain, of.encode())).rstrip(b"=").decode()

    def read(self, cursor: str, of: str) -> Position:
        """Return the position.

        Raises:
            CursorError: not a cursor that we wrote for this list.
        """
        try:
            raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
            plain = self._cipher.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], of.encode())
        except (ValueError, InvalidTag):
            raise CursorError("not a cursor of this list") from None
        segment, keys = json.loads(plain)
        return Position(segment, tuple(_from_json(key) for key in keys))


def list_name(path: str, filters: Sequence[tuple[str, object]]) -> str:
    """Return the name of a list: its path, filters and order."""
    return json.dumps([path, sorted((name, str(value)) for name, value in filters if value is not None)])


def _to_json(key: Key) -> object:
    return {"at": key.isoformat()} if isinstance(key, datetime) else key


def _from_json(key: object) -> Key:
    if isinstance(key, dict):
        return datetime.fromisoformat(key["at"])
    assert key is None or isinstance(key, str | int | float)  # noqa: S101 - what we wrote ourselves
    return key
