"""Servers that throttle, hang up or refuse: nobody gets two, nobody is lost. How quickly it goes: `test_rates`."""

import random
from datetime import timedelta

import pytest

from engagement_pipeline.platform.sql import Database
from engagement_pipeline_tests.aws_server import FaultProxy
from engagement_pipeline_tests.delivery.paced_sender import run_senders
from engagement_pipeline_tests.delivery.witness import (
    SEND_EMAIL,
    TOO_FAST,
    Witness,
    check_books,
    half,
    queue,
    ses_allows,
    ses_taken,
    smtp_taken,
    total,
)
from engagement_pipeline_tests.faults import Fault
from engagement_pipeline_tests.smtp_server import SmtpServer

pytestmark = pytest.mark.integration

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
