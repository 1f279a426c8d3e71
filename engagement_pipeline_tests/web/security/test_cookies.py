"""The session's cookie: ours, in time, and with a word for its forms that no other session has."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from engagement_pipeline.web.security.cookies import LASTS, SessionCookies
from engagement_pipeline_tests.conftest import NOW
from engagement_pipeline_tests.users.builders import SECRET

COOKIES = SessionCookies(SECRET)


def test_a_session_lasts_twelve_hours() -> None:
    cookie = COOKIES.write("abc", NOW)
    ticket = COOKIES.read(cookie, NOW + LASTS - timedelta(seconds=1))
    assert ticket is not None
    assert ticket.token_id == "abc"
    assert ticket.expires_at == NOW + LASTS
    assert COOKIES.read(cookie, NOW + LASTS) is None


def test_a_cookie_of_another_key_is_none() -> None:
    assert SessionCookies("another secret key of tests").read(COOKIES.write("abc", NOW), NOW) is None


@given(st.text(), st.integers(min_value=0), st.characters())
def test_a_changed_cookie_is_none(text: str, place: int, sign: str) -> None:
    assert COOKIES.read(text, NOW) is None
    cookie = COOKIES.write("abc", NOW)
    place %= len(cookie)
    changed = cookie[:place] + sign + cookie[place + 1 :]
    # The last sign of base64 has bits that say nothing.
    assert changed == cookie or place == len(cookie) - 1 or COOKIES.read(changed, NOW) is None


def test_the_word_of_one_session_is_no_good_in_another() -> None:
    one, two = (COOKIES.read(COOKIES.write("abc", NOW), NOW) for _ in range(2))
    assert one is not None
    assert two is not None
    word = COOKIES.form_token(one.nonce)
    assert COOKIES.is_form_token(word, one.nonce)
    assert not COOKIES.is_form_token(word, two.nonce)
    for wrong in ("", word[:-1], word + "0", "é", "\ud800"):
        assert not COOKIES.is_form_token(wrong, one.nonce)
