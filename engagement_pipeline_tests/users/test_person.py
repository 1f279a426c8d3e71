"""Recognising a person in what others wrote."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engagement_pipeline.users.addresses import address_key
from engagement_pipeline.users.person import Person

SECRET = "a-secret-key-for-tests"
ZOE = Person(
    user_id="shop-0042",
    email="Zoe.Angstrom@Example.com",
    name="Zoë Ångström",
    address_keys=frozenset({address_key("zoe.angstrom@example.com", SECRET), address_key("old@example.org", SECRET)}),
    secret=SECRET,
)


@pytest.mark.parametrize(
    "text",
    [
        "shop-0042,,x",
        '{"user_id": "shop-0042"}',
        "1,zoe.angstrom@EXAMPLE.com,2",
        "Zoë Ångström",
        "ZOË ÅNGSTRÖM",
        "Zoe\u0308 A\u030angstro\u0308m",
        "Ångström;Zoë",
        "Zoë,Ångström",
        json.dumps({"name": "Zoë Ångström"}),
    ],
)
def test_recognised(text: str) -> None:
    assert ZOE.is_in(text)
    assert ZOE.is_in(f"{'somebody else,' * 100}\n{text}\n{'somebody else,' * 100}")
    assert ZOE.is_meant_by(text)


@pytest.mark.parametrize(
    "text", ["1,old@example.org,x", "<OLD@example.org>", '"old@EXAMPLE.ORG"', "mail:old@example.org"]
)
def test_a_former_address_is_recognised_by_its_key(text: str) -> None:
    assert not ZOE.is_in(text)
    assert ZOE.is_meant_by(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "shop-00421,x",
        "my-shop-0042",
        "Zoë",
        "Ångström",
        "Zoë Ångströmer",
        "a@b",
        "Zoë was here with Mrs Ångström",
        "@",
    ],
)
def test_somebody_else(text: str) -> None:
    assert not ZOE.is_meant_by(text)


def test_nobody_is_recognised_by_what_is_not_known() -> None:
    nobody = Person(user_id="u1")
    assert nobody.is_meant_by("u1,")
    assert not nobody.is_meant_by("somebody,some@example.com")
    assert nobody.marks(with_name=True) == frozenset()


def test_marks_leave_out_a_name_that_others_have() -> None:
    assert "Zoë Ångström".encode() in ZOE.marks(with_name=True)
    assert b"zoe angstrom" in ZOE.marks(with_name=True)
    assert rb"Zo\u00eb \u00c5ngstr\u00f6m" in ZOE.marks(with_name=True)
    assert ZOE.marks(with_name=False) == {b"Zoe.Angstrom@Example.com", b"zoe.angstrom@example.com"}


def test_who_it_is_does_not_show() -> None:
    assert repr(ZOE) == "Person()"


@given(st.text(), st.text(min_size=1, max_size=20).filter(str.strip), st.text())
def test_any_name_is_found_in_any_text(before: str, name: str, after: str) -> None:
    words = " ".join(name.split())
    person = Person(user_id="no such id here", name=words)
    assert person.is_in(f"{before}\n{words}\n{after}") or "\\u" in before + words + after


@given(st.text(max_size=300))
def test_no_text_is_too_odd(text: str) -> None:
    Person(user_id=text or "x", name=text or None, secret=SECRET).is_meant_by(text)
