"""Addresses: one spelling per mailbox, a hash that needs the key."""

import pytest

from engagement_pipeline.users.addresses import InvalidAddressError, address_key, normalise

SECRET = "some secret key of the shop"


@pytest.mark.parametrize(
    ("spelled", "normalised"),
    [
        ("Ada@Example.COM", "ada@example.com"),
        ("  ada@example.com\n", "ada@example.com"),
        ("ada+shop@example.com", "ada+shop@example.com"),
        ("a.da@example.com", "a.da@example.com"),
        ("ada@bücher.example.com", "ada@xn--bcher-kva.example.com"),
        ("ada@BÜCHER.example.com", "ada@xn--bcher-kva.example.com"),
    ],
)
def test_normalise(spelled: str, normalised: str) -> None:
    assert normalise(spelled) == normalised


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "ada",
        "ada@",
        "@example.com",
        "ada@@example.com",
        "ada b@example.com",
        "Ada <ada@example.com>",
        "ada@example.com, bob@example.com",
        "ada@example.com\nBcc: bob@example.com",
        "ada@localhost",
        "ädä@example.com",
        "a" * 65 + "@example.com",
    ],
)
def test_what_is_no_address_is_refused_without_repeating_it(wrong: str) -> None:
    with pytest.raises(InvalidAddressError) as caught:
        normalise(wrong)
    assert not wrong or wrong not in str(caught.value)


def test_key_is_the_same_for_all_spellings_and_differs_by_address_and_secret() -> None:
    key = address_key("Ada@Example.com", SECRET)
    assert key == address_key("ada@example.com ", SECRET)
    assert key != address_key("bob@example.com", SECRET)
    assert key != address_key("ada@example.com", SECRET + "!")
    assert len(key) == 64
