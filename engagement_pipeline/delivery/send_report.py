"""What a sending run did, counted while it runs and reported at its end."""

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Literal

from engagement_pipeline.platform import clock


@dataclass(frozen=True)
class SendReport:
    """What a run did; in a dry run, what it would have done; while it runs, what it has done so far.

    Attributes:
        sent: handed over, including what an earlier sender had sent without recording it.
        skipped_by_reason: refused by the gate at the moment of sending.
        failed: refused by the mailer for good, or tried too often.
        unknown: handed over perhaps; not sent again by itself.
        waiting: still queued: outside sending hours, to be tried again, held back, or left by a campaign that stopped.
        unapproved: written, and kept back until somebody approves what they say; see `engagement copy`.
        throttled: calls that the provider refused because they came too fast; each is tried again.
        held_back: which limit for the day was reached, or None; the rest goes another day.
        stopped: why the campaign stopped before its end, or None.
        dry_run: whether nothing was changed and nothing handed over.
    """

    sent: int = 0
    skipped_by_reason: dict[str, int] = field(default_factory=dict)
    failed: int = 0
    unknown: int = 0
    waiting: int = 0
    unapproved: int = 0
    throttled: int = 0
    held_back: str | None = None
    stopped: str | None = None
    dry_run: bool = False

    @property
    def done(self) -> int:
        """Rows that the run closed."""
        return self.sent + sum(self.skipped_by_reason.values()) + self.failed + self.unknown

    @property
    def eligible(self) -> int:
        """Rows that the run closed or left waiting."""
        return self.done + self.waiting


Progress = Callable[[SendReport], None]

# Whoever listens draws a bar or writes a line: not worth the time of each message.
_TELL_EVERY_SECONDS: Final = 0.1


class Tally:
    """Counts rows that were closed, for several threads, and tells how it stands ten times a second."""

    def __init__(self, on_progress: Progress | None) -> None:
        self.waiting_at_start = 0
        self._on_progress = on_progress
        self._counting = threading.Lock()
        self._closed: Counter[str] = Counter()
        self._skipped: Counter[str] = Counter()
        self._told_at = clock.monotonic()

    @property
    def done(self) -> int:
        return self._closed["sent"] + self._closed["failed"] + self._closed["unknown"] + self._skipped.total()

    @property
    def dealt_with(self) -> int:
        """Rows closed, and those that are to be tried again at once."""
        return self.done + self._closed["throttled"]

    def count(self, what: Literal["sent", "failed", "unknown", "throttled"], rows: int = 1) -> None:
        with self._counting:
            self._closed[what] += rows
            self._tell()

    def skip(self, reason: str) -> None:
        with self._counting:
            self._skipped[reason] += 1
            self._tell()

    def report(
        self,
        waiting: int,
        *,
        unapproved: int = 0,
        held_back: str | None = None,
        stopped: str | None = None,
        dry_run: bool = False,
    ) -> SendReport:
        """Return the counts, and tell them a last time."""
        report = SendReport(
            sent=self._closed["sent"],
            skipped_by_reason=dict(sorted(self._skipped.items())),
            failed=self._closed["failed"],
            unknown=self._closed["unknown"],
            waiting=waiting,
            unapproved=unapproved,
            throttled=self._closed["throttled"],
            held_back=held_back,
            stopped=stopped,
            dry_run=dry_run,
        )
        if self._on_progress is not None:
            self._on_progress(report)
        return report

    def _tell(self) -> None:
        if self._on_progress is not None and clock.monotonic() - self._told_at > _TELL_EVERY_SECONDS:
            self._told_at = clock.monotonic()
            self.report(max(0, self.waiting_at_start - self.done))
