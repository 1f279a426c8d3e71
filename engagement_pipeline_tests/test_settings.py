"""Settings: read from the environment, validated once, refusing what would make no sense."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from engagement_pipeline.platform.dynamodb_tables import TABLES
from engagement_pipeline.platform.settings import PROJECT_ROOT, Settings, located
from engagement_pipeline.platform.settings_groups import DynamoSettings, SmtpSettings


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({"ENGAGEMENT_GATE__COOL_DOWN_DAYS": "3"}, "cool_down_days must be at least scoring.email_factor_days"),
        ({"ENGAGEMENT_GATE__MIN_SILENCE_DAYS": "400"}, "must not exceed max_silence_days"),
        ({"ENGAGEMENT_GATE__SENDING_HOUR_FROM": "21"}, "must be before sending_hour_to"),
        ({"ENGAGEMENT_GATE__HOLD_OUT_SHARE": "0.9"}, "less than or equal to 0.5"),
        ({"ENGAGEMENT_SCORING__CRITICAL_BELOW": "60"}, "bands must rise"),
        ({"ENGAGEMENT_SCORING__CRITICAL_BELOW": "29.95"}, "at most one decimal"),
        ({"ENGAGEMENT_SCORING__HORIZON_DAYS": "0"}, "greater than or equal to 1"),
        ({"ENGAGEMENT_SEND_MODE": "yes"}, "'outbox', 'dry_run' or 'live'"),
        ({"ENGAGEMENT_CAMPAIGN": "win back!"}, "pattern"),
        ({"ENGAGEMENT_WEB__FIRST_TOKEN": "egp_short"}, "43 letters"),
        ({"ENGAGEMENT_GATE__COOLDOWN": "30"}, "Extra inputs are not permitted"),
    ],
)
def test_what_makes_no_sense_is_refused(variables: dict[str, str], says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError, match=says):
        Settings()


def test_a_refused_secret_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENGAGEMENT_SECRET_KEY", "too-short")
    with pytest.raises(ValidationError) as refused:
        Settings()
    assert "too-short" not in str(refused.value)


def test_nested_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENGAGEMENT_GATE__COOL_DOWN_DAYS", "35")
    assert Settings().gate.cool_down_days == 35
    assert Settings().gate.max_silence_days == 365


def test_openais_own_variables_are_read_and_ours_win(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings().openai_api_key.get_secret_value() == Settings().openai_base_url == ""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-theirs")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:8000/v1")
    assert Settings().openai_api_key.get_secret_value() == "sk-theirs"
    assert Settings().openai_base_url == "http://127.0.0.1:8000/v1"
    assert "sk-theirs" not in repr(Settings())
    monkeypatch.setenv("ENGAGEMENT_OPENAI_API_KEY", "sk-ours")
    assert Settings().openai_api_key.get_secret_value() == "sk-ours"
    monkeypatch.setenv("ENGAGEMENT_COPYWRITING__BUDGET_USD", "2.5")
    assert Settings().copywriting.budget_usd == 2.5


_TABLES = {name: f"Shop-{name}" for name in DynamoSettings().tables}
_NAMED = {f"{name}_table": called for name, called in _TABLES.items()}


def test_all_tables_are_named_or_none() -> None:
    assert not DynamoSettings().is_set
    named = DynamoSettings.model_validate(_NAMED)
    assert named.is_set
    assert named.tables == _TABLES
    assert named.tables.keys() == {table.name for table in TABLES}
    for name in _NAMED:
        with pytest.raises(ValidationError, match=f"{name} missing"):
            DynamoSettings.model_validate({other: called for other, called in _NAMED.items() if other != name})


def test_a_queue_of_changes_needs_tables() -> None:
    with pytest.raises(ValidationError, match="changes_queue_url"):
        DynamoSettings(changes_queue_url="https://sqs.eu-west-1.amazonaws.com/1/changes")


def test_paths_are_told_whole(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    given = Settings(
        data_dir=Path("shop"),
        catalogue_file=Path("/srv/catalogue.yaml"),
        database_url="sqlite:///shop/store.db?timeout=5",
        smtp=SmtpSettings(dkim_key_file=Path("keys/dkim.pem"), dkim_selector="a", dkim_domain="our-shop.net"),
    )
    assert located(given) == {
        "ENGAGEMENT_DATA_DIR": str(tmp_path / "shop"),
        "ENGAGEMENT_BRAND_FILE": str(PROJECT_ROOT / "data" / "brand.yaml"),
        "ENGAGEMENT_CATALOGUE_FILE": "/srv/catalogue.yaml",
        "ENGAGEMENT_SMTP__DKIM_KEY_FILE": str(tmp_path / "keys" / "dkim.pem"),
        "ENGAGEMENT_DATABASE_URL": f"sqlite:///{tmp_path}/shop/store.db?timeout=5",
    }


@pytest.mark.parametrize("url", ["", "sqlite://", "sqlite:///:memory:", "postgresql://shop@host/name"])
def test_a_store_that_is_no_file_stays_where_it_is(url: str) -> None:
    assert located(Settings(database_url=url)).get("ENGAGEMENT_DATABASE_URL", "") == url
