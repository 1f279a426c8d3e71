"""An AWS-compatible server with the data stack in it, made from the template that an account gets."""

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from engagement_pipeline_tests.aws_server import CREDENTIALS, MINISTACK, REGION, running_ministack
from infra.config import EXAMPLE, FOLDER
from infra.deploy import Account

# A name that leads nowhere outside; `live` refuses those of examples.
DOMAIN = "shop.internal"
_STACK = "engagement-data"
_PYTHON = FOLDER.parent / ".venv-infra" / "bin" / "python"
_PATIENCE = {"Delay": 1, "MaxAttempts": 120}


@dataclass(frozen=True, eq=False)
class Cloud:
    """Where the server is, and what the stack has made in it.

    Attributes:
        url: of the server.
        variables: the settings that find what was made.
        resources: how many resources the template has.
    """

    url: str
    variables: Mapping[str, str]
    resources: int

    @cache  # noqa: B019 - there is one, for as long as the process lives
    def client(self, service: str) -> Any:
        """Return a client of a service there."""
        import boto3

        return boto3.session.Session(region_name=REGION).client(service, endpoint_url=self.url)

    @property
    def feedback_topic(self) -> str:
        return self.variables["ENGAGEMENT_SES__FEEDBACK_TOPIC_ARN"]

    def table(self, name: str) -> str:
        """Return what a table of ours is called there."""
        return self.variables[f"ENGAGEMENT_DYNAMODB__{name.upper()}_TABLE"]

    def waiting(self) -> int:
        """Return how many changes are in the queue, in somebody's hands or not."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        queue = self.variables["ENGAGEMENT_DYNAMODB__CHANGES_QUEUE_URL"]
        answer = self.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=names)
        return sum(int(answer["Attributes"][name]) for name in names)


@contextmanager
def running_cloud(folder: Path, templates: Path | None) -> Iterator[Cloud]:
    """Start the server and deploy to it; boto3 in this process, and in those it starts, finds credentials for it.

    Args:
        folder: for what is written.
        templates: where they were written already; None: they are written now.

    Raises:
        RuntimeError: something that this needs is missing, or does not work.
    """
    for needed in (MINISTACK, _PYTHON):
        if not needed.exists():
            raise RuntimeError(f"{needed} is missing: make demo-aws installs it")
    template = (_written(folder) if templates is None else templates) / f"{_STACK}.template.json"
    os.environ.update(CREDENTIALS)
    os.environ.pop("AWS_PROFILE", None)
    with running_ministack(folder / "server.log") as url:
        account = Account(REGION, url)
        account.prepare()
        proposal = account.propose(_STACK, template, {})
        if proposal is None:
            raise RuntimeError("the new server has the stack already")
        resources = len(list(account.changes(proposal)))
        account.carry_out(proposal, _PATIENCE)
        yield Cloud(url, account.variables(_STACK), resources)


def write_deployment(folder: Path) -> Path:
    """Write the file of a deployment like the example, in the name of a shop that may send."""
    deployment = folder / "deployment.json"
    ours = {"sender_domain": DOMAIN, "web_host": f"engagement.{DOMAIN}", "dagster_host": f"dagster.{DOMAIN}"}
    deployment.write_text(json.dumps(json.loads(EXAMPLE.read_text()) | ours | {"region": REGION}))
    return deployment


def _written(folder: Path) -> Path:
    deployment = write_deployment(folder)
    out = folder / "templates"
    command = [str(_PYTHON), "-m", "infra.app", "--deployment", str(deployment), "--out", str(out)]
    done = subprocess.run(command, cwd=FOLDER.parent, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise RuntimeError(f"the templates could not be written:\n{done.stderr[-2000:]}")
    return out
