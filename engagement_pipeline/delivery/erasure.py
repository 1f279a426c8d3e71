"""The right to be forgotten (GDPR, article 17): nothing that we keep says who a person was, and we never write again.

What was begun is noted in the operational store, so that a kill at any moment leaves nothing half done for ever: asking
again goes on where it stopped, and the nightly housekeeping asks for all. In this order:

1. the addresses are suppressed and waiting e-mails closed, so that nothing new begins;
2. a message that is in a sender's hands is waited for: its file is in the outbox only afterwards;
3. files are deleted, while it is still known whom they speak of;
4. the user and the orders go, and everything that counts is made anonymous: what was reported first, then the ledger
   and the user, each whole;
5. the store's own files are cleared of what these rows have left in them.

The warehouse, which knows no name and no address, follows by the change log as with any deletion.
"""

import hashlib
import hmac
import json
import secrets
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Final, Literal

import sqlalchemy as sa

from engagement_pipeline.delivery import anonymous
from engagement_pipeline.delivery.anonymous import Pseudonyms
from engagement_pipeline.delivery.in_flight import is_in_flight, wait_for_senders
from engagement_pipeline.delivery.judging import USER_DELETED
from engagement_pipeline.delivery.stores import Stores
from engagement_pipeline.delivery.tables import emails
from engagement_pipeline.platform import change_log, facts
from engagement_pipeline.platform.audit import AuditEntry
from engagement_pipeline.platform.idempotency import idempotency_keys
from engagement_pipeline.platform.settings import Settings
from engagement_pipeline.platform.wiping import wipe
from engagement_pipeline.scoring.tables import scores
from engagement_pipeline.users import erasing
from engagement_pipeline.users.keys import check_secret_key
from engagement_pipeline.users.models import PSEUDONYM_PREFIX
from engagement_pipeline.users.person import Person
from engagement_pipeline.users.tables import orders, users

PATIENCE_SECONDS: Final = 15.0
# A file of this size is written anew in less time than others wait for the store.
AT_ONCE_BYTES: Final = 512 * 1024 * 1024

_FACT: Final = "erasing:"
_ROWS_LEFT: Final = "rows:"
_FILES_LEFT: Final = "files"

Left = Literal["message_in_flight", "store_files"]


@dataclass(frozen=True)
class ErasureReport:
    """What has become of the wish to be forgotten.

    Attributes:
        user_id: whose.
        found: whether anything was known of this id, now or when the erasure was begun.
        orders: deleted.
        emails: ledger rows that lead to nobody any more.
        events: likewise.
        rejected_records: refused records that now say nothing.
        files: deleted, of the outbox and among imported ones.
        suppressed: addresses that are never written to again.
        same_address: ids of other users with the person's address, who may be the same person.
        left: why it is not finished yet, which the nightly housekeeping does by itself: a message was in a sender's
            hands for too long; or the store's file may still hold traces, which no query finds. None: it is finished.
    """

    user_id: str
    found: bool = True
    orders: int = 0
    emails: int = 0
    events: int = 0
    rejected_records: int = 0
    files: int = 0
    suppressed: int = 0
    same_address: tuple[str, ...] = ()
    left: Left | None = None


def erase(
    stores: Stores,
    settings: Settings,
    user_id: str,
    actor: str,
    now: datetime,
    *,
    request_id: str | None = None,
    patience_seconds: float = PATIENCE_SECONDS,
) -> ErasureReport:
    """Erase a person; asking again does no harm, and finishes what was left.

    Args:
        stores: where everything lies that is known of people.
        settings: the secret key, and where files are kept.
        user_id: the shop's id.
        actor: who wants it, for the audit log.
        now: the moment of the change.
        request_id: names the request that asked for it.
        patience_seconds: how long to wait for a message that is being sent.

    Raises:
        SecretKeyChangedError: the store was made with another secret key.
    """
    erasure = _Erasure(stores, settings, user_id, now)
    if not erasure.begin(actor, request_id):
        return ErasureReport(user_id, found=False)
    return erasure.go_on(patience_seconds, AT_ONCE_BYTES)


def finish(stores: Stores, settings: Settings, now: datetime) -> list[ErasureReport]:
    """Finish all erasures that were begun, however large the store's file is."""
    with stores.database.read() as connection:
        begun = facts.names(connection, _FACT)
    return [_Erasure(stores, settings, name.removeprefix(_FACT), now).go_on(PATIENCE_SECONDS, None) for name in begun]


def audit_id(user_id: str, secret: str) -> str:
    """Return what stands for an erased user in the audit log: whoever has the id and the secret finds it again."""
    digest = hmac.new(secret.encode(), f"erased user\0{user_id}".encode(), hashlib.sha256).hexdigest()
    return f"{PSEUDONYM_PREFIX}{digest[:32]}"


class _Erasure:
    """One person's way out."""

    def __init__(self, stores: Stores, settings: Settings, user_id: str, now: datetime) -> None:
        self._stores = stores
        self._database = stores.database
        self._ledger = stores.ledger
        self._settings = settings
        self._secret = settings.secret_key.get_secret_value()
        self._user_id = user_id
        self._fact = f"{_FACT}{user_id}"
        self._now = now

    def begin(self, actor: str, request_id: str | None) -> bool:
        """Stop everything that could still be written to the person; False where nobody has this id."""
        with self._database.write() as connection:
            change_log.lock(connection)
            check_secret_key(connection, self._secret)
            known = self._is_known(connection)
            if known and facts.keep_first(connection, self._fact, _rows_left()) == _FILES_LEFT:
                # Somebody has come back under this id since.
                facts.put(connection, self._fact, _rows_left())
            if known:
                self._close_waiting()
                entity_id = audit_id(self._user_id, self._secret)
                entry = AuditEntry(actor, "user.erased", "user", entity_id, {}, self._now, request_id)
                self._stores.audit.record(entry)
            return known or facts.get(connection, self._fact) is not None

    def go_on(self, patience_seconds: float, at_most: int | None) -> ErasureReport:
        """Do what is left to do."""
        report = ErasureReport(self._user_id)
        marks: Collection[bytes] | None = None
        with self._database.read() as connection:
            left = facts.get(connection, self._fact) or _FILES_LEFT
        if left != _FILES_LEFT:
            if not wait_for_senders(self._ledger, self._settings, self._user_id, self._now, patience_seconds):
                return replace(report, left="message_in_flight")
            person, marks = self._person()
            report, forgotten = self._forget(report, person, Pseudonyms(left.removeprefix(_ROWS_LEFT)))
            if not forgotten:
                return replace(report, left="message_in_flight")
        if self._is_in_sql() or not wipe(self._database, marks, at_most):
            return replace(report, left="store_files")
        with self._database.write() as connection:
            facts.remove(connection, self._fact)
        return report

    def _is_known(self, connection: sa.Connection) -> bool:
        if self._stores.users.get_user(self._user_id) or self._stores.users.orders_of(self._user_id):
            return True
        scored = sa.select(sa.literal(1)).where(scores.c.user_id == self._user_id)
        return connection.execute(scored).first() is not None or bool(self._ledger.emails_of(self._user_id))

    def _is_in_sql(self) -> bool:
        """Tell whether lists still show the person: where they are filled from elsewhere, they follow in a moment."""
        places = (users.c.user_id, orders.c.user_id, emails.c.user_id)
        with self._database.read() as connection:
            found = [sa.select(sa.literal(1)).where(place == self._user_id).limit(1) for place in places]
            return any(connection.execute(query).first() for query in found)

    def _addresses(self) -> set[str]:
        """Return the present address and those written to before, but for one that by now is somebody else's alone."""
        user = self._stores.users.get_user(self._user_id)
        present = None if user is None else user.address_key
        former = {row.address_key for row in self._ledger.emails_of(self._user_id)} - {present}
        keys = former - set(self._others(former))
        return {key for key in (*keys, present) if key is not None and not anonymous.is_pseudonym(key)}

    def _others(self, keys: Collection[str]) -> dict[str, set[str]]:
        """Return who else has these addresses, by address."""
        found = self._stores.users.user_ids_at(keys)
        others = {key: set(user_ids) - {self._user_id} for key, user_ids in found.items()}
        return {key: user_ids for key, user_ids in others.items() if user_ids}

    def _close_waiting(self) -> None:
        for key in self._addresses():
            self._stores.suppressions.add_erased(key, self._now)
        self._ledger.close_waiting(self._user_id, USER_DELETED, self._now)

    def _person(self) -> tuple[Person, Collection[bytes]]:
        user = self._stores.users.get_user(self._user_id)
        email, name = (None, None) if user is None else (user.email, user.name)
        person = Person(self._user_id, email, name, frozenset(self._addresses()), self._secret)
        with self._database.read() as connection:
            alone = name is not None and erasing.is_only_one_called(connection, self._user_id, name)
        return person, person.marks(with_name=alone)

    def _forget(self, report: ErasureReport, person: Person, names: Pseudonyms) -> tuple[ErasureReport, bool]:
        """Delete files and rows and make anonymous what stays; False where a message has gone into flight meanwhile."""
        files = self._delete_files(person)
        rejects = erasing.rejects_about(self._database, person)
        events = self._forget_events(names)
        with self._database.write() as connection:
            change_log.lock(connection)
            if is_in_flight(self._ledger, self._user_id):
                return report, False
            # What came to wait since; an import may even have brought another address.
            self._close_waiting()
            keys = self._addresses()
            bought = self._stores.users.orders_of(self._user_id)
            report = replace(
                report,
                files=files,
                rejected_records=len(rejects),
                suppressed=len(keys),
                same_address=tuple(sorted({user_id for others in self._others(keys).values() for user_id in others})),
                orders=len(bought),
            )
            erasing.blank_rejects(connection, rejects, self._now)
            self._forget_answers(connection)
            # What was reported in between.
            events += self._forget_events(names)
            connection.execute(sa.delete(scores).where(scores.c.user_id == self._user_id))
            self._forget_in_audit([order.order_id for order in bought])
            renamed = self._ledger.anonymise(self._user_id, names, self._now)
            self._stores.users.delete_user(self._user_id, self._now)
            facts.put(connection, self._fact, _FILES_LEFT)
        return replace(report, emails=renamed, events=events), True

    def _forget_events(self, names: Pseudonyms) -> int:
        """Make anonymous what was reported, as long as the ledger's rows say to whom it belongs."""
        with self._database.write() as connection:
            change_log.lock(connection)
            rows = self._ledger.emails_of(self._user_id)
            return anonymous.anonymise_events(connection, rows, self._addresses(), names, self._now)

    def _delete_files(self, person: Person) -> int:
        outbox = self._settings.outbox_dir
        ids = [row.email_id for row in self._ledger.emails_of(self._user_id)]
        names = [outbox / name for email_id in ids for name in (f"{email_id}.eml", f".{email_id}.tmp")]
        found = [path for path in names if path.exists()]
        for path in found:
            path.unlink(missing_ok=True)
        return len(found) + erasing.delete_files_about(self._imported(), person)

    def _imported(self) -> list[Path]:
        """Return where files lie that have been imported, or could not be. What still waits there is yet to come."""
        return [self._settings.data_dir / name for name in ("imported", "unreadable")]

    def _forget_answers(self, connection: sa.Connection) -> None:
        # The answer to a batch speaks of many.
        named = sa.cast(idempotency_keys.c.body, sa.Text).contains(
            f'"user_id": {json.dumps(self._user_id)}', autoescape=True
        )
        among_many = sa.and_(idempotency_keys.c.user_id.is_(None), named)
        of_the_person = sa.or_(idempotency_keys.c.user_id == self._user_id, among_many)
        connection.execute(sa.update(idempotency_keys).where(of_the_person).values(body=None, user_id=None))

    def _forget_in_audit(self, order_ids: list[str]) -> None:
        known = {"user": [self._user_id], "order": order_ids}
        known["email"] = [row.email_id for row in self._ledger.emails_of(self._user_id)]
        ids = [(entity, entity_id) for entity, found in known.items() for entity_id in found]
        self._stores.audit.rename({key: audit_id(key[1], self._secret) for key in ids})


def _rows_left() -> str:
    """Return what is noted until rows are forgotten: with what their new ids are made of, which nobody knows later."""
    return f"{_ROWS_LEFT}{secrets.token_hex(16)}"
