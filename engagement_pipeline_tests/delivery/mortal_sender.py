"""A sender in a process of its own that dies of SIGKILL at a chosen point of a chosen message; run by test_kill.py."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal

from engagement_pipeline.delivery.mailer import Allowance, Mailer, Receipt
from engagement_pipeline.delivery.mailers.ses import SesMailer
from engagement_pipeline.delivery.mailers.smtp import SmtpMailer
from engagement_pipeline.delivery.message import Message
from engagement_pipeline.delivery.outbox import OutboxMailer
from engagement_pipeline.platform.settings import SesSettings, Settings, SmtpSettings
from engagement_pipeline.platform.sql import Database, LeanTransaction
from engagement_pipeline_tests.conftest import NOW
from engagement_pipeline_tests.delivery.parts import Parts

# `after_yes` cannot be made safe: the provider has taken the message, and we have not written it down.
Point = Literal["before_sending", "half_written", "after_yes", "before_commit", "after_commit"]
LIVE_POINTS: Final[tuple[Point, ...]] = ("before_sending", "after_yes", "before_commit", "after_commit")
OUTBOX_POINTS: Final[tuple[Point, ...]] = (*LIVE_POINTS, "half_written")


class LoggingMailer(OutboxMailer):
    """Notes each hand-over: the folder alone would not show that a file was written twice."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._log = log_of(folder)

    def send(self, message: Message) -> Receipt:
        receipt = super().send(message)
        with self._log.open("a") as log:
            log.write(f"{message.email_id}\n")
        return receipt


def log_of(outbox: Path) -> Path:
    return outbox.with_suffix(".log")


class MortalMailer:
    """Dies around the hand-over of the n-th message."""

    def __init__(self, mailer: Mailer, point: Point, message: int, folder: Path | None) -> None:
        self.name = mailer.name
        self.delivers = mailer.delivers
        self._mailer = mailer
        self._point = point
        self._left = message
        self._folder = folder

    def allowance(self) -> Allowance:
        # As fast as it goes: what a provider allows is another test's matter.
        return Allowance()

    def send(self, message: Message) -> Receipt:
        self._left -= 1
        if self._left == 0 and self._point == "before_sending":
            die()
        if self._left == 0 and self._point == "half_written" and self._folder is not None:
            (self._folder / f".{message.email_id}.tmp").write_bytes(b"From: half a mess")
            die()
        receipt = self._mailer.send(message)
        if self._left == 0 and self._point == "after_yes":
            die()
        return receipt

    def was_accepted(self, email_id: str) -> bool | None:
        return self._mailer.was_accepted(email_id)

    def close(self) -> None:
        self._mailer.close()

    @property
    def is_last(self) -> bool:
        return self._left == 0


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class MortalDatabase(Database):
    """Dies around the commit of the transaction that is to record the chosen message."""

    def __init__(self, url: str, point: Point) -> None:
        super().__init__(url)
        self.mailer: MortalMailer | None = None
        self._point = point

    @contextmanager
    def write_lean(self) -> Iterator[LeanTransaction]:
        with super().write_lean() as lean:
            yield lean
            if self._is_time_for("before_commit"):
                die()
        if self._is_time_for("after_commit"):
            die()

    def _is_time_for(self, point: Point) -> bool:
        return self._point == point and self.mailer is not None and self.mailer.is_last


def mailer_at(place: str) -> tuple[Mailer, Path | None]:
    """Return the mailer for `outbox:<folder>`, `smtp:<port>` or `ses:<URL>`, and the outbox folder."""
    kind, _, where = place.partition(":")
    if kind == "outbox":
        return LoggingMailer(Path(where)), Path(where)
    if kind == "smtp":
        return SmtpMailer(SmtpSettings(host="127.0.0.1", port=int(where), security="none")), None
    settings = Settings(aws_endpoint_url=where, ses=SesSettings(configuration_set="events"))
    return SesMailer(settings), None


def main(url: str, place: str, point: Point, message: str, lanes: str) -> None:
    database = MortalDatabase(url, point)
    mailer, folder = mailer_at(place)
    database.mailer = mortal = MortalMailer(mailer, point, int(message), folder)
    sender = Parts(database).sender(mortal, lanes=int(lanes))
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sender.run(lambda: NOW)


if __name__ == "__main__":
    main(*sys.argv[1:])  # type: ignore[arg-type]
