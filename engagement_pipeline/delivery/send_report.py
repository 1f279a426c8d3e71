"""What a sending run did, counted while it runs and reported at its end."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

Progress = Callable[[int], None]


@dataclass(frozen=True)
class SendReport:
    """What a run did; in a dry run, what it would have done.

    Attributes:
        sent: handed over, including what an earlier sender had sent without recording it.
        skipped_by_reason: refused by the gate at the moment of sending.
        failed: refused by the mailer for good, or tried too often.
        unknown: handed over perhaps; not sent again by itself.
        waiting: still queued: outside sending hours, to be tried again, or left by a campaign that had to stop.
        stopped: why the campaign stopped before its end, or None.
        dry_run: whether nothing was changed and nothing handed over.
    """

    sent: int = 0
    skipped_by_reason: dict[str, int] = field(default_factory=dict)
    failed: int = 0
    unknown: int = 0
    waiting: int = 0
    stopped: str | None = None
    dry_run: bool = False

    @property
    def eligible(self) -> int:
        """Rows that the run closed or left waiting."""
        return self.sent + sum(self.skipped_by_reason.values()) + self.failed + self.unknown + self.waiting


class Tally:
    """Counts rows that were closed, and tells how many so far."""

    def __init__(self, on_progress: Progress | None) -> None:
        self._on_progress = on_progress
        self._closed: Counter[str] = Counter()
        self._skipped: Counter[str] = Counter()

    @property
    def done(self) -> int:
        return self._closed.total() + self._skipped.total()

    def count(self, status: Literal["sent", "failed", "unknown"], rows: int = 1) -> None:
        self._closed[status] += rows
        self._tell()

    def skip(self, reason: str) -> None:
        self._skipped[reason] += 1
        self._tell()

    def report(self, waiting: int, *, stopped: str | None = None, dry_run: bool = False) -> SendReport:
        return SendReport(
            sent=self._closed["sent"],
            skipped_by_reason=dict(sorted(self._skipped.items())),
            failed=self._closed["failed"],
            unknown=self._closed["unknown"],
            waiting=waiting,
            stopped=stopped,
            dry_run=dry_run,
        )

    def _tell(self) -> None:
        if self._on_progress is not None:
            self._on_progress(self.done)
