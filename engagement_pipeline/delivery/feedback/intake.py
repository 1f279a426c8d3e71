"""Takes events in: stores each once, finds its e-mail, moves the ledger row and suppresses the address.

Events come late, twice and in any order, so what is written is a function of the events known so far and of what the
sender recorded, never of the order: a status moves only to a graver one; a moment of sending that only events know is
the earliest that they name; who is suppressed, and why, is in `suppressing`.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from itertools import islice
from typing import Any

import sqlalchemy as sa

from engagement_pipeline.delivery import anonymous, bookkeeping, statuses, suppressions
from engagement_pipeline.delivery.events import STATUS_OF, Event
from engagement_pipeline.delivery.feedback import statements, suppressing
from engagement_pipeline.delivery.statuses import REPORTED, Status
from engagement_pipeline.delivery.tables import email_events
from engagement_pipeline.platform import change_log
from engagement_pipeline.platform.change_log import Change
from engagement_pipeline.platform.sql import insert_or_ignore

_BATCH = 1_000


@dataclass(frozen=True)
class Intake:
    """What became of some events: `unmatched` are those of the new ones whose e-mail is not known (yet)."""

    new: int = 0
    duplicates: int = 0
    unmatched: int = 0

    def __add__(self, other: "Intake") -> "Intake":
        return Intake(self.new + other.new, self.duplicates + other.duplicates, self.unmatched + other.unmatched)


def take(connection: sa.Connection, events: Sequence[Event], now: datetime, soft_bounces: int) -> Intake:
    """Take events in; any that is known already changes nothing.

    Args:
        connection: a writing transaction. The change log's lock is taken first.
        events: in any order, duplicates among them.
        now: the moment of the intake.
        soft_bounces: e-mails in a row that bounce softly until their address is suppressed.
    """
    change_log.lock(connection)
    total = Intake()
    rest = iter(events)
    while batch := list(islice(rest, _BATCH)):
        total += _take(connection, batch, now, soft_bounces)
    return total


def match_late(connection: sa.Connection, pairs: Mapping[str, str], now: datetime, soft_bounces: int) -> int:
    """Give events that came before their e-mail was known to it; return how many there were.

    Args:
        connection: a writing transaction. The change log's lock is taken first.
        pairs: our ids by the provider's, as a sender has just recorded them.
        now: the moment of the change.
        soft_bounces: as for `take`.
    """
    change_log.lock(connection)
    matched = 0
    rest = iter(pairs.items())
    while batch := dict(islice(rest, _BATCH)):
        found = _match(connection, batch, now)
        _draw(connection, found, now, soft_bounces)
        matched += len(found)
    return matched


def record_changes(connection: sa.Connection, changed: Mapping[str, str], now: datetime) -> None:
    """Bring users and the change log in line with rows that have changed, given with their users."""
    if changed:
        bookkeeping.touch_users(connection, sorted(set(changed.values())), now)
        change_log.append(connection, [Change("email", key, user, "updated") for key, user in changed.items()], now)


def align_sent_at(connection: sa.Connection, email_ids: Collection[str], now: datetime) -> dict[str, str]:
    """Date rows that no sender has dated; return those that changed, with their users.

    A moment that the sender recorded stays. Else it is the earliest at which an event says that the e-mail was on its
    way, and none for a row that, in the end, was not sent.
    """
    said: dict[str, list[datetime]] = defaultdict(list)
    rows = {}
    for row in connection.execute(statements.moments(sorted(email_ids))):
        said[row.email_id].append(row.occurred_at)
        rows[row.email_id] = row
    changed = {}
    for email_id, row in rows.items():
        if row.sent_at is not None and row.sent_at not in said[email_id]:
            continue
        sent_at = min(said[email_id]) if row.status in statuses.EMAILED else None
        values = {"p_email_id": email_id, "p_seen": row.sent_at, "p_sent_at": sent_at, "p_now": now}
        if sent_at != row.sent_at and connection.execute(statements.SET_SENT_AT, values).rowcount:
            changed[email_id] = row.user_id
    return changed


def _take(connection: sa.Connection, events: Sequence[Event], now: datetime, soft_bounces: int) -> Intake:
    by_id = {event.event_id: event for event in reversed(events)}
    for event_id in connection.execute(statements.known(list(by_id))).scalars():
        del by_id[event_id]
    rows = _find(connection, list(by_id.values()))
    fresh = [_addressed(event, row) for event, row in zip(by_id.values(), rows, strict=True)]
    users = {row.email_id: row.user_id for row in rows if row is not None}
    _store(connection, fresh, users, now)
    pairs = {
        event.provider_message_id: event.email_id
        for event in fresh
        if event.email_id is not None and event.provider_message_id is not None
    }
    if pairs:
        names = [{"p_email_id": email_id, "p_message_id": message_id} for message_id, email_id in pairs.items()]
        connection.execute(statements.NOTE_PROVIDERS_ID, names)
    settled = {event.event_id: event for event in (*fresh, *_match(connection, pairs, now))}
    _draw(connection, list(settled.values()), now, soft_bounces)
    unmatched = sum(settled[event.event_id].email_id is None for event in fresh)
    return Intake(new=len(fresh), duplicates=len(events) - len(fresh), unmatched=unmatched)


def _find(connection: sa.Connection, events: Sequence[Event]) -> list[sa.Row[Any] | None]:
    """Return the ledger's row for each event: by our id, else by the provider's."""
    rows = _rows(connection, {event.email_id for event in events if event.email_id is not None})
    nameless = {event.provider_message_id for event in events if event.email_id not in rows}
    wanted = sorted(message_id for message_id in nameless if message_id is not None)
    named = dict(connection.execute(statements.named(wanted)).tuples().all()) if wanted else {}
    rows |= _rows(connection, set(named.values()) - set(rows))
    return [rows.get(event.email_id or "") or rows.get(named.get(event.provider_message_id, "")) for event in events]


def _rows(connection: sa.Connection, email_ids: Collection[str]) -> dict[str, sa.Row[Any]]:
    if not email_ids:
        return {}
    return {row.email_id: row for row in connection.execute(statements.rows(sorted(email_ids)))}


def _addressed(event: Event, row: sa.Row[Any] | None) -> Event:
    """Return the event with the e-mail and the address that it concerns, where known."""
    if row is None:
        return replace(event, email_id=None)
    # Who follows an unsubscribe link means the address that we wrote to.
    own_first = event.kind == "unsubscribe" or event.address_key is None
    return replace(event, email_id=row.email_id, address_key=row.address_key if own_first else event.address_key)


def _store(connection: sa.Connection, events: Sequence[Event], users: Mapping[str, str], now: datetime) -> None:
    erased = suppressions.erased_among(connection, {event.address_key for event in events if event.address_key})
    kept = [_without_the_erased(event, users.get(event.email_id or ""), erased) for event in events]
    insert_or_ignore(connection, email_events, [{**asdict(event), "received_at": now} for event in kept])
    changes = [Change("event", event.event_id, users.get(event.email_id or ""), "created") for event in events]
    change_log.append(connection, changes, now)


def _without_the_erased(event: Event, user_id: str | None, erased: Collection[str]) -> Event:
    """Return what may be kept of an event: of somebody who has been erased, that it happened."""
    if anonymous.is_pseudonym(user_id) or (event.email_id is None and event.address_key in erased):
        return replace(event, original=anonymous.NOTHING, address_key=None)
    return event


def _match(connection: sa.Connection, pairs: Mapping[str, str], now: datetime) -> list[Event]:
    """Give events stored without an e-mail to it, and return them."""
    stored = connection.execute(statements.unmatched(sorted(pairs))).all() if pairs else []
    if not stored:
        return []
    rows = _rows(connection, {pairs[event.provider_message_id] for event in stored})
    matched = []
    for event in stored:
        row = rows.get(pairs[event.provider_message_id])
        if row is not None:
            values = {name: value for name, value in event._mapping.items() if name != "received_at"}
            matched.append(_addressed(Event(**values), row))
    names = [
        {"p_event_id": event.event_id, "p_email_id": event.email_id, "p_address_key": event.address_key}
        for event in matched
    ]
    if names:
        connection.execute(statements.MATCH, names)
    users = {event.event_id: rows[event.email_id or ""].user_id for event in matched}
    anonymous.empty(connection, [event_id for event_id, user_id in users.items() if anonymous.is_pseudonym(user_id)])
    changes = [Change("event", event_id, user_id, "updated") for event_id, user_id in users.items()]
    change_log.append(connection, changes, now)
    return matched


def _draw(connection: sa.Connection, events: Sequence[Event], now: datetime, soft_bounces: int) -> None:
    """Draw the consequences of events just stored or matched."""
    gravest: dict[str, Status] = {}
    for event in events:
        status = STATUS_OF.get(event.kind)
        if event.email_id is not None and status is not None:
            gravest[event.email_id] = max(gravest.get(event.email_id, status), status, key=REPORTED.index)
    changed: dict[str, str] = {}
    for status in REPORTED:
        email_ids = sorted(email_id for email_id, reported in gravest.items() if reported == status)
        if email_ids:
            changed |= dict(connection.execute(statements.move(email_ids, status, now)).tuples().all())
    changed |= align_sent_at(connection, gravest, now)
    record_changes(connection, changed, now)
    rows = _rows(connection, {event.email_id for event in events if event.email_id is not None})
    written_to = {email_id: row.address_key for email_id, row in rows.items()}
    suppressing.judge(connection, events, written_to, now, soft_bounces)
