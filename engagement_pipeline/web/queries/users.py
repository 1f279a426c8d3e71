"""Users as lists and one by one, with the score that was last published."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final, Literal

import sqlalchemy as sa

from engagement_pipeline.delivery import suppressions
from engagement_pipeline.delivery.statuses import OPEN
from engagement_pipeline.delivery.suppressions import Suppression
from engagement_pipeline.delivery.tables import emails
from engagement_pipeline.scoring.tables import scores
from engagement_pipeline.users.addresses import InvalidAddressError, address_key
from engagement_pipeline.users.rows import StoredUser
from engagement_pipeline.users.searching import fold
from engagement_pipeline.users.tables import users
from engagement_pipeline.web.queries.cursors import Position
from engagement_pipeline.web.queries.paging import Segment, read_page

Band = Literal["critical", "at_risk", "moderate", "good"]
Sort = Literal["user_id", "name", "score", "-score", "last_order_at", "-last_order_at"]

# Behind every text that begins with a prefix, by code point.
_LAST_SIGN: Final = "\U0010ffff"

_user, _score = users.c, scores.c


@dataclass(frozen=True)
class UserFilters:
    """Which users, and in which order.

    Attributes:
        q: finds by the beginning of the name or of its last word, or by the whole address or id; always in the order
            of names.
        band: only of this band. Users without a score have none.
        score_from: only of this score or above.
        score_to: only of this score or below.
        sort: `-` for the highest or newest first; None for what suits the filters. Ordered by score, users without one
            are left out; users without what else is sorted by come last.
    """

    q: str | None = None
    band: Band | None = None
    score_from: float | None = None
    score_to: float | None = None
    sort: Sort | None = None

    @property
    def order(self) -> Sort:
        """The order that is chosen, or suits the filters."""
        return self.sort or ("score" if self.has_score else "user_id")

    @property
    def has_score(self) -> bool:
        return self.band is not None or self.score_from is not None or self.score_to is not None


@dataclass(frozen=True)
class UserRow:
    """A user in a list. The representation leaves out who the user is."""

    user_id: str
    email: str | None
    name: str | None
    consent: bool
    order_count: int
    average_order_value: float
    last_order_at: datetime | None
    last_email_at: datetime | None
    version: int
    score: float | None
    band: str | None
    as_of: date | None

    def __repr__(self) -> str:
        return f"UserRow(user_id={self.user_id!r})"


@dataclass(frozen=True)
class UserPage:
    """A page of users, and where the next one begins; None behind the last."""

    users: list[UserRow]
    following: Position | None


@dataclass(frozen=True)
class PublishedScore:
    """A score as the last run that changed it published it."""

    score: float
    band: str
    as_of: date


@dataclass(frozen=True)
class UserDetail:
    """Everything about a user but lists: `open_email` is one that is not sent yet, as (id, status)."""

    user: StoredUser
    published: PublishedScore | None
    suppression: Suppression | None
    open_email: tuple[str, str] | None


def list_users(
    connection: sa.Connection, filters: UserFilters, limit: int, after: Position | None, secret_key: str
) -> UserPage:
    """Return a page of users.

    Args:
        connection: reads.
        filters: which, and in which order.
        limit: most users of the page; where few match what no index knows, there may be fewer and a next page.
        after: where the page before ended.
        secret_key: keys the hashes by which addresses are found.
    """
    rows = read_page(connection, _segments(filters, secret_key), limit, after)
    ids = [row.user_id for row in rows.rows]
    by_id = {row.user_id: row for row in connection.execute(_ROW.where(_user.user_id.in_(ids)))}
    # A score may outlive its user until the next run.
    return UserPage([UserRow(**by_id[key]._mapping) for key in ids if key in by_id], rows.following)


def user_detail(connection: sa.Connection, user: StoredUser) -> UserDetail:
    """Return what is known of a user."""
    user_id = user.user_id
    score = connection.execute(
        sa.select(_score.score, _score.band, _score.as_of).where(_score.user_id == user_id)
    ).one_or_none()
    waiting = connection.execute(
        sa.select(emails.c.email_id, emails.c.status)
        .where(emails.c.user_id == user_id, emails.c.status.in_(OPEN))
        .order_by(emails.c.created_at.desc())
        .limit(1)
    ).one_or_none()
    return UserDetail(
        user,
        None if score is None else PublishedScore(*score),
        None if user.address_key is None else suppressions.find(connection, user.address_key),
        None if waiting is None else (waiting.email_id, waiting.status),
    )


_ROW: Final = sa.select(
    _user.user_id,
    _user.email,
    _user.name,
    _user.consent,
    _user.order_count,
    _user.average_order_value,
    _user.last_order_at,
    _user.last_email_at,
    _user.version,
    _score.score,
    _score.band,
    _score.as_of,
).select_from(users.outerjoin(scores, _score.user_id == _user.user_id))


def _segments(filters: UserFilters, secret_key: str) -> list[Segment]:
    if filters.q is not None:
        return _found(filters, secret_key)
    among = _by_score(filters)
    if filters.order in ("score", "-score"):
        query = sa.select(_score.score, _score.user_id).where(*_in_scores(filters))
        return [Segment(query, (_score.score, _score.user_id), descending=filters.order == "-score")]
    if filters.order == "user_id":
        return [Segment(sa.select(_user.user_id), (_user.user_id,), filters=among)]
    column = _user.search_name if filters.order == "name" else _user.last_order_at
    return [
        Segment(
            sa.select(column, _user.user_id).where(column.is_not(None)),
            (column, _user.user_id),
            descending=filters.order.startswith("-"),
            filters=among,
        ),
        Segment(sa.select(_user.user_id).where(column.is_(None)), (_user.user_id,), filters=among),
    ]


def _found(filters: UserFilters, secret_key: str) -> list[Segment]:
    """Return those found by a word: by the id, by the address, by the beginning of the name, of the surname."""
    text = (filters.q or "").strip()
    among = _by_score(filters)
    by_id = Segment(sa.select(_user.user_id).where(_user.user_id == text), (_user.user_id,), filters=among)
    try:
        key = address_key(text, secret_key)
    except InvalidAddressError:
        key = None
    if key is not None:
        addressed = sa.select(_user.user_id).where(_user.address_key == key, _user.user_id != text)
        return [by_id, Segment(addressed, (_user.user_id,), filters=among)]
    prefix = fold(text)
    if not prefix:
        return [by_id]
    named = _begins(_user.search_name, prefix)
    others = sa.select(_user.search_name, _user.search_surname, _user.user_id).where(_user.user_id != text)
    return [
        by_id,
        Segment(others.where(named), (_user.search_name, _user.user_id), filters=among),
        Segment(
            others.where(_begins(_user.search_surname, prefix), ~named),
            (_user.search_surname, _user.user_id),
            filters=among,
        ),
    ]


def _begins(column: sa.ColumnElement[Any], prefix: str) -> sa.ColumnElement[bool]:
    return sa.and_(column >= prefix, column < prefix + _LAST_SIGN)


def _by_score(filters: UserFilters) -> tuple[sa.ColumnElement[bool], ...]:
    if not filters.has_score:
        return ()
    return (sa.exists().where(_score.user_id == _user.user_id, *_in_scores(filters)).correlate(users),)


def _in_scores(filters: UserFilters) -> list[sa.ColumnElement[bool]]:
    conditions: list[sa.ColumnElement[bool]] = []
    if filters.band is not None:
        conditions.append(_score.band == filters.band)
    if filters.score_from is not None:
        conditions.append(_score.score >= filters.score_from)
    if filters.score_to is not None:
        conditions.append(_score.score <= filters.score_to)
    return conditions
