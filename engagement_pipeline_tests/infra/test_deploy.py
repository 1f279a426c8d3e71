"""The very template that an account gets, made by an AWS-compatible server: an item changes, and a message waits."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engagement_pipeline_tests.aws_server import REGION
from infra.config import EXAMPLE, FOLDER, DeploymentError, load
from infra.demo.cloud import DOMAIN, write_deployment
from infra.deploy import Account, FailedError, check_templates, main

pytestmark = pytest.mark.integration

_STACK = "engagement-data"
_PATIENCE = {"Delay": 1, "MaxAttempts": 60}


@pytest.fixture
def account(ministack: str) -> Account:
    found = Account(REGION, ministack)
    found.prepare()
    return found


def _deploy(account: Account, template: Path) -> bool:
    proposal = account.propose(_STACK, template, {})
    if proposal is None:
        return False
    account.carry_out(proposal, _PATIENCE)
    return True


@pytest.fixture
def template(templates: Path) -> Path:
    return templates / f"{_STACK}.template.json"


def test_a_changed_item_becomes_a_message_in_the_queue(ministack: str, account: Account, template: Path) -> None:
    import boto3

    assert _deploy(account, template)
    found = account.variables(_STACK)
    tables = boto3.client("dynamodb", region_name=REGION, endpoint_url=ministack)
    queues = boto3.client("sqs", region_name=REGION, endpoint_url=ministack)
    users = found["ENGAGEMENT_DYNAMODB__USERS_TABLE"]
    tables.put_item(TableName=users, Item={"userId": {"S": "u-1"}, "orderCount": {"N": "3"}})
    event = _next_message(queues, found["ENGAGEMENT_DYNAMODB__CHANGES_QUEUE_URL"])
    assert (event["entity"], event["entity_id"], event["operation"]) == ("user", "u-1", "created")
    assert event["new"]["orderCount"] == 3


def test_what_is_there_already_is_left_alone(account: Account, template: Path) -> None:
    assert _deploy(account, template)
    assert not _deploy(account, template)


def test_a_change_is_shown_before_it_is_made(account: Account, template: Path, tmp_path: Path) -> None:
    assert _deploy(account, template)
    content = json.loads(template.read_text())
    (queue,) = [name for name in content["Resources"] if name.startswith("ChangesQueue") and len(name) == 20]
    content["Resources"][queue]["Properties"]["VisibilityTimeout"] = 600
    changed = tmp_path / "changed.template.json"
    changed.write_text(json.dumps(content))
    proposal = account.propose(_STACK, changed, {})
    assert proposal is not None
    assert not proposal.new
    assert queue in [change.name for change in account.changes(proposal)]
    account.carry_out(proposal, _PATIENCE)
    assert not _deploy(account, changed)


def test_what_cannot_be_made_is_told_with_its_reason(account: Account, template: Path, tmp_path: Path) -> None:
    content = json.loads(template.read_text())
    broken = tmp_path / "broken.template.json"
    unknown = content | {"Resources": content["Resources"] | {"Wrong": {"Type": "AWS::Nobody::Knows"}}}
    broken.write_text(json.dumps(unknown))
    with pytest.raises(FailedError, match="Nobody"):
        _deploy(account, broken)
    (topic,) = [name for name in content["Resources"] if name.startswith("ChangesTopic") and len(name) == 20]
    content["Outputs"]["Wrong"] = {"Value": {"Fn::GetAtt": [topic, "Nothing"]}}
    broken.write_text(json.dumps(content))
    with pytest.raises(FailedError, match="ROLLBACK"):
        _deploy(account, broken)


def test_templates_of_another_deployment_or_other_code_are_not_deployed(
    templates: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment = load(write_deployment(tmp_path))
    check_templates(deployment, templates)
    with pytest.raises(DeploymentError, match="make synth"):
        check_templates(deployment, tmp_path)
    with pytest.raises(DeploymentError, match="make synth"):
        check_templates(replace(deployment, settings={"ENGAGEMENT_SEND_MODE": "live"}), templates)
    code = shutil.copytree(FOLDER, tmp_path / "infra", ignore=shutil.ignore_patterns("cdk.out", "deployment.json"))
    monkeypatch.setattr("infra.artefacts.FOLDER", code)
    check_templates(deployment, templates)
    with (code / "services" / "tasks.py").open("a") as file:
        file.write("# something else\n")
    with pytest.raises(DeploymentError, match="make synth"):
        check_templates(deployment, templates)


def test_an_examples_names_are_not_deployed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("infra.config.OWN", EXAMPLE)
    assert main(["data"]) == 2
    assert "example's" in capsys.readouterr().out


@pytest.mark.usefixtures("account")
def test_nothing_is_made_before_somebody_says_yes(
    ministack: str,
    templates: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", ministack)
    monkeypatch.setattr("infra.config.OWN", write_deployment(tmp_path))
    monkeypatch.setattr("builtins.input", lambda prompt: "")
    command = ["data", "--templates", str(templates)]
    assert main(command) == 0
    said = capsys.readouterr().out
    assert "AWS::DynamoDB::Table" in said
    assert said.endswith("Left as it was.\n")
    assert main([*command, "--yes"]) == 0
    said = capsys.readouterr().out
    assert "ENGAGEMENT_DYNAMODB__USERS_TABLE: " in said
    assert f"bounce.{DOMAIN}  MX" in said
    assert main(command) == 0
    assert capsys.readouterr().out.startswith("Nothing to change.\n")


def test_services_are_not_deployed_without_an_image(
    templates: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("infra.config.OWN", write_deployment(tmp_path))
    assert main(["services", "--templates", str(templates)]) == 2
    assert "--image-tag" in capsys.readouterr().out


def test_the_domains_owner_is_told_what_its_dns_needs(account: Account, template: Path) -> None:
    _deploy(account, template)
    records = account.records_of(DOMAIN)
    assert any("MX" in record and "feedback-smtp.us-east-1" in record for record in records)
    assert any("spf1" in record for record in records)


def _next_message(queues: Any, url: str) -> Any:
    for _ in range(10):
        found = queues.receive_message(QueueUrl=url, WaitTimeSeconds=2).get("Messages")
        if found:
            return json.loads(found[0]["Body"])
    raise AssertionError("nothing came")
