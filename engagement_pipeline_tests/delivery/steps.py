"""Steps of senders on the ledger, one by one, for tests of what it keeps."""

from datetime import datetime, timedelta

from engagement_pipeline.delivery.entries import Entry, Outcome, Ticket
from engagement_pipeline.delivery.mailer import Allowance, Receipt
from engagement_pipeline.delivery.message import Message
from engagement_pipeline_tests.conftest import NOW
from engagement_pipeline_tests.delivery.parts import CAMPAIGN, Parts, silent_user

LEASE = timedelta(minutes=1)
LATER = NOW + timedelta(minutes=10)
US = "this-host:1:aaaa:1"
THEM = "another-host:1:bbbb:1"


def queued(parts: Parts, count: int) -> list[str]:
    users = [silent_user(number) for number in range(count)]
    parts.add_users(users, NOW)
    parts.add_drafts([user.user_id for user in users], NOW)
    parts.ledger.queue(CAMPAIGN, NOW)
    return [user.user_id for user in users]


def lease(parts: Parts, worker: str, count: int = 10, now: datetime = NOW, after: Entry | None = None) -> list[Entry]:
    return parts.ledger.lease(CAMPAIGN, now, count, after, worker, LEASE)


def ticket(parts: Parts, entry: Entry) -> Ticket:
    user = parts.store.get_user(entry.user_id)
    assert user is not None
    assert user.address_key is not None
    facts = parts.ledger.address_facts([user.address_key])[user.address_key]
    touched_at = facts.last_touch_at
    return Ticket(
        entry.email_id, user.user_id, user.version, user.address_key, touched_at, "outbox", user_as_read=user.as_read
    )


def mark(parts: Parts, worker: str, entry: Entry, now: datetime = NOW) -> bool:
    return parts.ledger.advance(worker, None, ticket(parts, entry), now, LEASE)


def record(parts: Parts, worker: str, entry: Entry, status: str, now: datetime = NOW) -> None:
    outcome = Outcome(entry.email_id, status)  # type: ignore[arg-type]
    parts.ledger.advance(worker, outcome, None, now, LEASE)
    parts.ledger.settle(worker, Provider(None, delivers=True), now)


class Provider:
    """Answers what it is told to about any e-mail."""

    name = "outbox"

    def __init__(self, answer: bool | None, *, delivers: bool = False) -> None:
        self.answer = answer
        self.delivers = delivers

    def allowance(self) -> Allowance:
        raise AssertionError

    def send(self, message: Message) -> Receipt:
        raise AssertionError

    def close(self) -> None:
        raise AssertionError

    def was_accepted(self, email_id: str) -> bool | None:
        return self.answer
