"""Tokens from the command line, and whom the web server lets in."""

import json
from pathlib import Path

import pytest

from engagement_pipeline_tests.cli.test_cli import engagement

KEY = {"ENGAGEMENT_SECRET_KEY": "a secret key that only the tests know"}


@pytest.mark.integration
def test_a_token_is_shown_once_listed_and_revoked(tmp_path: Path) -> None:
    added = engagement(tmp_path, "tokens", "add", "shop-backend", "--scope", "write")
    assert added.returncode == 0
    token = added.stdout.strip()
    assert token.startswith("egp_")
    listed = engagement(tmp_path, "tokens", "list", "--json")
    (row,) = json.loads(listed.stdout)["tokens"]
    assert (row["name"], row["scope"], row["revoked_at"]) == ("shop-backend", "write", None)
    assert token not in listed.stdout
    assert "shop-backend" in engagement(tmp_path, "tokens", "list").stdout
    again = engagement(tmp_path, "tokens", "add", "shop-backend")
    assert (again.returncode, "shop-backend" in again.stderr) == (2, True)
    assert engagement(tmp_path, "tokens", "revoke", "shop-backend").returncode == 0
    assert engagement(tmp_path, "tokens", "revoke", "shop-backend").returncode == 2
    assert engagement(tmp_path, "tokens", "add", "no spaces").returncode == 2


@pytest.mark.integration
def test_without_a_token_the_web_server_serves_this_machine_alone(tmp_path: Path) -> None:
    refused = engagement(tmp_path, "web", "--host", "0.0.0.0", **KEY)
    assert refused.returncode == 2
    assert "engagement tokens add" in refused.stderr


@pytest.mark.integration
def test_with_the_published_key_it_serves_this_machine_alone(tmp_path: Path) -> None:
    assert engagement(tmp_path, "tokens", "add", "shop").returncode == 0
    refused = engagement(tmp_path, "web", "--host", "0.0.0.0")
    assert refused.returncode == 2
    assert "ENGAGEMENT_SECRET_KEY" in refused.stderr
