"""What servers saw of senders, held against the ledger."""

import json
import random
import time
from collections import Counter
from collections.abc import Callable, Iterable

from engagement_pipeline.delivery.send_report import SendReport
from engagement_pipeline.platform.sql import Database
from engagement_pipeline_tests.aws_server import REGION, FaultProxy, sent_through_ses
from engagement_pipeline_tests.conftest import NOW
from engagement_pipeline_tests.delivery.parts import Parts, silent_user
from engagement_pipeline_tests.faults import Fault, Faults
from engagement_pipeline_tests.smtp_server import SmtpServer

SEND_EMAIL = "/v2/email/outbound-emails"
GET_ACCOUNT = "/v2/email/account"
TOO_FAST = Fault(status=429, code="TooManyRequestsException", reply="Maximum sending rate exceeded.")

_STATUSES = ("queued", "sent", "failed", "unknown")

Misbehaviour = Callable[[random.Random], Fault | None]


class Witness:
    """Notes when a server sees a call, by its own clock, and lets it go as a test wishes."""

    def __init__(self, faults: Faults, calls: str, misbehave: Misbehaviour = lambda chance: None) -> None:
        self.seen: list[float] = []
        self._chance = random.Random(1)
        self._calls = calls
        self._misbehave = misbehave
        faults.decide = self._decide

    def _decide(self, stage: str) -> Fault | None:
        if stage != self._calls:
            return None
        self.seen.append(time.monotonic())
        return self._misbehave(self._chance)

    @property
    def in_the_busiest_second(self) -> int:
        return max(sum(first <= later < first + 1 for later in self.seen[at:]) for at, first in enumerate(self.seen))

    def rate(self, lanes: int) -> float:
        """Return the calls a second, up to the last few, which are too few for all lanes."""
        busy = self.seen[: -2 * lanes]
        return (len(busy) - 1) / (busy[-1] - busy[0])


def queue(database: Database, emails: int) -> Parts:
    """Write a draft for so many users who have none yet."""
    parts = Parts(database)
    known = len(parts.rows())
    users = [silent_user(known + number) for number in range(emails)]
    parts.add_users(users, NOW)
    parts.add_drafts([user.user_id for user in users], NOW)
    return parts


def half(*faults: Fault) -> Misbehaviour:
    return lambda chance: chance.choice(faults) if chance.random() < 0.5 else None


def check_books(parts: Parts, taken: Iterable[str]) -> Counter[str]:
    """Hold the ledger against the addresses whose mail the server has taken; return the rows by status."""
    taken = list(taken)
    assert not taken or max(Counter(taken).values()) == 1, "nobody gets two"
    rows = parts.rows()
    address = {user.user_id: user.email for user in parts.store.get_users(rows)}
    by_status = {status: {address[key] for key, row in rows.items() if row.status == status} for status in _STATUSES}
    assert sum(map(len, by_status.values())) == len(rows), "nobody is lost"
    assert by_status["sent"] <= set(taken) <= by_status["sent"] | by_status["unknown"]
    assert all(row.claimed_by is None for row in rows.values())
    return Counter({status: len(addresses) for status, addresses in by_status.items() if addresses})


def smtp_taken(server: SmtpServer) -> list[str]:
    return [recipient for message in server.received for recipient in message.recipients]


def ses_taken(proxy: FaultProxy) -> list[str]:
    return [recipient for message in sent_through_ses(f"http://{proxy.upstream.netloc}") for recipient in message["To"]]


def ses_allows(proxy: FaultProxy, per_second: float, left: int = 100_000, *, enabled: bool = True) -> None:
    import boto3

    client = boto3.client("sesv2", endpoint_url=f"http://{proxy.upstream.netloc}", region_name=REGION)
    client.create_email_identity(EmailIdentity="example.com")
    quota = {"MaxSendRate": per_second, "Max24HourSend": left, "SentLast24Hours": 0}
    account = {"SendingEnabled": enabled, "SendQuota": quota}
    proxy.faults.add(GET_ACCOUNT, Fault(status=200, reply=json.dumps(account)), times=4)


def total(reports: list[SendReport], what: str) -> int:
    return sum(getattr(report, what) for report in reports)
