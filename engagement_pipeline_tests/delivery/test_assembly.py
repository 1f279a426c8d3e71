from pathlib import Path

import pytest

from engagement_pipeline.delivery.assembly import NoMailerError, mailer_for
from engagement_pipeline.delivery.outbox import OutboxMailer
from engagement_pipeline.delivery.rendering import CannotRenderError, checked_address
from engagement_pipeline.delivery.workers import is_gone, new_worker
from engagement_pipeline.platform.settings import Settings


def test_the_settings_choose_who_delivers(tmp_path: Path) -> None:
    assert isinstance(mailer_for(Settings(data_dir=tmp_path, send_mode="outbox")), OutboxMailer)
    assert mailer_for(Settings(data_dir=tmp_path, send_mode="dry_run")) is None
    with pytest.raises(NoMailerError, match="no provider"):
        mailer_for(Settings(data_dir=tmp_path, send_mode="live"))


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
