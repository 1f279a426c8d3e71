"""Users who have gone silent, their ledger rows, and the parts of a sender, for the tests of this room."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from engagement_pipeline.copywriting.brand import Brand, load_brand
from engagement_pipeline.copywriting.brief import Brief
from engagement_pipeline.copywriting.copy import Copy, Text
from engagement_pipeline.copywriting.keeping import keep
from engagement_pipeline.delivery import suppressions
from engagement_pipeline.delivery.dynamodb.items import is_email, stored_email
from engagement_pipeline.delivery.dynamodb.ledger import DynamoLedger
from engagement_pipeline.delivery.dynamodb.suppressions import DynamoSuppressions
from engagement_pipeline.delivery.entries import NewEmail
from engagement_pipeline.delivery.judging import Judge
from engagement_pipeline.delivery.ledger import Ledger
from engagement_pipeline.delivery.limits import SendingLimits
from engagement_pipeline.delivery.mailer import Mailer, Receipt
from engagement_pipeline.delivery.message import Message
from engagement_pipeline.delivery.outbox import OutboxMailer
from engagement_pipeline.delivery.rendering import MessageMaker
from engagement_pipeline.delivery.sender import Sender
from engagement_pipeline.delivery.sql_ledger import SqlLedger
from engagement_pipeline.delivery.suppressions import Suppression
from engagement_pipeline.delivery.tables import emails
from engagement_pipeline.platform.dynamodb import Dynamo
from engagement_pipeline.platform.dynamodb_tables import EMAILS
from engagement_pipeline.platform.dynamodb_writes import Update
from engagement_pipeline.platform.settings import PROJECT_ROOT
from engagement_pipeline.platform.settings_groups import DeliverySettings, GateSettings, ScoringSettings
from engagement_pipeline.platform.sql import Database
from engagement_pipeline.users.dynamodb.store import DynamoUserStore
from engagement_pipeline.users.models import Order, User
from engagement_pipeline.users.rows import StoredUser
from engagement_pipeline.users.store import SqlUserStore, UserStore

SECRET = "a-secret-key-for-tests"
CAMPAIGN = "win-back"

COPY = Copy(
    subject="It has been a while, {{first_name}}",
    preheader="A few pieces that our stylists kept aside for you.",
    greeting="Hi {{first_name}},",
    paragraphs=("It has been a while since your last visit.", "Our stylists would love to help you find something."),
    call_to_action="Have a look",
)

# The hold-out is drawn elsewhere; here everyone who is eligible is mailed.
GATE = GateSettings(hold_out_share=0)


def brand() -> Brand:
    return load_brand(PROJECT_ROOT / "data" / "brand.yaml")


def silent_user(number: int, email: str | None = None, **changes: object) -> User:
    values = {
        "user_id": f"u{number:05}",
        "email": email or f"u{number}@example.com",
        "name": "Zoë Ångström",
        "preferred_categories": ("dresses",),
        "consent": True,
        "time_zone": "UTC",
    }
    return User.model_validate(values | changes)


@dataclass
class Parts:
    """One operational store and what sends from it; with `dynamo` its tables are the system of record."""

    database: Database
    dynamo: Dynamo | None = field(default=None, kw_only=True)
    needs_approval: bool = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        soft_bounces = DeliverySettings().soft_bounces
        self.store: UserStore
        self.ledger: Ledger
        if self.dynamo is None:
            self.store = SqlUserStore(self.database, SECRET)
            self.ledger = SqlLedger(self.database, soft_bounces, needs_approval=self.needs_approval)
        else:
            self.store = DynamoUserStore(self.dynamo, self.database, SECRET)
            self.ledger = DynamoLedger(
                self.dynamo, self.database, self.store, soft_bounces, needs_approval=self.needs_approval
            )

    def add_users(self, users: Iterable[User], now: datetime, silence: timedelta = timedelta(days=90)) -> None:
        """Store users whose one order was so long ago."""
        users = list(users)
        self.store.put_users(users, now - silence)
        self.store.put_orders([order(user.user_id, now - silence) for user in users], now - silence)

    def add_drafts(
        self, user_ids: Iterable[str], now: datetime, last_day: date | None = None, edition: str | None = None
    ) -> list[NewEmail]:
        """Write a draft for each user, as decided now; the first are worth the most."""
        users = sorted(self.store.get_users(user_ids), key=lambda user: user.user_id)
        drafts = [draft_to(user, now, float(len(users) - place), last_day, edition) for place, user in enumerate(users)]
        self.ledger.create_drafts(drafts, now)
        return drafts

    def keep(self, user_id: str, brief: Brief) -> None:
        """Note with a user's e-mails from what they were written."""
        kept = keep(Text(COPY, "template"), brief)
        with self.database.write() as connection:
            connection.execute(sa.update(emails).where(emails.c.user_id == user_id).values(provenance=kept))

    def sender(
        self, mailer: Mailer | None, gate: GateSettings = GATE, *, lanes: int = 1, warming_up: bool = False
    ) -> Sender:
        judge = Judge(self.ledger, self.store, gate, ScoringSettings(), SECRET)
        limits = SendingLimits(self.database, warming_up=warming_up)
        maker = MessageMaker(brand(), DeliverySettings(), SECRET)
        return Sender(CAMPAIGN, self.database, self.ledger, judge, maker, mailer, limits, lanes)

    def suppress(self, address_key: str, reason: str, now: datetime) -> None:
        if self.dynamo is not None:
            DynamoSuppressions(self.dynamo).add([Suppression(address_key, reason, "test", now)], now)
            return
        with self.database.write() as connection:
            suppressions.add(connection, address_key, reason, "test", now)

    def rewrite(self, user_id: str, copy: Mapping[str, Any]) -> None:
        """Put other words into a row, past the ledger."""
        email_id = self.rows()[user_id].email_id
        if self.dynamo is not None:
            self.dynamo.write(Update(EMAILS, (email_id,), sets={"copy": json.dumps(copy)}))
            return
        with self.database.write() as connection:
            connection.execute(sa.update(emails).where(emails.c.email_id == email_id).values(copy=copy))

    def rows(self) -> dict[str, Any]:
        """Return all ledger rows by user, each with the columns of the `emails` table."""
        if self.dynamo is not None:
            stored = [stored_email(item) for item in self.dynamo.scan(EMAILS, 0, 1) if is_email(item)]
            return {row.user_id: row for row in sorted(stored, key=lambda row: (row.step, row.user_id))}
        with self.database.read() as connection:
            return {
                row.user_id: row
                for row in connection.execute(sa.select(emails).order_by(emails.c.step, emails.c.user_id))
            }

    def statuses(self) -> dict[str, str]:
        return {user_id: row.status for user_id, row in self.rows().items()}


def order(user_id: str, ordered_at: datetime) -> Order:
    return Order(
        order_id=f"{user_id}-{ordered_at:%Y%m%d%H%M%S}",
        user_id=user_id,
        ordered_at=ordered_at,
        total_value=50.0,
        item_count=1,
    )


def draft_to(
    user: StoredUser, now: datetime, value_at_risk: float, last_day: date | None = None, edition: str | None = None
) -> NewEmail:
    """Return a user's next draft, as decided now."""
    return NewEmail(
        user_id=user.user_id,
        address_key=user.address_key or "",
        campaign=CAMPAIGN,
        step=user.steps + 1,
        score=30.0,
        band="at_risk",
        value_at_risk=value_at_risk,
        decided_at=now,
        variant="plain",
        copy=COPY.model_dump(mode="json"),
        copywriter="template",
        last_day=last_day,
        edition=edition,
    )


def outbox_ids(folder: Path) -> list[str]:
    return sorted(path.stem for path in folder.glob("*.eml"))


class Counting(OutboxMailer):
    """Counts how often each message is handed over, whoever does it."""

    def __init__(self, folder: Path, counts: Counter[str]) -> None:
        super().__init__(folder)
        self._counts = counts

    def send(self, message: Message) -> Receipt:
        self._counts[message.email_id] += 1
        return super().send(message)
