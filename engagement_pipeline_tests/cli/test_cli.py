"""The command line as a newcomer meets it: help, results, JSON, exit codes, and never a traceback."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from engagement_pipeline.cli import app

COMMANDS = [
    ["demo"],
    ["dev"],
    ["import"],
    ["import", "users"],
    ["import", "orders"],
    ["add-order"],
    ["rejected"],
    ["score"],
    ["backtest"],
    ["explain"],
    ["send"],
    ["deliveries"],
    ["deliveries", "unknown"],
    ["deliveries", "resolve"],
    ["deliveries", "replay"],
    ["deliveries", "resume"],
    ["copy"],
    ["copy", "sample"],
    ["copy", "approve"],
    ["copy", "reject"],
    ["copy", "status"],
    ["preview"],
    ["suppressions"],
    ["suppressions", "list"],
    ["suppressions", "add"],
    ["suppressions", "remove"],
    ["suppressions", "import"],
    ["suppressions", "export"],
    ["users"],
    ["users", "export"],
    ["users", "erase"],
    ["tokens"],
    ["tokens", "add"],
    ["tokens", "list"],
    ["tokens", "revoke"],
    ["web"],
    ["status"],
]
ORDERS = "order_id,user_id,ordered_at,total_value,item_count\no1,u1,2026-01-05,20.00,1\no2,u1,2026-02-05,30.00,2\n"
USERS = "user_id,email,name,consent,time_zone\nu1,u1@example.com,Ada,true,UTC\n"


def engagement(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the command as a user would, in a process of its own."""
    environment = {**os.environ, "ENGAGEMENT_DATA_DIR": str(folder / "local"), **variables}
    environment.pop("DAGSTER_HOME", None)
    command = [sys.executable, "-c", "from engagement_pipeline.cli import main; main()", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_explains_itself(command: list[str]) -> None:
    result = CliRunner().invoke(app, [*command, "--help"])
    assert result.exit_code == 0
    assert "Usage" in result.stdout


def test_status_says_who_writes_the_copy_and_why(tmp_path: Path) -> None:
    without = engagement(tmp_path, "status")
    assert "Copy is written by templates (no key" in without.stdout
    with_key = json.loads(engagement(tmp_path, "status", "--json", OPENAI_API_KEY="sk-not-a-real-key").stdout)
    assert (with_key["copy_by"], with_key["why_templates"]) == ("gpt-4.1-mini", None)
    assert "sk-not" not in str(with_key)


def test_import_explain_and_status(tmp_path: Path) -> None:
    (tmp_path / "users.csv").write_text(USERS)
    (tmp_path / "orders.csv").write_text(ORDERS + "o3,u9,2026-02-05,30.00,2\n")
    users = engagement(tmp_path, "import", "users", "users.csv", "--json")
    assert json.loads(users.stdout)["created"] == 1
    orders = json.loads(engagement(tmp_path, "import", "orders", "orders.csv", "--json").stdout)
    assert (orders["created"], orders["rejected"]) == (2, 1)
    again = json.loads(engagement(tmp_path, "import", "orders", "orders.csv", "--json").stdout)
    assert (again["created"], again["updated"], again["unchanged"]) == (0, 0, 2)
    rejected = json.loads(engagement(tmp_path, "rejected", "--json").stdout)
    assert rejected["by_reason"] == {"unknown_user": 1}
    assert json.loads(engagement(tmp_path, "status", "--json").stdout)["rejected_by_reason"] == {"unknown_user": 1}
    added = json.loads(engagement(tmp_path, "add-order", "u1", "50", "--sku", "DR-101", "--json").stdout)
    assert added["created"] == 1


def test_score_touches_no_store(tmp_path: Path) -> None:
    (tmp_path / "shop.csv").write_text("client;placed;worth\nc1;2026-01-05;10\nc1;2026-02-01;20\nc2;2026-02-02;5\n")
    result = engagement(
        tmp_path,
        *("score", "--orders", "shop.csv", "--out", "scores.csv"),
        *("--user-column", "client", "--time-column", "placed", "--value-column", "worth"),
    )
    assert result.returncode == 0, result.stderr
    rows = list(csv.DictReader((tmp_path / "scores.csv").open()))
    assert list(rows[0]) == [
        "user_id",
        "score",
        "band",
        "order_days",
        "days_since_last_order",
        "average_order_value",
    ]
    assert {row["user_id"] for row in rows} == {"c1", "c2"}
    assert not (tmp_path / "local").exists()


def test_send_dry_run_changes_nothing(tmp_path: Path) -> None:
    result = engagement(tmp_path, "send", "--dry-run", "--json")
    assert json.loads(result.stdout)["dry_run"] is True
    assert not (tmp_path / "local" / "outbox").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["score", "--orders", "missing.csv", "--out", "out.csv"], "missing.csv"),
        (["import", "orders", "missing.csv"], "missing.csv"),
        (["explain", "nobody"], "nobody"),
        (["add-order", "nobody", "10"], "nobody"),
        (["backtest", "--orders", "one.csv"], "one.csv"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(arguments: list[str], says: str, tmp_path: Path) -> None:
    (tmp_path / "one.csv").write_text("")
    result = engagement(tmp_path, *arguments)
    assert result.returncode == 2
    assert says in result.stderr
    assert "Traceback" not in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_bad_settings_are_bad_input(tmp_path: Path) -> None:
    result = engagement(tmp_path, "status", ENGAGEMENT_GATE__COOL_DOWN_DAYS="3")
    assert result.returncode == 2
    assert "cool_down_days" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_failure_is_exit_code_1_without_traceback(tmp_path: Path) -> None:
    (tmp_path / "local").mkdir()
    (tmp_path / "local" / "engagement.db").write_text("this is no database")
    result = engagement(tmp_path, "status")
    assert result.returncode == 1
    assert "Traceback" not in result.stderr


def test_live_mode_is_refused_without_a_provider(tmp_path: Path) -> None:
    result = engagement(tmp_path, "send", ENGAGEMENT_SEND_MODE="live")
    assert result.returncode == 2
    assert "live" in result.stderr
