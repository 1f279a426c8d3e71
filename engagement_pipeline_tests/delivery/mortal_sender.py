"""A sender in a process of its own that dies of SIGKILL at a chosen point of a chosen message; run by test_kill.py."""

import json
import os
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from engagement_pipeline.delivery.mailer import Allowance, Mailer, Receipt
from engagement_pipeline.delivery.mailers.ses import SesMailer
from engagement_pipeline.delivery.mailers.smtp import SmtpMailer
from engagement_pipeline.delivery.message import Message
from engagement_pipeline.delivery.outbox import OutboxMailer
from engagement_pipeline.platform.dynamodb import Dynamo
from engagement_pipeline.platform.dynamodb_tables import TABLES
from engagement_pipeline.platform.dynamodb_writes import Refused, Write
from engagement_pipeline.platform.settings import Settings
from engagement_pipeline.platform.settings_groups import DynamoSettings, SesSettings, SmtpSettings
from engagement_pipeline.platform.sql import Database, LeanTransaction
from engagement_pipeline_tests.conftest import NOW
from engagement_pipeline_tests.delivery.parts import Parts
from engagement_pipeline_tests.dynamodb import dynamo_of

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


@dataclass
class Fate:
    """Tells whether it is time to die around the commit of the transaction that is to record the chosen message."""

    point: Point
    mailer: MortalMailer | None = None

    def strikes(self, point: Point) -> None:
        if self.point == point and self.mailer is not None and self.mailer.is_last:
            die()


class MortalDatabase(Database):
    """Dies around a commit in SQL."""

    def __init__(self, url: str, fate: Fate) -> None:
        super().__init__(url)
        self._fate = fate

    @contextmanager
    def write_lean(self) -> Iterator[LeanTransaction]:
        with super().write_lean() as lean:
            yield lean
            self._fate.strikes("before_commit")
        self._fate.strikes("after_commit")


class MortalDynamo(Dynamo):
    """Dies before or after a transaction of DynamoDB."""

    def __init__(self, dynamo: Dynamo, names: Mapping[str, str], fate: Fate) -> None:
        super().__init__(dynamo.client, names)
        self._fate = fate

    def transact(self, writes: Sequence[Write], token: str | None = None) -> tuple[Refused, ...]:
        self._fate.strikes("before_commit")
        refused = super().transact(writes, token)
        self._fate.strikes("after_commit")
        return refused


def mailer_at(place: str) -> tuple[Mailer, Path | None]:
    """Return the mailer for `outbox:<folder>`, `smtp:<port>` or `ses:<URL>`, and the outbox folder."""
    kind, _, where = place.partition(":")
    if kind == "outbox":
        return LoggingMailer(Path(where)), Path(where)
    if kind == "smtp":
        return SmtpMailer(SmtpSettings(host="127.0.0.1", port=int(where), security="none")), None
    settings = Settings(aws_endpoint_url=where, ses=SesSettings(configuration_set="events"))
    return SesMailer(settings), None


def where(parts: Parts) -> str:
    """Return where the parts' stores are, as another process is told."""
    place: dict[str, Any] = {"url": parts.database.engine.url.render_as_string(hide_password=False)}
    if parts.dynamo is not None:
        place["server"] = parts.dynamo.client.meta.endpoint_url
        place["tables"] = {table.name: parts.dynamo.called(table) for table in TABLES}
    return json.dumps(place)


def main(stores: str, place: str, point: Point, message: str, lanes: str) -> None:
    there = json.loads(stores)
    fate = Fate(point)
    dynamo = None
    if tables := there.get("tables"):
        named = DynamoSettings(**{f"{name}_table": called for name, called in tables.items()})
        dynamo = MortalDynamo(dynamo_of(there["server"], named), tables, fate)
    parts = Parts(MortalDatabase(there["url"], fate), dynamo=dynamo)
    mailer, folder = mailer_at(place)
    fate.mailer = mortal = MortalMailer(mailer, point, int(message), folder)
    sender = parts.sender(mortal, lanes=int(lanes))
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sender.run(lambda: NOW)


if __name__ == "__main__":
    main(*sys.argv[1:])  # type: ignore[arg-type]
