"""Puts a stack into an account: `python -m infra.deploy data`, later `python -m infra.deploy services --image-tag TAG`.

It shows what would change, asks, and says in the end what was made. With AWS_ENDPOINT_URL it talks to an emulator.
Credentials come from where boto3 always looks for them. Run `make synth` before.

Exit codes: 0 success, 1 failure, 2 bad input.
"""

import argparse
import sys
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from infra.artefacts import MADE_OF, STREAM_PROCESSOR, Artefact, bucket_name, made_of
from infra.config import FOLDER, MAIL_FROM, Deployment, DeploymentError, load

TEMPLATES: Final = FOLDER / "cdk.out"
_SUFFIX: Final = ".template.json"
STACKS: Final = ("data", "services")
# A database takes a quarter of an hour; two hours mean that something hangs.
_PATIENCE: Final = {"Delay": 5, "MaxAttempts": 1_440}
_QUICK: Final = {"Delay": 1, "MaxAttempts": 300}
_NOTHING_TO_DO: Final = ("didn't contain changes", "No updates are to be performed")
# RFC 2606: names of examples, which nobody can send from.
_RESERVED: Final = (".example.com", ".example.net", ".example.org", ".example", ".test", ".invalid")


class FailedError(Exception):
    """AWS did not make it; says what it said."""


@dataclass(frozen=True)
class Change:
    """What would become of one resource."""

    action: str
    name: str
    kind: str
    replaced: bool

    def __str__(self) -> str:
        """Return a line for people."""
        return f"{self.action.lower():8}{self.kind:46}{self.name}{'  (made anew)' if self.replaced else ''}"


class Account:
    """An AWS account, or an emulator of one."""

    def __init__(self, region: str, endpoint_url: str | None = None) -> None:
        """Take where it is; an address only for an emulator."""
        import boto3

        session = boto3.session.Session(region_name=region)
        self.region = region
        self.clouds, self._s3, self._ses, identity = (
            session.client(service, endpoint_url=endpoint_url) for service in ("cloudformation", "s3", "sesv2", "sts")
        )
        self.bucket = bucket_name(identity.get_caller_identity()["Account"], region)

    def prepare(self) -> None:
        """Make the bucket for templates and code, if there is none, and put the stream processor's code there."""
        from botocore.exceptions import ClientError

        try:
            self._s3.head_bucket(Bucket=self.bucket)
        except ClientError:
            elsewhere = {"CreateBucketConfiguration": {"LocationConstraint": self.region}}
            self._s3.create_bucket(Bucket=self.bucket, **({} if self.region == "us-east-1" else elsewhere))
            closed = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
            self._s3.put_public_access_block(
                Bucket=self.bucket, PublicAccessBlockConfiguration=dict.fromkeys(closed, True)
            )
        self.put(STREAM_PROCESSOR)

    def put(self, artefact: Artefact) -> str:
        """Put a file into the bucket; return its address."""
        self._s3.put_object(Bucket=self.bucket, Key=artefact.key, Body=artefact.content)
        return f"https://s3.{self.region}.amazonaws.com/{self.bucket}/{artefact.key}"

    def propose(self, stack: str, template: Path, parameters: Mapping[str, str]) -> "Proposal | None":
        """Ask what a template would change; None where that is nothing.

        Raises:
            FailedError: it cannot be used.
        """
        from botocore.exceptions import ClientError

        url = self.put(Artefact(f"templates/{template.name}", template.read_bytes()))
        exists = self._is_there(stack)
        try:
            change_set: str = self.clouds.create_change_set(
                StackName=stack,
                ChangeSetName=f"deploy-{uuid.uuid4().hex}",
                ChangeSetType="UPDATE" if exists else "CREATE",
                TemplateURL=url,
                Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
                Capabilities=["CAPABILITY_IAM"],
            )["Id"]
        except ClientError as error:
            # Such as a stack whose making failed: it can only be deleted.
            raise FailedError(str(error)) from error
        found = self._wait_for(stack, change_set)
        if found["Status"] == "FAILED":
            reason = found.get("StatusReason", "")
            self.clouds.delete_change_set(StackName=stack, ChangeSetName=change_set)
            if any(words in reason for words in _NOTHING_TO_DO):
                return None
            raise FailedError(reason)
        return Proposal(stack, change_set, new=not exists)

    def changes(self, proposal: "Proposal") -> Iterator[Change]:
        """Return what a proposal would change."""
        pages = self.clouds.get_paginator("describe_change_set")
        for page in pages.paginate(StackName=proposal.stack, ChangeSetName=proposal.change_set):
            for each in page["Changes"]:
                change = each["ResourceChange"]
                replaced = change.get("Replacement") in ("True", "Conditional")
                yield Change(change["Action"], change["LogicalResourceId"], change["ResourceType"], replaced)

    def carry_out(self, proposal: "Proposal", patience: Mapping[str, int] = _PATIENCE) -> None:
        """Change what was proposed, and wait until it is done.

        Raises:
            FailedError: AWS took it back.
        """
        from botocore.exceptions import WaiterError

        self.clouds.execute_change_set(StackName=proposal.stack, ChangeSetName=proposal.change_set)
        waiter = self.clouds.get_waiter("stack_create_complete" if proposal.new else "stack_update_complete")
        try:
            waiter.wait(StackName=proposal.stack, WaiterConfig=dict(patience))
        except WaiterError as error:
            raise FailedError("\n".join(self._what_went_wrong(proposal.stack)) or str(error)) from error

    def protect(self, stack: str) -> None:
        """See to it that a stack is not deleted by mistake."""
        self.clouds.update_termination_protection(StackName=stack, EnableTerminationProtection=True)

    def outputs(self, stack: str) -> list[Mapping[str, Any]]:
        """Return what a stack says of itself: OutputKey, OutputValue, Description."""
        found = self.clouds.describe_stacks(StackName=stack)["Stacks"][0]
        return list(found.get("Outputs", []))

    def variables(self, stack: str) -> dict[str, str]:
        """Return the settings by which a program finds what the data stack has made."""
        return {
            output["Description"]: output["OutputValue"]
            for output in self.outputs(stack)
            if output.get("Description", "").startswith("ENGAGEMENT_")
        }

    def records_of(self, domain: str) -> list[str]:
        """Return what has to stand in a domain's DNS before SES sends in its name."""
        signing = self._ses.get_email_identity(EmailIdentity=domain)["DkimAttributes"].get("Tokens", [])
        return [
            *(f"{token}._domainkey.{domain}  CNAME  {token}.dkim.amazonses.com" for token in signing),
            f"{MAIL_FROM}.{domain}  MX  10 feedback-smtp.{self.region}.amazonses.com",
            f'{MAIL_FROM}.{domain}  TXT  "v=spf1 include:amazonses.com ~all"',
            f'_dmarc.{domain}  TXT  "v=DMARC1; p=none;"  (unless there is one)',
        ]

    def _is_there(self, stack: str) -> bool:
        from botocore.exceptions import ClientError

        try:
            found = self.clouds.describe_stacks(StackName=stack)["Stacks"][0]
        except ClientError as error:
            if "does not exist" in str(error):
                return False
            raise
        return bool(found["StackStatus"] != "REVIEW_IN_PROGRESS")

    def _wait_for(self, stack: str, change_set: str) -> Mapping[str, Any]:
        from botocore.exceptions import WaiterError

        waiter = self.clouds.get_waiter("change_set_create_complete")
        try:
            waiter.wait(StackName=stack, ChangeSetName=change_set, WaiterConfig=dict(_QUICK))
        except WaiterError as error:
            found: Mapping[str, Any] = error.last_response
            return found
        return dict(self.clouds.describe_change_set(StackName=stack, ChangeSetName=change_set))

    def _what_went_wrong(self, stack: str) -> Iterator[str]:
        for event in self.clouds.describe_stack_events(StackName=stack)["StackEvents"]:
            if event["ResourceStatus"].endswith("_FAILED"):
                yield f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason', '')}"


@dataclass(frozen=True)
class Proposal:
    """What AWS would do, written down there until somebody says go."""

    stack: str
    change_set: str
    new: bool


def check_templates(deployment: Deployment, folder: Path) -> None:
    """Check that the templates are those of this deployment and of this code.

    Raises:
        DeploymentError: they have to be written anew.
    """
    path = folder / MADE_OF
    if not path.exists() or path.read_text() != made_of(deployment):
        raise DeploymentError(f"{folder} holds no templates, or those of another deployment or other code: make synth")


def main(arguments: list[str] | None = None) -> int:
    """Deploy what the command line says."""
    parser = argparse.ArgumentParser(description="Put a stack into the account, after showing what would change.")
    parser.add_argument("stack", choices=STACKS)
    parser.add_argument("--image-tag", help="of the image that the services run")
    parser.add_argument("--templates", type=Path, default=TEMPLATES, help="where they were written")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    given = parser.parse_args(arguments)
    try:
        deployment = load()
        _check_names(deployment)
        check_templates(deployment, given.templates)
        if (given.stack == "services") != bool(given.image_tag):
            raise DeploymentError("services need --image-tag, data has no use for it")
        template = given.templates / f"{deployment.name}-{given.stack}{_SUFFIX}"
        _deploy(deployment, template, {"ImageTag": given.image_tag} if given.image_tag else {}, ask=not given.yes)
    except DeploymentError as error:
        _tell(str(error))
        return 2
    except FailedError as error:
        _tell(f"It was not made:\n{error}")
        return 1
    return 0


def _check_names(deployment: Deployment) -> None:
    for host in (deployment.sender_domain, deployment.web_host, deployment.dagster_host):
        if f".{host}".endswith(_RESERVED):
            raise DeploymentError(f"{host} is an example's: write infra/deployment.json, as docs/deployment.md says")


def _deploy(deployment: Deployment, template: Path, parameters: Mapping[str, str], *, ask: bool) -> None:
    account = Account(deployment.region)
    account.prepare()
    stack = template.name.removesuffix(_SUFFIX)
    proposal = account.propose(stack, template, parameters)
    if proposal is None:
        _tell("Nothing to change.")
    else:
        for change in account.changes(proposal):
            _tell(str(change))
        if ask and input("Go on? [y/N] ").strip().lower() != "y":
            account.clouds.delete_change_set(StackName=stack, ChangeSetName=proposal.change_set)
            _tell("Left as it was.")
            return
        account.carry_out(proposal)
        account.protect(stack)
    for output in account.outputs(stack):
        if output.get("Description"):
            _tell(f"{output['Description']}: {output['OutputValue']}")
    if stack.endswith("-data"):
        _tell(f"\nFor the DNS of {deployment.sender_domain}:")
        for record in account.records_of(deployment.sender_domain):
            _tell(f"  {record}")


def _tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main())
