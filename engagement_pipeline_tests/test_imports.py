"""The corridor has one direction, and start-up pays for nothing that it does not use."""

import subprocess
import sys

import pytest

from engagement_pipeline.platform.settings import PROJECT_ROOT

HEAVY = ("pandas", "matplotlib", "openai", "boto3", "alembic", "polars", "typer", "rich", "pyarrow", "fastapi")


def test_rooms_import_only_from_the_left() -> None:
    # In a process of its own: it silences the loggers of the one that it runs in.
    command = [sys.executable, "-c", "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports())"]
    result = subprocess.run(command, cwd=PROJECT_ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout


def test_definitions_import_nothing_heavy() -> None:
    code = f"import sys, engagement_pipeline.definitions; print([m for m in {HEAVY} if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


@pytest.mark.parametrize("command", [[], ["import"], ["score"]])
def test_help_is_quick_to_import(command: list[str]) -> None:
    code = (
        "import sys; from engagement_pipeline.cli import app; from typer.testing import CliRunner\n"
        f"assert CliRunner().invoke(app, {[*command, '--help']}).exit_code == 0\n"
        "print([m for m in ('dagster', 'duckdb', 'pandas', 'sqlalchemy', 'fastapi') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
