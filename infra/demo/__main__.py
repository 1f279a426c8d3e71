"""`make demo-aws`: an item changes, and an e-mail is in SES; a bounce comes back, and the address is suppressed."""

import argparse
import json
import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engagement_pipeline.platform.settings import PROJECT_ROOT
from infra.demo import path, shop
from infra.demo.cloud import Cloud, running_cloud

if TYPE_CHECKING:
    from engagement_pipeline.pipeline import Pipeline

_FOLDER = PROJECT_ROOT / "data" / "local" / "aws-demo"


def main(arguments: Sequence[str] | None = None) -> int:
    """Show the whole path; 0 where all of it worked."""
    parser = argparse.ArgumentParser(prog="make demo-aws", description=__doc__)
    parser.add_argument("--users", type=int, default=1_000, help="of the sample, at most 23,570")
    parser.add_argument("--changes", type=int, default=7, help="items that are changed while everything runs")
    parser.add_argument("--folder", type=Path, default=_FOLDER, help="emptied, and written to")
    parser.add_argument("--templates", type=Path, help="where they were written already")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    given = parser.parse_args(arguments)
    shutil.rmtree(given.folder, ignore_errors=True)
    given.folder.mkdir(parents=True)
    tell = _Teller(quiet=given.json)
    try:
        result = _show(given.folder.resolve(), given.templates, given.users, given.changes, tell)
    except (RuntimeError, TimeoutError) as error:
        sys.stderr.write(f"{error}\nLogs are in {given.folder}\n")
        return 1
    if given.json:
        sys.stdout.write(f"{json.dumps(result)}\n")
    return 0


class _Teller:
    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet

    def __call__(self, what: str, words: str = "") -> None:
        if not self._quiet:
            sys.stdout.write(f"{what:38}{words}\n")
            sys.stdout.flush()


def _show(folder: Path, templates: Path | None, users: int, changes: int, tell: _Teller) -> dict[str, Any]:
    tell("Writing AWS's templates ..." if templates is None else "Taking AWS's templates")
    with running_cloud(folder, templates) as cloud:
        tell("A server that speaks AWS's language", cloud.url)
        tell("Deployed by CloudFormation", f"{cloud.resources} resources, from the template that an account gets")
        pipeline = _open(cloud, folder)
        result = _fill(cloud, pipeline, folder, users, changes, tell)
        with _daemon(folder):
            tell("\nDagster runs. Users of an earlier deployment agree, one by one, to be written to:")
            arrivals = [_change(cloud, pipeline, number, tell) for number in range(changes + 1)][1:]
            median = statistics.median(each.seconds for each in arrivals)
            tell(
                "\nMedian from item to SES", f"{median:.1f} s  (slowest {max(each.seconds for each in arrivals):.1f} s)"
            )
            seconds = path.bounce(cloud, arrivals[0], pipeline.now())
            status = path.status_of(cloud, arrivals[0])
            tell("A bounce by SNS and SQS", f"{status} in Emails, suppressed in Addresses after {seconds:.1f} s")
    return result | {
        "arrivals": [asdict(each) for each in arrivals],
        "median_seconds": median,
        "bounced": {"status": status, "seconds": seconds},
    }


def _open(cloud: Cloud, folder: Path) -> "Pipeline":
    settings = shop.settings_of(cloud, folder)
    from engagement_pipeline.cli.dagster_home import prepare
    from engagement_pipeline.pipeline import Pipeline

    os.environ["DAGSTER_HOME"] = str(folder / "dagster")
    prepare(settings)
    return Pipeline(settings)


def _fill(cloud: Cloud, pipeline: "Pipeline", folder: Path, users: int, changes: int, tell: _Teller) -> dict[str, Any]:
    """Load users and orders, and do for all of them what a day does."""
    from engagement_pipeline.cli.demo import claim_changes, run_job
    from engagement_pipeline.users.sample import load_sample
    from engagement_pipeline_tests.aws_server import sent_through_ses

    now = pipeline.now()
    sample = load_sample(pipeline.store, shop.part_of_the_sample(users, folder), None, now.date(), now)
    # The first of them only wakes the daemon.
    for number in range(changes + 1):
        cloud.client("dynamodb").put_item(TableName=cloud.table("users"), Item=shop.earlier_user(number, now))
    items = sample.users.created + sample.orders.created
    tell("Written to DynamoDB", f"{sample.users.created:,} users and {sample.orders.created:,} orders of the sample")
    came = path.wait_until_quiet(cloud, sample.users.created)
    tell("By streams, Lambda, SNS and SQS", f"{came:,} changes have come")
    for job in ("refresh_engagement", "send_emails"):
        run_job(pipeline, job)
    sent = len(sent_through_ses(cloud.url))
    tell("Scored, decided, written, sent", f"{sent:,} e-mails are in SES")
    # What that changed in the tables comes back by the streams, too.
    path.wait_until_quiet(cloud, 0)
    run_job(pipeline, "collect_changes")
    claim_changes(pipeline)
    return {"items": items, "changes": came, "sent": sent}


def _change(cloud: Cloud, pipeline: "Pipeline", number: int, tell: _Teller) -> path.Arrival:
    # At a moment that has nothing to do with the daemon's rounds.
    time.sleep(random.Random(number).uniform(0.5, 6))  # noqa: S311 - not for secrets
    arrival = path.agree(cloud, f"earlier-{number}", pipeline.now())
    if number:
        score = f"score {arrival.score:.1f}, {arrival.band}, in Users"
        tell(f"  {arrival.user_id}", f'{score:32}"{arrival.subject}" in SES after {arrival.seconds:.1f} s')
    return arrival


@contextmanager
def _daemon(folder: Path) -> Iterator[None]:
    command = [sys.executable, "-m", "dagster._daemon", "run", "-w", str(PROJECT_ROOT / "workspace.yaml")]
    with (folder / "daemon.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder)  # noqa: S603 - our own command
    try:
        yield
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


if __name__ == "__main__":
    sys.exit(main())
