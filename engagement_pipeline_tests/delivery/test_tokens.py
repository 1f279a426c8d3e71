import pytest
from hypothesis import given
from hypothesis import strategies as st

from engagement_pipeline.delivery import tokens
from engagement_pipeline.delivery.entries import email_id_for

SECRET = "a-secret-key-for-tests"
EMAIL_ID = email_id_for("u1", "win-back", 1)
GENUINE = tokens.issue(EMAIL_ID, "unsubscribe", SECRET)
TARGET = "https://shop.example.com/?a=1"
CLICK = tokens.issue(EMAIL_ID, "click", SECRET, TARGET)
PURPOSES: tuple[tokens.Purpose, ...] = ("unsubscribe", "open", "click")

purposes = st.sampled_from(PURPOSES)
# Lone surrogates too: a target comes from a query string.
targets = st.text(st.characters(), max_size=50)


@given(st.text(min_size=1), st.text(min_size=1), st.integers(1, 10**6), purposes, targets)
def test_a_token_reads_back_as_its_email(
    user_id: str, campaign: str, step: int, purpose: tokens.Purpose, target: str
) -> None:
    email_id = email_id_for(user_id, campaign, step)
    assert tokens.read(tokens.issue(email_id, purpose, SECRET, target), purpose, SECRET, target) == email_id


@given(st.text())
def test_no_other_text_is_a_token(text: str) -> None:
    assert text == GENUINE or tokens.read(text, "unsubscribe", SECRET) is None


@given(st.integers(0, len(GENUINE) - 1), st.characters(codec="ascii"))
def test_changing_any_character_breaks_it(place: int, character: str) -> None:
    changed = GENUINE[:place] + character + GENUINE[place + 1 :]
    assert changed == GENUINE or tokens.read(changed, "unsubscribe", SECRET) is None


@pytest.mark.parametrize("spelling", [GENUINE + "=", GENUINE + "==", GENUINE[:-1], " " + GENUINE, GENUINE + "\n", ""])
def test_it_has_one_spelling(spelling: str) -> None:
    assert tokens.read(spelling, "unsubscribe", SECRET) is None


@given(purposes, purposes)
def test_another_purpose_is_refused(issued: tokens.Purpose, asked: tokens.Purpose) -> None:
    found = tokens.read(tokens.issue(EMAIL_ID, issued, SECRET), asked, SECRET)
    assert found == (EMAIL_ID if issued == asked else None)


def test_another_key_is_refused() -> None:
    assert tokens.read(GENUINE, "unsubscribe", "another-secret-key-for-tests") is None


@given(targets)
def test_a_click_is_good_for_its_target_only(target: str) -> None:
    assert tokens.read(CLICK, "click", SECRET, TARGET) == EMAIL_ID
    assert target == TARGET or tokens.read(CLICK, "click", SECRET, target) is None


@given(st.integers(1, 20), st.integers(1, 20))
def test_bytes_cannot_move_between_the_id_and_the_target(moved: int, dropped: int) -> None:
    """A signature over the same bytes, cut elsewhere, would be a signature for another target."""
    email_id = "61" * 16
    token = tokens.issue(email_id, "click", SECRET, TARGET)
    shorter = tokens.issue("61" * 15, "click", SECRET, "a" * moved + TARGET)
    assert tokens.read(shorter, "click", SECRET, "a" * moved + TARGET) is None
    assert tokens.read(token, "click", SECRET, "a" * moved + TARGET) is None
    assert tokens.read(token[:-dropped], "click", SECRET, TARGET) is None


def test_it_is_safe_in_a_url_and_says_nothing() -> None:
    assert GENUINE.replace("-", "").replace("_", "").isalnum()
    assert "u1" not in GENUINE
    assert len(GENUINE) == len(CLICK) == 43
