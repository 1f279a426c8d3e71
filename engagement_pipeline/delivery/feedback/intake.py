"""Takes events in: stores each once, finds its e-mail, moves the ledger row and suppresses the address.

Events come late, twice and in any order, so what is written is a function of the events known so far and of what the
sender recorded, never of the order: a status moves only to a graver one; a moment of sending that only events know is
the earliest that they name; who is suppressed, and why, is in `suppressing`.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime

import sqlalchemy as sa

from engagement_pipeline.delivery import anonymous
from engagement_pipeline.delivery.entries import Report, StoredEmail
from engagement_pipeline.delivery.events import STATUS_OF, Event
from engagement_pipeline.delivery.feedback import statements
from engagement_pipeline.delivery.feedback.suppressing import Suppressing
from engagement_pipeline.delivery.ledger import Ledger
from engagement_pipeline.delivery.statuses import REPORTED, Status
from engagement_pipeline.delivery.suppressions import ERASED, Suppressions
from engagement_pipeline.delivery.tables import email_events
from engagement_pipeline.platform import change_log
from engagement_pipeline.platform.audit import AuditEntry
from engagement_pipeline.platform.batches import in_batches
from engagement_pipeline.platform.change_log import Change
from engagement_pipeline.platform.sql import Database, insert_or_ignore
from engagement_pipeline.users.reading import UserReader

_BATCH = 1_000


@dataclass(frozen=True)
class Intake:
    """What became of some events: `unmatched` are those of the new ones whose e-mail is not known (yet)."""

    new: int = 0
    duplicates: int = 0
    unmatched: int = 0

    def __add__(self, other: "Intake") -> "Intake":
        return Intake(self.new + other.new, self.duplicates + other.duplicates, self.unmatched + other.unmatched)


class Feedback:
    """Takes events in.

    All of it is one transaction as far as it lies in the operational store. Where the ledger and the suppressions lie
    elsewhere, what events do there is done before the events are kept: after a crash in between they come again, and
    doing it once more changes nothing.

    Args:
        database: the operational store, which keeps the events.
        ledger: whose rows move.
        suppressions: where addresses are put on the list, and habits taken off it.
        users: tell the present address of who unsubscribes.
        soft_bounces: e-mails in a row that bounce softly until their address is suppressed.
    """

    def __init__(
        self, database: Database, ledger: Ledger, suppressions: Suppressions, users: UserReader, soft_bounces: int
    ) -> None:
        self._database = database
        self._ledger = ledger
        self._suppressions = suppressions
        self._suppressing = Suppressing(suppressions, users, soft_bounces)

    def take(self, events: Sequence[Event], now: datetime, audit: AuditEntry | None = None) -> Intake:
        """Take events in; any that is known already changes nothing.

        Args:
            events: in any order, duplicates among them.
            now: the moment of the intake.
            audit: of the person whose word they are, where they are one's.
        """
        with self._database.write() as connection:
            change_log.lock(connection)
            total = Intake()
            for batch in in_batches(events, _BATCH):
                total += self._take(connection, batch, now, audit)
                audit = None
            return total

    def match_late(self, pairs: Mapping[str, str], now: datetime) -> int:
        """Give events that came before their e-mail was known to it; return how many there were.

        Args:
            pairs: our ids by the provider's, as a sender has just recorded them.
            now: the moment of the change.
        """
        if not pairs:
            return 0
        with self._database.write() as connection:
            change_log.lock(connection)
            matched = 0
            for batch in in_batches(pairs.items(), _BATCH):
                found, rows = self._match(connection, dict(batch), now)
                self._draw(connection, found, rows, {}, now)
                matched += len(found)
            return matched

    def _take(
        self, connection: sa.Connection, events: Sequence[Event], now: datetime, audit: AuditEntry | None
    ) -> Intake:
        by_id = {event.event_id: event for event in reversed(events)}
        for event_id in connection.execute(statements.known(list(by_id))).scalars():
            del by_id[event_id]
        found = self._find(connection, list(by_id.values()))
        fresh = [_addressed(event, row) for event, row in zip(by_id.values(), found, strict=True)]
        rows = {row.email_id: row for row in found if row is not None}
        self._store(connection, fresh, {email_id: row.user_id for email_id, row in rows.items()}, now)
        pairs = {
            event.provider_message_id: event.email_id
            for event in fresh
            if event.email_id is not None and event.provider_message_id is not None
        }
        matched, others = self._match(connection, pairs, now)
        settled = {event.event_id: event for event in (*fresh, *matched)}
        self._draw(connection, list(settled.values()), rows | others, pairs, now, audit)
        unmatched = sum(settled[event.event_id].email_id is None for event in fresh)
        return Intake(new=len(fresh), duplicates=len(events) - len(fresh), unmatched=unmatched)

    def _find(self, connection: sa.Connection, events: Sequence[Event]) -> list[StoredEmail | None]:
        """Return the ledger's row for each event: by our id, else by the provider's."""
        rows = self._ledger.get_emails({event.email_id for event in events if event.email_id is not None})
        nameless = {event.provider_message_id for event in events if event.email_id not in rows}
        wanted = sorted(message_id for message_id in nameless if message_id is not None)
        named: dict[str | None, str] = {}
        if wanted:
            named.update(connection.execute(statements.named(wanted)).tuples().all())
            named.update(self._ledger.named(wanted))
        rows |= self._ledger.get_emails(set(named.values()) - set(rows))
        return [
            rows.get(event.email_id or "") or rows.get(named.get(event.provider_message_id, "")) for event in events
        ]

    def _store(
        self, connection: sa.Connection, events: Sequence[Event], users: Mapping[str, str], now: datetime
    ) -> None:
        listed = self._suppressions.find({event.address_key for event in events if event.address_key})
        erased = {key for key, entry in listed.items() if entry.reason == ERASED}
        kept = [_without_the_erased(event, users.get(event.email_id or ""), erased) for event in events]
        insert_or_ignore(connection, email_events, [{**asdict(event), "received_at": now} for event in kept])
        changes = [Change("event", event.event_id, users.get(event.email_id or ""), "created") for event in events]
        change_log.append(connection, changes, now)

    def _match(
        self, connection: sa.Connection, pairs: Mapping[str, str], now: datetime
    ) -> tuple[list[Event], dict[str, StoredEmail]]:
        """Give events stored without an e-mail to it; return them with their e-mails."""
        stored = connection.execute(statements.unmatched(sorted(pairs))).all() if pairs else []
        if not stored:
            return [], {}
        rows = self._ledger.get_emails({pairs[event.provider_message_id] for event in stored})
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
        anonymous.empty(connection, [key for key, user_id in users.items() if anonymous.is_pseudonym(user_id)])
        changes = [Change("event", event_id, user_id, "updated") for event_id, user_id in users.items()]
        change_log.append(connection, changes, now)
        return matched, rows

    def _draw(
        self,
        connection: sa.Connection,
        events: Sequence[Event],
        rows: Mapping[str, StoredEmail],
        pairs: Mapping[str, str],
        now: datetime,
        audit: AuditEntry | None = None,
    ) -> None:
        """Draw the consequences of events just stored or matched."""
        reports = _reports(connection, events, pairs)
        if reports or audit is not None:
            self._ledger.report(reports, now, audit)
        self._suppressing.judge(connection, events, rows, now)


def moments(connection: sa.Connection, email_ids: Iterable[str]) -> Mapping[str, Sequence[datetime]]:
    """Return every moment at which an event says of one of the e-mails that it was on its way."""
    told: dict[str, list[datetime]] = defaultdict(list)
    for row in connection.execute(statements.moments(sorted(email_ids))):
        told[row.email_id].append(row.occurred_at)
    return told


def _reports(connection: sa.Connection, events: Sequence[Event], pairs: Mapping[str, str]) -> list[Report]:
    gravest: dict[str, Status] = {}
    for event in events:
        status = STATUS_OF.get(event.kind)
        if event.email_id is not None and status is not None:
            gravest[event.email_id] = max(gravest.get(event.email_id, status), status, key=REPORTED.index)
    told = moments(connection, gravest) if gravest else {}
    names: dict[str, str] = {}
    for message_id, email_id in pairs.items():
        names.setdefault(email_id, message_id)
    return [
        Report(email_id, gravest.get(email_id), told.get(email_id, ()), names.get(email_id))
        for email_id in sorted({*gravest, *names})
    ]


def _addressed(event: Event, row: StoredEmail | None) -> Event:
    """Return the event with the e-mail and the address that it concerns, where known."""
    if row is None:
        return replace(event, email_id=None)
    # Who follows an unsubscribe link means the address that we wrote to.
    own_first = event.kind == "unsubscribe" or event.address_key is None
    return replace(event, email_id=row.email_id, address_key=row.address_key if own_first else event.address_key)


def _without_the_erased(event: Event, user_id: str | None, erased: Collection[str]) -> Event:
    """Return what may be kept of an event: of somebody who has been erased, that it happened."""
    if anonymous.is_pseudonym(user_id) or (event.email_id is None and event.address_key in erased):
        return replace(event, original=anonymous.NOTHING, address_key=None)
    return event
