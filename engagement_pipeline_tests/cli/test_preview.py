"""`engagement preview` in processes of its own: what it prints, where the page is, and who may read it."""

import json
import shutil
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from engagement_pipeline_tests.cli.test_cli import engagement

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with one user, and a warehouse that nobody could open."""
    folder = tmp_path_factory.mktemp("shop")
    day = (datetime.now(timezone.utc) - timedelta(days=90)).date()
    (folder / "users.csv").write_text("user_id,email,name,consent\nu1,u1@example.com,Ada Lovelace,true\n")
    (folder / "orders.csv").write_text(f"order_id,user_id,ordered_at,total_value,item_count\no1,u1,{day},20,1\n")
    for what in ("users", "orders"):
        assert engagement(folder, "import", what, f"{what}.csv").returncode == 0
    (folder / "local" / "warehouse.duckdb").write_text("in somebody else's hands")
    return folder


@pytest.fixture
def shop(opened: Path, tmp_path: Path) -> Path:
    return shutil.copytree(opened, tmp_path / "shop")


def test_the_email_is_printed_and_its_page_is_for_this_account_alone(shop: Path) -> None:
    result = engagement(shop, "preview", "--user", "u1")
    assert result.returncode == 0, result.stderr
    assert "Ada," in result.stdout
    assert "at no cost: no key: a model writes once OPENAI_API_KEY" in result.stdout
    [page] = (shop / "local" / "preview").iterdir()
    assert str(page) in result.stdout
    assert page.stat().st_mode & 0o777 == 0o600
    assert "<!doctype html>" in page.read_text(encoding="utf-8")
    assert "u1" not in page.name
    for private in ("u1@example.com", "Lovelace"):
        assert private not in result.stdout + page.read_text(encoding="utf-8")
    assert engagement(shop, "preview", "--user", "u1", "--fresh").returncode == 0
    assert len([*page.parent.iterdir()]) == 1
    assert not (shop / "local" / "outbox").exists()


def test_scripts_get_json_and_a_page_where_they_want_it(shop: Path) -> None:
    result = engagement(shop, "preview", "--user", "u1", "--variant", "idea", "--out", "page.html", "--json")
    shown = json.loads(result.stdout)
    assert (shown["variant"], shown["brief"]["silence"], shown["may_go"]) == ("idea", "about_a_season", False)
    assert shown["page"] == "page.html"
    assert (shop / "page.html").exists()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--user", "u2"], "there is no user 'u2'"),
        (["--user", "u1", "--variant", "loud"], "there is no variant 'loud': note, idea"),
        (["--user", "u1", "--out", "users.csv/page.html"], "users.csv/page.html cannot be written"),
    ],
)
def test_bad_input_ends_with_a_sentence(shop: Path, arguments: list[str], sentence: str) -> None:
    result = engagement(shop, "preview", *arguments)
    assert result.returncode == 2
    assert sentence in result.stderr
    assert len(result.stderr.splitlines()) == 1
