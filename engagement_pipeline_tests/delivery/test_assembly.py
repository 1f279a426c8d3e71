import os
import subprocess
import sys
from pathlib import Path
from typing import Literal

import pytest
from pydantic import SecretStr

from engagement_pipeline.delivery.assembly import mailer_for, sender_for
from engagement_pipeline.delivery.live import NotReadyError
from engagement_pipeline.delivery.mailers.ses import SesMailer
from engagement_pipeline.delivery.mailers.smtp import SmtpMailer
from engagement_pipeline.delivery.outbox import OutboxMailer
from engagement_pipeline.delivery.rendering import CannotRenderError, checked_address
from engagement_pipeline.delivery.workers import is_gone, new_worker
from engagement_pipeline.platform.aws import AwsSettingsError
from engagement_pipeline.platform.settings import Settings
from engagement_pipeline.platform.settings_groups import DeliverySettings
from engagement_pipeline.platform.sql import Database
from engagement_pipeline.users.keys import SecretKeyChangedError
from engagement_pipeline_tests.delivery.parts import brand
from engagement_pipeline_tests.delivery.sql_stores import sql_stores


def test_the_settings_choose_who_delivers(tmp_path: Path) -> None:
    assert isinstance(mailer_for(Settings(data_dir=tmp_path, send_mode="outbox")), OutboxMailer)
    assert mailer_for(Settings(data_dir=tmp_path, send_mode="dry_run")) is None
    with pytest.raises(NotReadyError, match="PROVIDER"):
        mailer_for(live())
    assert isinstance(mailer_for(live(provider="smtp")), SmtpMailer)
    assert isinstance(mailer_for(live(provider="ses")), SesMailer)


def test_without_a_region_the_setting_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    settings = Settings(send_mode="live", delivery=DeliverySettings(provider="ses"))
    with pytest.raises(AwsSettingsError, match="ENGAGEMENT_AWS_REGION"):
        mailer_for(settings)


def test_an_address_of_aws_that_is_none_is_refused() -> None:
    with pytest.raises(AwsSettingsError, match="sesv2"):
        mailer_for(live(provider="ses").model_copy(update={"aws_endpoint_url": "no address"}))


def test_live_does_not_start_unprepared(database: Database) -> None:
    with pytest.raises(NotReadyError, match="from_address"):
        sender_for(live(provider="smtp"), sql_stores(database), brand())


@pytest.mark.parametrize("mode", ["outbox", "dry_run"])
def test_with_another_key_nothing_is_sent(database: Database, tmp_path: Path, mode: str) -> None:
    """Its links out would be refused by the server that has the right one."""
    settings = Settings.model_validate({"data_dir": tmp_path, "send_mode": mode, "secret_key": "the-key-of-the-store"})
    sender_for(settings, sql_stores(database), brand())
    another = settings.model_copy(update={"secret_key": SecretStr("another-secret-key")})
    with pytest.raises(SecretKeyChangedError):
        sender_for(another, sql_stores(database), brand())


def test_providers_are_loaded_only_where_they_are_chosen() -> None:
    heavy = "{'boto3', 'botocore', 'dkim', 'smtplib'}"
    code = f"import sys, engagement_pipeline.delivery.assembly; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def live(provider: Literal["ses", "smtp"] | None = None) -> Settings:
    return Settings(send_mode="live", aws_region="eu-west-1", delivery=DeliverySettings(provider=provider))


def test_an_international_domain_is_written_in_ascii() -> None:
    assert checked_address("zoe@bücher.example.com") == "zoe@xn--bcher-kva.example.com"


@pytest.mark.parametrize(
    "address", ["", "zoe", "zoe@", "a@b@example.com", "zoe@example.com\r\nBcc: x", "zoë@example.com"]
)
def test_what_cannot_stand_in_a_header_is_refused_without_quoting_it(address: str) -> None:
    with pytest.raises(CannotRenderError) as caught:
        checked_address(address)
    assert str(caught.value) == "invalid_address"
    assert caught.value.__cause__ is None


def test_a_living_sender_is_not_gone() -> None:
    mine = new_worker()
    host, pid, _, _ = mine.split(":")
    assert len(mine) <= 64
    assert not is_gone(mine)
    assert new_worker() != mine
    assert not is_gone(f"{host}:1:deadbeef:1"), "process 1 lives, whoever owns it"
    assert not is_gone("another-host:4194304:deadbeef:1"), "nobody here can tell"
    assert is_gone(f"{host}:{pid}:deadbeef:1"), "an earlier process with our number"
    assert is_gone(f"{host}:4194304:deadbeef:1"), "beyond the largest process id"
