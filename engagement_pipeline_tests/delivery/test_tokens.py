from hypothesis import given
from hypothesis import strategies as st

from engagement_pipeline.delivery import tokens
from engagement_pipeline.delivery.entries import email_id_for

SECRET = "a-secret-key-for-tests"
EMAIL_ID = email_id_for("u1", "win-back", 1)
GENUINE = tokens.issue(EMAIL_ID, "unsubscribe", SECRET)


@given(st.text(min_size=1), st.text(min_size=1), st.integers(1, 10**6))
def test_a_token_reads_back_as_its_email(user_id: str, campaign: str, step: int) -> None:
    email_id = email_id_for(user_id, campaign, step)
    assert tokens.read(tokens.issue(email_id, "unsubscribe", SECRET), "unsubscribe", SECRET) == email_id


@given(st.text())
def test_no_other_text_is_a_token(text: str) -> None:
    assert text == GENUINE or tokens.read(text, "unsubscribe", SECRET) is None


@given(st.integers(0, len(GENUINE) - 1), st.characters(codec="ascii"))
def test_changing_any_character_breaks_it(place: int, character: str) -> None:
    changed = GENUINE[:place] + character + GENUINE[place + 1 :]
    assert changed == GENUINE or tokens.read(changed, "unsubscribe", SECRET) is None


def test_another_key_and_another_purpose_are_refused() -> None:
    assert tokens.read(GENUINE, "unsubscribe", "another-secret-key-for-tests") is None
    assert tokens.read(GENUINE, "click", SECRET) is None  # type: ignore[arg-type]


def test_it_is_safe_in_a_url_and_says_nothing() -> None:
    assert GENUINE.replace("-", "").replace("_", "").isalnum()
    assert "u1" not in GENUINE
