"""The bytes of a message, read back by the standard library."""

import email
from datetime import datetime, timezone
from email import policy
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engagement_pipeline.copywriting.text import is_visible
from engagement_pipeline.delivery.mailer import PermanentError
from engagement_pipeline.delivery.message import Message


def message(subject: str) -> Message:
    return Message(
        email_id="e1",
        sender="Stitch Fix <stitchfix@example.com>",
        recipient="ann@example.com",
        subject=subject,
        html="<p>Hello</p>",
        text="Hello",
        unsubscribe="https://shop.example.com/unsubscribe?token=a",
        created_at=datetime(2026, 11, 22, tzinfo=timezone.utc),
    )


def parsed(subject: str) -> EmailMessage:
    return email.message_from_bytes(message(subject).content, policy=policy.default)


PLAIN = parsed("Hello")


@pytest.mark.parametrize(
    "subject",
    [
        "=?utf-8?q?=0D=0ABcc:_all=40example.com?=",
        "A note =?utf-8?q?=0D=0ABcc:_all=40example.com?= for you",
        "Über =?utf-8?b?DQpCY2M6IGFsbEBleGFtcGxlLmNvbQ==?=",
        "=?utf-8?q?Everything_is_free?=",
        "=? a question ?=",
    ],
)
def test_an_encoded_word_in_a_subject_is_shown_and_not_decoded(subject: str) -> None:
    read = parsed(subject)
    assert read.keys() == PLAIN.keys()
    assert read["Subject"] == subject


@given(st.text(min_size=1, max_size=120).filter(is_visible))
def test_whatever_the_subject_says_it_is_one_header(subject: str) -> None:
    read = parsed(subject)
    assert read.keys() == PLAIN.keys()
    assert all(len(line) <= 998 for line in message(subject).content.splitlines())


@pytest.mark.parametrize("subject", ["Hello\nBcc: all@example.com", "Hello\r\n", "\r"])
def test_a_line_break_in_a_subject_is_refused(subject: str) -> None:
    with pytest.raises(PermanentError, match="line break"):
        _ = message(subject).content
