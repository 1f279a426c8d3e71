"""A sender in a process of its own that dies of SIGKILL at a chosen point of a chosen message; run by test_kill.py."""

import os
import signal
import sys
from pathlib import Path
from typing import Literal, get_args

import sqlalchemy as sa

from engagement_pipeline.delivery.mailer import Message, Receipt
from engagement_pipeline.delivery.outbox import OutboxMailer
from engagement_pipeline.platform.sql import Database
from engagement_pipeline_tests.conftest import NOW
from engagement_pipeline_tests.delivery.parts import Parts

Point = Literal["before_writing", "half_written", "after_rename", "before_commit", "after_commit"]
POINTS: tuple[Point, ...] = get_args(Point)


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


class MortalMailer(LoggingMailer):
    """Dies around the hand-over of the n-th message."""

    def __init__(self, folder: Path, point: Point, message: int) -> None:
        super().__init__(folder)
        self._folder_of_files = folder
        self._point = point
        self._left = message

    def send(self, message: Message) -> Receipt:
        self._left -= 1
        if self._left == 0 and self._point == "before_writing":
            die()
        if self._left == 0 and self._point == "half_written":
            (self._folder_of_files / f".{message.email_id}.tmp").write_bytes(b"From: half a mess")
            die()
        receipt = super().send(message)
        if self._left == 0 and self._point == "after_rename":
            die()
        return receipt

    @property
    def is_last(self) -> bool:
        return self._left == 0


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_around_commit(database: Database, mailer: MortalMailer, point: Point) -> None:
    """Die when the transaction that records the chosen message commits: just before, or just after."""
    commit = database.engine.dialect.do_commit

    def mortal_commit(dbapi_connection: sa.PoolProxiedConnection) -> None:
        if mailer.is_last and point == "before_commit":
            die()
        commit(dbapi_connection)
        if mailer.is_last and point == "after_commit":
            die()

    database.engine.dialect.do_commit = mortal_commit  # type: ignore[method-assign]


def main(url: str, outbox: str, point: Point, message: str) -> None:
    database = Database(url)
    mailer = MortalMailer(Path(outbox), point, int(message))
    die_around_commit(database, mailer, point)
    sender = Parts(database).sender(mailer)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sender.run(lambda: NOW)


if __name__ == "__main__":
    main(*sys.argv[1:])  # type: ignore[arg-type]
