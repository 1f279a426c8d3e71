"""The pace that a provider allows is kept, used and shared, whatever its server does meanwhile."""

import threading
import time
from collections.abc import Callable
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

pytestmark = [pytest.mark.integration, pytest.mark.alone]


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


@pytest.mark.parametrize(
    ("database", "senders"),
    [
        ("postgresql", 2),
        pytest.param("sqlite", 1, marks=pytest.mark.soak),
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


@pytest.mark.parametrize(
    ("database", "senders"),
    [("sqlite", 2), pytest.param("postgresql", 1, marks=pytest.mark.soak)],
    indirect=["database"],
)
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


@pytest.mark.parametrize(
    ("database", "senders"),
    [("sqlite", 1), pytest.param("postgresql", 2, marks=pytest.mark.soak)],
    indirect=["database"],
)
def test_a_server_that_answers_slowly(database: Database, smtp_server: SmtpServer, senders: int) -> None:
    def run() -> Witness:
        witness = Witness(smtp_server.faults, "MAIL", lambda chance: Fault(delay=chance.uniform(0.2, 0.3)))
        parts = queue(database, 210)
        run_senders(database, f"smtp:{smtp_server.port}", senders, lanes=16 if senders == 1 else 12, per_second=40)
        assert check_books(parts, smtp_taken(smtp_server)).keys() == {"sent"}
        return witness

    keeps_the_pace(run, allowed=40, lanes=16)


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
