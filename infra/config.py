"""What one deployment decides, read from a JSON file and checked before anything is made of it."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from engagement_pipeline.platform.dynamodb_tables import TABLES

FOLDER = Path(__file__).resolve().parent
# One's own; not in git, since it names an account's parts.
OWN = FOLDER / "deployment.json"
EXAMPLE = FOLDER / "deployment.example.json"
# Where what cannot be delivered goes: a host within the sender's domain.
MAIL_FROM = "bounce"

_HOST = re.compile(r"(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}")
_NAME = re.compile(r"[a-z][a-z0-9-]{1,19}")
_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-\d")
_TABLE = re.compile(r"[A-Za-z0-9_.-]{3,255}")


class DeploymentError(ValueError):
    """The file says something that cannot be deployed."""


@dataclass(frozen=True)
class ExistingTable:
    """A table that was there before, and stays as it is.

    Where we listen to its changes, it needs a stream with both images.
    """

    name: str
    stream_arn: str = ""


@dataclass(frozen=True)
class Deployment:
    """Everything that differs from one deployment to another.

    Attributes:
        name: begins the names of stacks and of what must have a name; 2 to 20 lower-case letters, digits and dashes.
        region: of AWS.
        sender_domain: of the brand's from address; SES gets it as an identity.
        web_host: where recipients, people and programs reach dashboard, API and unsubscribing.
        dagster_host: where people reach Dagster, after they have logged in.
        certificate_arn: a certificate of ACM, in the same region, for both hosts.
        alarm_email: who hears of alarms.
        existing_tables: tables of an earlier deployment, by our names.
        openai_secret_arn: a secret whose text is a key of OpenAI; empty: templates write.
        database_in_two_zones: whether PostgreSQL has a standby, at twice its price.
        web_tasks: how many web servers run.
        settings: further variables (`ENGAGEMENT_*`) of the services.
    """

    name: str
    region: str
    sender_domain: str
    web_host: str
    dagster_host: str
    certificate_arn: str
    alarm_email: str
    existing_tables: Mapping[str, ExistingTable] = field(default_factory=dict)
    openai_secret_arn: str = ""
    database_in_two_zones: bool = False
    web_tasks: int = 2
    settings: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse what cannot be.

        Raises:
            DeploymentError: names what is wrong.
        """
        _check(_NAME, self.name, "name: 2 to 20 lower-case letters, digits and dashes, a letter first")
        _check(_REGION, self.region, "region: such as eu-west-1")
        for name in ("sender_domain", "web_host", "dagster_host"):
            _check(_HOST, getattr(self, name), f"{name}: a host's name in lower case, such as shop.example.com")
        if self.web_host == self.dagster_host:
            raise DeploymentError("web_host and dagster_host: two names, since only one of them is open to recipients")
        if not self.certificate_arn.startswith(f"arn:aws:acm:{self.region}:"):
            raise DeploymentError(f"certificate_arn: of a certificate of ACM in {self.region}")
        if "@" not in self.alarm_email:
            raise DeploymentError("alarm_email: an address")
        if self.web_tasks < 1:
            raise DeploymentError("web_tasks: at least 1")
        for name, table in self.existing_tables.items():
            self._check_existing(name, table)
        for name in self.settings:
            if not name.startswith("ENGAGEMENT_"):
                raise DeploymentError(f"settings: {name} is no variable of ours; they begin with ENGAGEMENT_")

    def _check_existing(self, name: str, table: ExistingTable) -> None:
        streams: dict[str, bool] = {each.name: each.streams for each in TABLES}
        if name not in streams:
            raise DeploymentError(f"existing_tables: {name} is none of {', '.join(streams)}")
        _check(_TABLE, table.name, f"existing_tables: the name of {name}")
        if streams[name] and not table.stream_arn.startswith(f"arn:aws:dynamodb:{self.region}:"):
            raise DeploymentError(f"existing_tables: stream_arn of {name}: aws dynamodb describe-table shows it")


def load(path: Path | None = None) -> Deployment:
    """Read a file; without a path one's own, or the example where there is none.

    Raises:
        DeploymentError: it cannot be used; says why.
    """
    chosen = path or (OWN if OWN.exists() else EXAMPLE)
    try:
        content = json.loads(chosen.read_text())
    except (OSError, ValueError) as error:
        raise DeploymentError(f"{chosen.name} cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise DeploymentError(f"{chosen.name} holds no JSON object")
    unknown = content.keys() - {each.name for each in fields(Deployment)}
    if unknown:
        raise DeploymentError(f"{chosen.name}: unknown {', '.join(sorted(unknown))}")
    try:
        tables = {name: ExistingTable(**table) for name, table in content.pop("existing_tables", {}).items()}
        return Deployment(**content, existing_tables=tables)
    except (TypeError, AttributeError) as error:
        raise DeploymentError(f"{chosen.name}: {error}") from error


def _check(pattern: "re.Pattern[str]", value: Any, meaning: str) -> None:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise DeploymentError(meaning)
