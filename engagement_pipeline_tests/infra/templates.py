"""CloudFormation templates as tests ask them."""

import json
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from engagement_pipeline.platform.settings import PROJECT_ROOT

# In an environment of its own: CDK is large, and shares nothing with what runs.
PROGRAMS = PROJECT_ROOT / ".venv-infra" / "bin"

Properties = Mapping[str, Any]


class Template:
    """What one stack consists of."""

    def __init__(self, path: Path) -> None:
        self.content: Mapping[str, Any] = json.loads(path.read_text())
        self.resources: Mapping[str, Any] = self.content["Resources"]

    def of_type(self, kind: str) -> dict[str, Any]:
        """Return the resources of a type by their names in the template; there must be some."""
        found = {name: each for name, each in self.resources.items() if each["Type"] == kind}
        assert found, f"no {kind}"
        return found

    def properties(self, kind: str) -> dict[str, Properties]:
        """Return the properties of all resources of a type."""
        return {name: each.get("Properties", {}) for name, each in self.of_type(kind).items()}

    def only(self, kind: str, beginning: str = "") -> tuple[str, Properties]:
        """Return the one resource of a type whose name begins so."""
        found = [(name, each) for name, each in self.properties(kind).items() if name.startswith(beginning)]
        assert len(found) == 1, [name for name, _ in found]
        return found[0]

    def statements_of(self, role: str) -> list[Properties]:
        """Return what a role may do: those statements that policies of this template give it."""
        found = []
        for policy in self.properties("AWS::IAM::Policy").values():
            if any(each["Ref"].startswith(role) for each in policy["Roles"]):
                found += policy["PolicyDocument"]["Statement"]
        assert found, f"{role} may do nothing"
        return found

    def all_statements(self) -> Iterator[tuple[str, Properties]]:
        """Return everything that policies of roles allow, with the policy's name."""
        for name, policy in self.properties("AWS::IAM::Policy").items():
            for statement in policy["PolicyDocument"]["Statement"]:
                yield name, statement
        for name, role in self.properties("AWS::IAM::Role").items():
            for policy in role.get("Policies", []):
                for statement in policy["PolicyDocument"]["Statement"]:
                    yield name, statement


def run(program: str, *arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    """Run a program of that environment in the project's folder."""
    command = [str(PROGRAMS / program), *map(str, arguments)]
    return subprocess.run(command, cwd=PROJECT_ROOT, capture_output=True, text=True, timeout=240, check=False)


def listed(value: Any) -> list[Any]:
    """Return what CloudFormation lets be one thing or a list of things as a list."""
    return value if isinstance(value, list) else [value]


def actions_of(statements: list[Properties]) -> set[str]:
    """Return every action of some statements."""
    return {action for each in statements for action in listed(each["Action"])}


def target_of(value: Any) -> str:
    """Return the name of the resource that a reference leads to."""
    if "Ref" in value:
        return str(value["Ref"])
    return str(value["Fn::GetAtt"][0])
