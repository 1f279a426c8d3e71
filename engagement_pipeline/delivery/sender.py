"""Empties the ledger: judges each row again, renders it, hands it over and records what became of it."""

import logging
import threading
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from queue import Queue
from typing import Final

from engagement_pipeline.delivery.judging import Judge
from engagement_pipeline.delivery.lane import Lane, Settler
from engagement_pipeline.delivery.ledger import Ledger
from engagement_pipeline.delivery.mailer import HeldBackError, Mailer, PausedError
from engagement_pipeline.delivery.pace import Clock, Limits, Pace
from engagement_pipeline.delivery.preparing import Line, Preparer
from engagement_pipeline.delivery.rehearsal import rehearse
from engagement_pipeline.delivery.rendering import MessageMaker
from engagement_pipeline.delivery.send_report import Progress, SendReport, Tally
from engagement_pipeline.delivery.workers import new_worker
from engagement_pipeline.platform.sql import Database

_logger = logging.getLogger(__name__)

# Rows that are judged together: enough for SQL to pay, few enough to be sent soon after.
BATCH: Final = 500


class Sender:
    """Sends one campaign's e-mails.

    Args:
        campaign: whose rows to send.
        database: where senders share their pace.
        ledger: holds the rows.
        judge: applies the gate.
        maker: renders messages.
        mailer: takes the messages; without one the run is dry.
        limits: what the system itself allows.
        lanes: how many messages may be in hand at once.
    """

    def __init__(
        self,
        campaign: str,
        database: Database,
        ledger: Ledger,
        judge: Judge,
        maker: MessageMaker,
        mailer: Mailer | None,
        limits: Limits,
        lanes: int = 1,
    ) -> None:
        self._campaign = campaign
        self._database = database
        self._ledger = ledger
        self._judge = judge
        self._maker = maker
        self._mailer = mailer
        self._limits = limits
        self._lanes = lanes

    def run(self, now: Clock, on_progress: Progress | None = None) -> SendReport:
        """Send what is due, until nothing is.

        Several runs may go on at once; none takes another's row. What a killed run leaves, the next one resolves.

        Args:
            now: tells the time, timezone-aware.
            on_progress: told now and then how it stands.
        """
        tally = Tally(on_progress)
        if self._mailer is None:
            return rehearse(self._campaign, self._ledger, self._judge, self._maker, now, tally)
        stopped = held_back = None
        try:
            self._send(self._mailer, now, tally)
        except HeldBackError as error:
            held_back = error.reason
        except PausedError as error:
            stopped = error.reason
        finally:
            _close(self._mailer)
        unapproved = self._ledger.count_unapproved(self._campaign)
        return tally.report(self._waiting(), unapproved=unapproved, held_back=held_back, stopped=stopped)

    def _send(self, mailer: Mailer, now: Clock, tally: Tally) -> None:
        recovery = self._ledger.recover(mailer, now())
        tally.count("sent", recovery.sent)
        tally.count("unknown", recovery.unknown)
        self._ledger.queue(self._campaign, now())
        tally.waiting_at_start = self._waiting() + tally.done
        if not self._ledger.due(self._campaign, now(), 1, None):
            return
        pace = Pace(self._database, mailer.name, mailer.allowance(), self._limits, now)
        worker = new_worker()
        settler = Settler(self._ledger, worker, mailer, now)
        try:
            while self._round(mailer, pace, settler, worker, now, tally):
                pass
        finally:
            pace.close()
            self._ledger.release(worker)
            settler.settle()

    def _round(self, mailer: Mailer, pace: Pace, settler: Settler, worker: str, now: Clock, tally: Tally) -> bool:
        """Go once through all rows that are due; tell whether any was dealt with, so that going again may find more."""
        done = tally.dealt_with
        lanes = [Lane(self._ledger, mailer, pace, settler, worker, now, tally) for _ in range(self._lanes)]
        preparer = Preparer(self._campaign, self._ledger, self._judge, self._maker, worker, now, tally)
        _run_together(preparer, lanes, min(BATCH, pace.ahead or BATCH), pace)
        return tally.dealt_with > done

    def _waiting(self) -> int:
        rows = self._ledger.count_by_status(self._campaign)
        return rows.get("queued", 0) + rows.get("sending", 0)


def _close(mailer: Mailer) -> None:
    try:
        mailer.close()
    except Exception:
        # All that was to be sent has been, and recorded: a connection that ends badly changes nothing of it.
        _logger.warning("the mailer did not close as it should", exc_info=True)


def _run_together(preparer: Preparer, lanes: list[Lane], batch: int, pace: Pace) -> None:
    line: Line = Queue(batch)
    stop = threading.Event()
    with ThreadPoolExecutor(1 + len(lanes)) as pool:
        try:
            jobs = [pool.submit(preparer.run, line, batch, len(lanes), stop)]
            jobs += [pool.submit(lane.run, line, stop) for lane in lanes]
            ended = wait(jobs, return_when=FIRST_EXCEPTION).done
        except BaseException:
            pace.halt()
            raise
        finally:
            stop.set()
        # Where only a day's limit is reached, messages that have their turn still go.
        if not all(isinstance(job.exception(), HeldBackError | None) for job in ended):
            pace.halt()
    _raise_the_gravest(jobs)


def _raise_the_gravest(jobs: list[Future[None]]) -> None:
    """Raise what went wrong: a fault of ours before a provider's pause, that before a day's limit."""
    errors = [error for job in jobs if (error := job.exception()) is not None]
    gravity = (HeldBackError, PausedError, BaseException)
    errors.sort(key=lambda error: next(place for place, kind in enumerate(gravity) if isinstance(error, kind)))
    if errors:
        raise errors[-1]
