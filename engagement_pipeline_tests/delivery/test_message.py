"""The bytes of a message, read back by the standard library."""

import email
from datetime import datetime, timezone
from email import policy
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.utils import parseaddr

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from engagement_pipeline.copywriting.text import is_visible
from engagement_pipeline.delivery.mailer import PermanentError
from engagement_pipeline.delivery.message import Message, mailbox
from engagement_pipeline_tests.copywriting.samples import brand


def message(subject: str, sender: str = "Stitch Fix <stitchfix@example.com>") -> Message:
    return Message(
        email_id="e1",
        sender=sender,
        recipient="ann@example.com",
        subject=subject,
        html="<p>Hello</p>",
        text="Hello",
        unsubscribe="https://shop.example.com/unsubscribe?token=a",
        created_at=datetime(2026, 11, 22, tzinfo=timezone.utc),
    )


def parsed(subject: str, sender: str = "Stitch Fix <stitchfix@example.com>") -> EmailMessage:
    return email.message_from_bytes(message(subject, sender).content, policy=policy.default)


def shown_sender(sender: str) -> str:
    """Read a sender's name; the newer parser puts a space between two encoded words, against RFC 2047, section 6.2."""
    name, _ = parseaddr(str(email.message_from_bytes(message("Hello", sender).content)["From"]))
    return str(make_header(decode_header(name)))


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


ODD_NAMES = [
    "Shöp, Inc.",
    "Café (Berlin)",
    'Müller\'s "x" \\',
    "日本" * 30,
    "Büro: Ärger; @Ünder",
    "Plain, Inc.",
    "x" * 60,
]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_the_senders_name_is_read_as_it_is_written(name: str) -> None:
    sender = mailbox(name, "shop@example.com")
    read = parsed("Hello", sender)
    assert shown_sender(sender) == name
    assert [address.addr_spec for address in read["From"].addresses] == ["shop@example.com"]
    assert not read["From"].defects
    assert read.keys() == PLAIN.keys()


@given(st.text(min_size=1, max_size=60))
def test_whatever_senders_name_a_brand_may_have_it_is_one_header(name: str) -> None:
    try:
        checked = brand(sender_name=name)
    except ValidationError:
        return
    sender = mailbox(checked.sender_name, checked.from_address)
    read = parsed("Hello", sender)
    assert read.keys() == PLAIN.keys()
    assert [address.addr_spec for address in read["From"].addresses] == [checked.from_address]
    # Runs of spaces count as one, wherever a header is read.
    assert shown_sender(sender).split() == name.split()
    assert all(len(line) <= 78 for line in message("Hello", sender).content.splitlines())
