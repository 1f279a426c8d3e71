"""A sender in a process of its own that keeps a provider's pace by the real clock; run by test_throttling.py."""

import dataclasses
import json
import subprocess
import sys
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone

from engagement_pipeline.delivery.mailer import Mailer
from engagement_pipeline.delivery.mailers.ses import SesMailer
from engagement_pipeline.delivery.mailers.smtp import SmtpMailer
from engagement_pipeline.delivery.pace import Clock
from engagement_pipeline.delivery.send_report import SendReport
from engagement_pipeline.platform import clock
from engagement_pipeline.platform.settings import Settings
from engagement_pipeline.platform.settings_groups import SesSettings, SmtpSettings
from engagement_pipeline.platform.sql import Database
from engagement_pipeline_tests.conftest import NOW
from engagement_pipeline_tests.delivery.parts import Parts


def clock_since(began: datetime) -> Clock:
    """Return a clock that shows NOW at the given moment: no test depends on the hour at which it runs."""
    return lambda: NOW + (clock.now() - began)


def mailer_for(place: str, per_second: float | None, per_day: int | None) -> Mailer:
    """Return the mailer for `smtp:<port>` or `ses:<URL>`; SES says itself what it allows."""
    kind, _, where = place.partition(":")
    if kind == "smtp":
        server = {"host": "127.0.0.1", "port": int(where), "security": "none", "timeout_seconds": 10}
        return SmtpMailer(SmtpSettings.model_validate(server | {"per_second": per_second, "per_day": per_day}))
    return SesMailer(Settings(aws_endpoint_url=where, ses=SesSettings(configuration_set="events")))


def run_senders(
    database: Database,
    place: str,
    senders: int,
    lanes: int,
    per_second: float | None = None,
    per_day: int | None = None,
    *,
    warming_up: bool = False,
    later: timedelta = timedelta(),
) -> list[SendReport]:
    """Let senders begin at the same moment, each in its process, and wait for their reports."""
    url = database.engine.url.render_as_string(hide_password=False)
    began = clock.now() - later
    what = {"url": url, "place": place, "lanes": lanes, "began": began.timestamp(), "warming_up": warming_up}
    arguments = json.dumps(what | {"per_second": per_second, "per_day": per_day})
    command = [sys.executable, "-m", "engagement_pipeline_tests.delivery.paced_sender", arguments]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    processes = [subprocess.Popen(command, **pipes, text=True) for _ in range(senders)]  # type: ignore[call-overload]
    try:
        for process in processes:
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            process.stdin.write("go\n")
            process.stdin.flush()
        return [SendReport(**json.loads(process.communicate(timeout=120)[0])) for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.wait()


def main(arguments: Sequence[str]) -> None:
    what = json.loads(arguments[0])
    mailer = mailer_for(what["place"], what["per_second"], what["per_day"])
    sender = Parts(Database(what["url"])).sender(mailer, lanes=what["lanes"], warming_up=what["warming_up"])
    now = clock_since(datetime.fromtimestamp(what["began"], timezone.utc))
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    report = sender.run(now)
    sys.stdout.write(json.dumps(dataclasses.asdict(report)))


if __name__ == "__main__":
    main(sys.argv[1:])
