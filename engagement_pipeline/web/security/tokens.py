"""Tokens: 256 random bits with a scope. Whoever has one is let in; the store keeps nothing but its hash."""

import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

import sqlalchemy as sa

from engagement_pipeline.platform.errors import BadInputError
from engagement_pipeline.platform.sql import insert_or_ignore
from engagement_pipeline.web.security.tables import api_tokens

Scope = Literal["read", "write"]

# The prefix lets scanners of source code, and our own check of addresses, know a token when they see one.
PREFIX: Final = "egp_"
SHAPE: Final = re.compile(rf"{PREFIX}[A-Za-z0-9_-]{{43}}", re.ASCII)

# Its names stand in the audit log beside these, which are no tokens.
RESERVED: Final = frozenset({"cli", "local", "system"})

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
_NOTED_EVERY: Final = timedelta(hours=1)


class TokenNameError(BadInputError):
    """A token cannot have this name."""


@dataclass(frozen=True)
class Token:
    """What is known of a token; the token itself is not."""

    token_id: str
    name: str
    scope: Scope
    created_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None


def add(connection: sa.Connection, name: str, scope: Scope, now: datetime) -> str:
    """Make a token, in a writing transaction; return it: nobody can find it out again.

    Raises:
        TokenNameError: the name is taken, also by a token that was revoked, or is not one: the audit log names tokens.
    """
    if not _NAME.fullmatch(name) or name in RESERVED:
        raise TokenNameError("a token's name has at most 64 letters, digits and . _ -; not cli, local or system")
    if connection.execute(sa.select(api_tokens.c.token_id).where(api_tokens.c.name == name)).first():
        raise TokenNameError(f"there is, or was, a token named {name}: the audit log could not tell them apart")
    token = PREFIX + secrets.token_urlsafe(32)
    connection.execute(sa.insert(api_tokens), [_row(token, name, scope, now)])
    return token


def add_first(connection: sa.Connection, token: str, now: datetime) -> bool:
    """Take in a token that somebody else has drawn, if there has never been any; tell whether it was taken.

    It is named `first` and may write. Several servers may start at once with the same one.
    """
    if are_needed(connection):
        return False
    return insert_or_ignore(connection, api_tokens, [_row(token, "first", "write", now)]) == 1


def list_tokens(connection: sa.Connection) -> Sequence[Token]:
    """Return all tokens, revoked ones too, the newest first."""
    query = sa.select(*_COLUMNS).order_by(api_tokens.c.created_at.desc(), api_tokens.c.token_id)
    return [Token(**row._mapping) for row in connection.execute(query)]


def revoke(connection: sa.Connection, name: str, now: datetime) -> bool:
    """Make a token useless from now on, and end its sessions; tell whether it was of use until now."""
    good = sa.and_(api_tokens.c.name == name, api_tokens.c.revoked_at.is_(None))
    return connection.execute(sa.update(api_tokens).where(good).values(revoked_at=now)).rowcount == 1


def find(connection: sa.Connection, token: str) -> Token | None:
    """Return what is known of a token that is good, None for any other text."""
    given = _hash(token)
    query = sa.select(*_COLUMNS, api_tokens.c.token_hash).where(
        api_tokens.c.token_hash == given, api_tokens.c.revoked_at.is_(None)
    )
    row = connection.execute(query).one_or_none()
    if row is None or not hmac.compare_digest(row.token_hash, given):
        return None
    return Token(**{name: value for name, value in row._mapping.items() if name != "token_hash"})


def find_by_id(connection: sa.Connection, token_id: str) -> Token | None:
    """Return what is known of a token that is still good."""
    query = sa.select(*_COLUMNS).where(api_tokens.c.token_id == token_id, api_tokens.c.revoked_at.is_(None))
    row = connection.execute(query).one_or_none()
    return None if row is None else Token(**row._mapping)


def are_needed(connection: sa.Connection) -> bool:
    """Tell whether there ever was a token: revoking the last one must not open the door to everybody."""
    return connection.execute(sa.select(sa.literal(1)).select_from(api_tokens).limit(1)).first() is not None


def is_use_to_be_noted(token: Token, now: datetime) -> bool:
    """Tell whether it is so long since a use was noted that this one should be."""
    return token.last_used_at is None or now - token.last_used_at >= _NOTED_EVERY


def note_use(connection: sa.Connection, token_id: str, now: datetime) -> None:
    """Note that a token was used."""
    connection.execute(sa.update(api_tokens).where(api_tokens.c.token_id == token_id).values(last_used_at=now))


def _row(token: str, name: str, scope: Scope, now: datetime) -> dict[str, object]:
    return {
        "token_id": secrets.token_hex(6),
        "name": name,
        "token_hash": _hash(token),
        "scope": scope,
        "created_at": now,
    }


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode(errors="surrogatepass")).hexdigest()


_COLUMNS: Final = tuple(
    api_tokens.c[name] for name in ("token_id", "name", "scope", "created_at", "last_used_at", "revoked_at")
)
