"""Giving a person what is known about them, and forgetting them, from the command line."""

import json
import os
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from engagement_pipeline.cli import app
from engagement_pipeline.delivery import erasure
from engagement_pipeline.pipeline import Pipeline
from engagement_pipeline.platform.audit import audit_log
from engagement_pipeline.platform.errors import BadInputError
from engagement_pipeline.platform.settings import get_settings
from engagement_pipeline_tests.delivery.parts import order, silent_user

runner = CliRunner()
LONG_AGO = datetime.now(timezone.utc) - timedelta(days=90)


@pytest.fixture
def pipeline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pipeline]:
    """The store that commands in this process use, with one user."""
    for name in [name for name in os.environ if name.startswith("ENGAGEMENT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("ENGAGEMENT_DATA_DIR", str(tmp_path))
    get_settings.cache_clear()
    pipeline = Pipeline(get_settings())
    pipeline.store.put_users([silent_user(1, "zoe@example.com")], LONG_AGO)
    pipeline.store.put_orders([order("u00001", LONG_AGO)], LONG_AGO)
    yield pipeline
    pipeline.database.close()
    get_settings.cache_clear()


def actions(pipeline: Pipeline) -> list[tuple[str, str]]:
    with pipeline.database.read() as connection:
        return [(row.actor, row.action) for row in connection.execute(sa.select(audit_log))]


def test_export_to_the_screen_and_to_a_file_that_only_its_owner_reads(pipeline: Pipeline, tmp_path: Path) -> None:
    shown = runner.invoke(app, ["users", "export", "u00001"], catch_exceptions=False)
    assert json.loads(shown.stdout)["user"]["email"] == "zoe@example.com"
    path = tmp_path / "known.json"
    path.write_text("something longer that was there before, readable by all" * 1_000)
    path.chmod(0o644)
    runner.invoke(app, ["users", "export", "u00001", "--to", str(path)], catch_exceptions=False)
    assert json.loads(path.read_text())["user"]["email"] == "zoe@example.com"
    assert path.stat().st_mode & 0o077 == 0
    assert actions(pipeline) == [("cli", "user.exported")] * 2


def test_erase_asks_first(pipeline: Pipeline) -> None:
    answered_no = runner.invoke(app, ["users", "erase", "u00001"], input="n\n")
    assert answered_no.exit_code == 1
    assert pipeline.store.get_user("u00001") is not None
    assert runner.invoke(app, ["users", "erase", "u00001"], input="y\n").exit_code == 0
    assert pipeline.store.get_user("u00001") is None
    assert actions(pipeline) == [("cli", "user.erased")]


def test_erase_says_what_became_of_it(pipeline: Pipeline) -> None:
    pipeline.store.put_users([silent_user(2, "ZOE@example.com")], LONG_AGO)
    answer = json.loads(runner.invoke(app, ["users", "erase", "u00001", "--yes", "--json"]).stdout)
    assert (answer["orders"], answer["suppressed"], answer["same_address"], answer["left"]) == (1, 1, ["u00002"], None)
    shown = runner.invoke(app, ["users", "erase", "u00002", "--yes"]).stdout
    assert "0 orders" in shown
    assert "zoe" not in shown.lower()


def test_erase_says_what_is_left_to_do(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(erasure, "wipe", lambda *_: False)
    result = runner.invoke(app, ["users", "erase", "u00001", "--yes"])
    assert result.exit_code == 1
    assert "Not finished yet" in result.stdout


@pytest.mark.parametrize("arguments", [["export", "nobody"], ["erase", "nobody", "--yes"]])
def test_nobody_has_this_id(pipeline: Pipeline, arguments: list[str]) -> None:
    with pytest.raises(BadInputError, match="nothing is known"):
        runner.invoke(app, ["users", *arguments], catch_exceptions=False)
    assert actions(pipeline) == []
