"""Servers that throttle, hang up, answer slowly or refuse: the pace is kept, nobody gets two, nobody is lost."""

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import timedelta

import pytest

from engagement_pipeline.delivery.send_report import SendReport
from engagement_pipeline.platform.sql import Database
from engagement_pipeline_tests.aws_server import REGION, FaultProxy, sent_through_ses
from engagement_pipeline_tests.conftest import NOW
from engagement_pipeline_tests.delivery.paced_sender import run_senders
from engagement_pipeline_tests.delivery.parts import Parts, silent_user
from engagement_pipeline_tests.faults import Fault, Faults
from engagement_pipeline_tests.smtp_server import SmtpServer

pytestmark = [pytest.mark.integration, pytest.mark.alone]

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


class Metronome:
    """Ticks every 10 ms and counts the ticks that this machine, busy with other things, let it miss."""

    def __init__(self) -> None:
        self.ticks = self.missed = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "Metronome":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    @property
    def was_disturbed(self) -> bool:
        return self.missed * 200 > self.ticks

    def _run(self) -> None:
        while not self._stop.is_set():
            began = time.monotonic()
            time.sleep(0.01)
            self.ticks += 1
            self.missed += time.monotonic() - began > 0.018


def keeps_the_pace(run: Callable[[], Witness], allowed: float, lanes: int) -> None:
    """Check that the server never sees more calls in any second than it allows, and on the whole at most 5 % fewer.

    A machine with other things to do costs a run some of its turns; it never adds any.
    """
    for _ in range(3):
        with Metronome() as metronome:
            witness = run()
        assert witness.in_the_busiest_second <= allowed
        achieved = witness.rate(lanes) / allowed
        if achieved >= (0.8 if metronome.was_disturbed else 0.95):
            return
    pytest.fail(f"only {achieved:.1%} of the allowed rate; the metronome missed {metronome.missed}/{metronome.ticks}")


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


@pytest.mark.parametrize(
    ("database", "senders"),
    [
        ("sqlite", 1),
        ("postgresql", 2),
        pytest.param("sqlite", 2, marks=pytest.mark.soak),
        pytest.param("postgresql", 1, marks=pytest.mark.soak),
    ],
    indirect=["database"],
)
def test_an_smtp_server_that_throttles_half_of_all_calls(
    database: Database, smtp_server: SmtpServer, senders: int
) -> None:
    too_fast = (Fault(reply="454 4.7.0 Throttling failure"), Fault(reply="421 4.7.0 Try again later"))

    def run() -> Witness:
        witness = Witness(smtp_server.faults, "MAIL", half(*too_fast))
        parts = queue(database, 130)
        reports = run_senders(database, f"smtp:{smtp_server.port}", senders, lanes=4, per_second=50)
        assert check_books(parts, smtp_taken(smtp_server)).keys() == {"sent"}
        assert total(reports, "sent") == 130
        assert total(reports, "throttled") == len(witness.seen) - 130 > 50
        return witness

    keeps_the_pace(run, allowed=50, lanes=4 * senders)


@pytest.mark.parametrize(("database", "senders"), [("sqlite", 2), ("postgresql", 1)], indirect=["database"])
def test_ses_that_throttles_half_of_all_calls(database: Database, fault_proxy: FaultProxy, senders: int) -> None:
    def run() -> Witness:
        ses_allows(fault_proxy, per_second=30)
        witness = Witness(fault_proxy.faults, SEND_EMAIL, half(TOO_FAST))
        parts = queue(database, 90)
        reports = run_senders(database, f"ses:{fault_proxy.url}", senders, lanes=4)
        assert check_books(parts, ses_taken(fault_proxy)).keys() == {"sent"}
        assert total(reports, "throttled") == len(witness.seen) - 90 > 30
        return witness

    keeps_the_pace(run, allowed=30, lanes=4 * senders)


@pytest.mark.parametrize(("database", "senders"), [("sqlite", 1), ("postgresql", 2)], indirect=["database"])
def test_a_server_that_answers_slowly(database: Database, smtp_server: SmtpServer, senders: int) -> None:
    def run() -> Witness:
        witness = Witness(smtp_server.faults, "MAIL", lambda chance: Fault(delay=chance.uniform(0.2, 0.3)))
        parts = queue(database, 210)
        run_senders(database, f"smtp:{smtp_server.port}", senders, lanes=16 if senders == 1 else 12, per_second=40)
        assert check_books(parts, smtp_taken(smtp_server)).keys() == {"sent"}
        return witness

    keeps_the_pace(run, allowed=40, lanes=16)


SMTP_TROUBLE = {
    "MAIL": (Fault(reply="451 4.3.0 Later"), Fault(reply="421 4.3.2 Closing"), Fault(drop=True)),
    "RCPT": (Fault(reply="550 5.1.1 No such user"), Fault(reply="450 4.2.1 Mailbox busy"), Fault(drop=True)),
    "DATA": (Fault(reply="554 5.7.1 No"), Fault(drop=True)),
    "within": (Fault(drop=True),),
    "content": (
        Fault(reply="451 4.3.0 Later"),
        Fault(reply="554 5.6.0 No"),
        Fault(drop=True),
        Fault(drop=True, taken=True),
    ),
}


def test_an_smtp_server_that_hangs_up_and_refuses(database: Database, smtp_server: SmtpServer) -> None:
    chance = random.Random(2)

    def trouble(stage: str) -> Fault | None:
        return chance.choice(SMTP_TROUBLE[stage]) if stage in SMTP_TROUBLE and chance.random() < 0.12 else None

    smtp_server.faults.decide = trouble
    parts = queue(database, 150)
    reports = run_senders(database, f"smtp:{smtp_server.port}", 2, lanes=4)
    rows = check_books(parts, smtp_taken(smtp_server))
    assert {"sent", "queued", "failed", "unknown"} <= rows.keys()
    assert [report.stopped for report in reports] == [None] * 2
    for status in ("sent", "failed", "unknown"):
        assert total(reports, status) == rows[status]
    smtp_server.faults.decide = lambda stage: None
    [report] = run_senders(database, f"smtp:{smtp_server.port}", 1, lanes=4, later=timedelta(hours=2))
    after = check_books(parts, smtp_taken(smtp_server))
    assert (report.sent, report.waiting) == (rows["queued"], 0), "what had to wait has gone, and nothing else"
    assert (after["failed"], after["unknown"]) == (rows["failed"], rows["unknown"])


def test_ses_that_hangs_up_and_refuses(database: Database, fault_proxy: FaultProxy) -> None:
    ses_allows(fault_proxy, per_second=500)
    refused = Fault(status=400, code="MessageRejected", reply="Email address is not verified.")
    gateway = (Fault(status=502), Fault(drop=True), Fault(drop=True, taken=True), Fault(status=503, taken=True))
    Witness(fault_proxy.faults, SEND_EMAIL, lambda chance: half(TOO_FAST, refused, *gateway)(chance))
    parts = queue(database, 80)
    [report] = run_senders(database, f"ses:{fault_proxy.url}", 1, lanes=4)
    rows = check_books(parts, ses_taken(fault_proxy))
    assert report.stopped is None
    assert rows["sent"] == report.sent > 0
    assert rows["unknown"] == report.unknown > 0, "behind a gateway nobody knows"


def test_senders_share_the_quota(database: Database, fault_proxy: FaultProxy) -> None:
    ses_allows(fault_proxy, per_second=200, left=40)
    parts = queue(database, 100)
    reports = run_senders(database, f"ses:{fault_proxy.url}", 4, lanes=3)
    assert check_books(parts, ses_taken(fault_proxy)) == {"sent": 40, "queued": 60}
    # Who came too late to find any row has not been held back.
    assert {report.held_back for report in reports} - {None} == {"the provider's quota for 24 hours is used up"}
    assert {row.attempts for row in parts.rows().values() if row.status == "queued"} == {0}


def test_senders_share_the_cap_of_a_new_domain(database: Database, smtp_server: SmtpServer) -> None:
    per_second = None if database.is_sqlite else 500
    Witness(smtp_server.faults, "MAIL", lambda chance: Fault(reply="454 4.7.0 Slow") if chance.random() < 0.1 else None)
    parts = queue(database, 130)
    place = f"smtp:{smtp_server.port}"
    reports = run_senders(database, place, 2, lanes=4, per_second=per_second, warming_up=True)
    assert check_books(parts, smtp_taken(smtp_server)) == {"sent": 100, "queued": 30}
    assert "the day's limit of 100 e-mails is reached" in {report.held_back for report in reports}
    assert {report.stopped for report in reports} == {None}
    [report] = run_senders(database, place, 1, lanes=4, per_day=110, later=timedelta(minutes=1))
    assert (report.sent, report.waiting) == (10, 20)
    assert report.held_back == "the day's limit of 110 e-mails is reached"
    [report] = run_senders(database, place, 1, lanes=4, per_day=110, later=timedelta(days=1))
    assert (report.sent, report.waiting, report.held_back) == (20, 0, None), "another day, another hundred"


def test_an_account_that_is_paused_before_the_run(database: Database, fault_proxy: FaultProxy) -> None:
    ses_allows(fault_proxy, per_second=100, enabled=False)
    parts = queue(database, 5)
    [report] = run_senders(database, f"ses:{fault_proxy.url}", 1, lanes=2)
    assert report.stopped == "SES has paused sending for this account; its console says why"
    assert (report.sent, report.waiting) == (0, 5)
    assert check_books(parts, ses_taken(fault_proxy)) == {"queued": 5}


def test_an_account_that_is_paused_within_the_run(database: Database, fault_proxy: FaultProxy) -> None:
    ses_allows(fault_proxy, per_second=100)
    paused = Fault(status=400, code="SendingPausedException", reply="Sending is paused for this account.")
    witness = Witness(fault_proxy.faults, SEND_EMAIL, lambda chance: paused if len(witness.seen) > 20 else None)
    parts = queue(database, 100)
    reports = run_senders(database, f"ses:{fault_proxy.url}", 2, lanes=4)
    assert check_books(parts, ses_taken(fault_proxy)) == {"sent": 20, "queued": 80}
    [reason] = {report.stopped for report in reports} - {None}
    assert "Sending is paused for this account." in str(reason)
    assert {row.attempts for row in parts.rows().values() if row.status == "queued"} == {0}
    assert len(witness.seen) <= 20 + 4 * 2, "no lane tries again"
