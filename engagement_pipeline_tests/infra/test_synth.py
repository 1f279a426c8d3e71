"""The templates are written without an account, and linters have nothing to say that nobody has answered."""

import csv
import json
from pathlib import Path

import pytest

from engagement_pipeline_tests.infra.templates import Template, run

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


def test_a_file_that_says_nonsense_is_refused_in_a_sentence(tmp_path: Path, templates: Path) -> None:
    wrong = tmp_path / "deployment.json"
    wrong.write_text('{"name": "Engagement!"}')
    done = run("python", "-m", "infra.app", "--deployment", wrong, "--out", tmp_path / "out")
    assert done.returncode == 2
    assert "missing" in done.stderr
    assert "Traceback" not in done.stderr
