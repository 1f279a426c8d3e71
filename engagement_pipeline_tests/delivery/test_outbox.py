import email
import os
from datetime import datetime, timezone
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engagement_pipeline.delivery.entries import email_id_for
from engagement_pipeline.delivery.mailer import PausedError, PermanentError
from engagement_pipeline.delivery.message import Message
from engagement_pipeline.delivery.outbox import OutboxMailer

ID = email_id_for("u1", "win-back", 1)
LINE = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1, max_size=120)


def message(**changes: str) -> Message:
    values = {
        "email_id": ID,
        "sender": "Stitch Fix <hello@shop.example.com>",
        "recipient": "zoe@example.com",
        "subject": "It has been a while, Zoë",
        "html": "<p>Grüße — ✂</p>" * 1000,
        "text": "Grüße — ✂\nBye\n",
        "unsubscribe": "https://shop.example.com/unsubscribe?token=abc",
    }
    return Message(**(values | changes), created_at=datetime(2026, 3, 2, 15, tzinfo=timezone.utc))


def parsed(content: bytes) -> EmailMessage:
    result = email.message_from_bytes(content, policy=default)
    assert isinstance(result, EmailMessage)
    return result


def part(of: EmailMessage, kind: str) -> str:
    body = of.get_body((kind,))
    assert body is not None
    return str(body.get_content())


def test_the_file_is_an_email_with_both_parts_and_all_headers(tmp_path: Path) -> None:
    OutboxMailer(tmp_path).send(message())
    [path] = tmp_path.iterdir()
    assert path.name == f"{ID}.eml"
    mail = parsed(path.read_bytes())
    assert not mail.defects
    assert mail.get_content_type() == "multipart/alternative"
    assert part(mail, "html") == message().html
    assert part(mail, "plain") == message().text
    assert mail["Subject"] == "It has been a while, Zoë"
    assert mail["From"].addresses[0].display_name == "Stitch Fix"
    assert [address.addr_spec for address in mail["To"].addresses] == ["zoe@example.com"]
    assert mail["Date"].datetime == message().created_at
    assert mail["Message-ID"] == f"<{ID}@shop.example.com>"
    assert mail["List-Unsubscribe"] == "<https://shop.example.com/unsubscribe?token=abc>"
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert mail["X-Engagement-Email-Id"] == ID


@given(LINE)
def test_any_subject_survives(subject: str) -> None:
    content = message(subject=subject).content
    assert " ".join(str(parsed(content)["Subject"]).split()) == " ".join(subject.split())


@given(st.text(st.characters(codec="utf-8", exclude_characters="\r"), max_size=300))
def test_any_text_survives_within_the_line_limit(text: str) -> None:
    content = message(text=text, html=text).content
    assert part(parsed(content), "plain") == text
    assert max(len(line) for line in content.split(b"\r\n")) <= 998


@pytest.mark.parametrize("field", ["sender", "recipient", "subject", "unsubscribe"])
@pytest.mark.parametrize("ending", ["\r\nBcc: all@example.com", "\nX: y", "\rX: y"])
def test_no_value_can_add_a_header(tmp_path: Path, field: str, ending: str) -> None:
    mailer = OutboxMailer(tmp_path)
    with pytest.raises(PermanentError):
        mailer.send(message(**{field: f"{getattr(message(), field)}{ending}"}))
    assert not list(tmp_path.iterdir())


def test_a_link_that_is_no_web_address_is_not_called_one_click() -> None:
    mail = parsed(message(unsubscribe="mailto:leave@shop.example.com").content)
    assert mail["List-Unsubscribe"] == "<mailto:leave@shop.example.com>"
    assert "List-Unsubscribe-Post" not in mail


def test_the_folder_tells_exactly_what_was_accepted(tmp_path: Path) -> None:
    mailer = OutboxMailer(tmp_path / "outbox")
    assert mailer.was_accepted(ID) is False
    (tmp_path / "outbox" / f".{ID}.tmp").write_bytes(b"half of a mess")
    assert mailer.was_accepted(ID) is False
    mailer.send(message())
    assert mailer.was_accepted(ID) is True
    assert [path.name for path in (tmp_path / "outbox").iterdir()] == [f"{ID}.eml"]


def test_a_folder_that_cannot_be_written_pauses_the_campaign(tmp_path: Path) -> None:
    mailer = OutboxMailer(tmp_path / "outbox")
    os.rmdir(tmp_path / "outbox")  # noqa: PTH106
    with pytest.raises(PausedError, match="outbox"):
        mailer.send(message())


def test_reasons_never_quote_an_address() -> None:
    error = PermanentError("550 <zoe@example.com>:\r\n user zoe@example.com unknown " + "x" * 400)
    assert "zoe" not in error.reason
    assert len(error.reason) <= 200
