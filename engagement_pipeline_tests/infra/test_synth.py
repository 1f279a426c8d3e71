"""The templates are written without an account, and linters have nothing to say that nobody has answered."""

import csv
import json
from pathlib import Path

import pytest

from engagement_pipeline_tests.infra.templates import Template, run
from infra.config import EXAMPLE

pytestmark = pytest.mark.integration

# Linters of templates stop at sizes that CloudFormation refuses.
_MOST_BYTES = 1_000_000
_MOST_RESOURCES = 500


def test_cfn_lint_finds_nothing(templates: Path) -> None:
    done = run("cfn-lint", "--config-file", "infra/cfn-lint.yaml", *templates.glob("*.template.json"))
    assert done.stdout == ""
    assert done.returncode == 0


def test_every_rule_of_cdk_nag_is_kept_or_answered(templates: Path) -> None:
    rows = [
        row
        for path in templates.glob("*-NagReport.csv")
        for row in csv.DictReader(path.read_text().splitlines())
        if row["Compliance"] != "Compliant"
    ]
    assert rows, "cdk-nag has not run"
    assert {row["Compliance"] for row in rows} == {"Suppressed"}
    assert all(len(row["Exception Reason"]) > 20 for row in rows)


def test_nothing_has_to_be_looked_up_or_put_anywhere_before(templates: Path) -> None:
    manifest = json.loads((templates / "manifest.json").read_text())
    assert "missing" not in manifest
    stacks = [each for each in manifest["artifacts"].values() if each["type"] == "aws:cloudformation:stack"]
    assert len(stacks) == 2
    entries = [
        entry
        for stack in stacks
        for of_path in json.loads((templates / stack["additionalMetadataFile"]).read_text()).values()
        for entry in of_path
    ]
    assert entries
    assert not [entry for entry in entries if entry["type"] == "aws:cdk:asset"]


def test_cloudformation_takes_templates_of_this_size(templates: Path, data: Template, services: Template) -> None:
    assert all(path.stat().st_size < _MOST_BYTES for path in templates.glob("*.template.json"))
    assert max(len(data.resources), len(services.resources)) < _MOST_RESOURCES


def test_no_code_of_cdks_own_runs_in_the_account(data: Template, services: Template) -> None:
    kinds = {each["Type"] for template in (data, services) for each in template.resources.values()}
    assert not [kind for kind in kinds if kind.startswith("Custom::") or "CustomResource" in kind]
    name, _ = data.only("AWS::Lambda::Function")
    assert name.startswith("Processor")
    assert "AWS::Lambda::Function" not in {each["Type"] for each in services.resources.values()}


def test_a_deployment_that_was_there_before_keeps_its_tables(tmp_path: Path, templates: Path) -> None:
    """Its own key for the model, too, and a database that outlives its zone."""
    earlier = {
        name: {"name": called, "stream_arn": f"arn:aws:dynamodb:us-east-1:111122223333:table/{called}/stream/2024"}
        for name, called in (("users", "Users"), ("emails", "Emails"))
    }
    key = "arn:aws:secretsmanager:us-east-1:111122223333:secret:openai-AbCdEf"
    changes = {"existing_tables": earlier, "openai_secret_arn": key, "database_in_two_zones": True}
    deployment = tmp_path / "deployment.json"
    deployment.write_text(json.dumps(json.loads(EXAMPLE.read_text()) | changes))
    done = run("python", "-m", "infra.app", "--deployment", deployment, "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    data = Template(tmp_path / "engagement-data.template.json")
    assert not [name for name in data.of_type("AWS::DynamoDB::Table") if name.startswith(("Users", "Emails"))]
    read = [each["EventSourceArn"] for each in data.properties("AWS::Lambda::EventSourceMapping").values()]
    assert {each["stream_arn"] for each in earlier.values()} <= {each for each in read if isinstance(each, str)}
    services = Template(tmp_path / "engagement-services.template.json")
    _, database = services.only("AWS::RDS::DBInstance")
    assert database["MultiAZ"] is True
    holders = [
        name
        for name, task in services.properties("AWS::ECS::TaskDefinition").items()
        if any(each["ValueFrom"] == key for each in task["ContainerDefinitions"][0]["Secrets"])
    ]
    # What somebody asks for in the dashboard is written there, in the words that everybody else gets.
    assert sorted(name[:7] for name in holders) == ["CodeTas", "WebTask"]
