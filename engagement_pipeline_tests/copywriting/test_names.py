import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engagement_pipeline.copywriting.names import LONGEST_NAME, first_name


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Ann Lee", "Ann"),
        ("  ann   lee ", "Ann"),
        ("MARIA", "Maria"),
        ("McKenzie Jones", "McKenzie"),
        ("mary-jane watson", "Mary-Jane"),
        ("Siobhán O’Brien", "Siobhán"),
        ("d'arcy", "D'Arcy"),
        ("Zoe\u0308", "Zoë"),
        ("Dr. Jane Smith", "Jane"),
        ("Mrs Robinson", "Robinson"),
        ("Samuel L. Jackson", "Samuel"),
        ("李小龙", "李小龙"),
        ("李", "李"),
        ("प्रिया शर्मा", "प्रिया"),
        ("محمد علي", "محمد"),
    ],
)
def test_a_name_is_greeted(name: str, expected: str) -> None:
    assert first_name(name) == expected


@pytest.mark.parametrize(
    "name",
    [
        None,
        "",
        "   ",
        "J",
        "J. Smith",
        "Mr.",
        "Smith, Ann",
        "ann@example.com",
        "https://evil.example",
        "Ann <b>",
        "<script>alert(1)</script>",
        "Ann\nBcc: all@example.com",
        "Ann\r\nSubject: hi",
        "Ann\x00",
        "Ann\u202eeeL",
        "Ann\u200b",
        "\u3164",
        "Ann\u2800Lee",
        "Ann\u2028Lee",
        "{{ config }}",
        "{{first_name}}",
        "{% raw %}",
        "${jndi}",
        "Ann 50% off",
        "Agent 47",
        "A" * 25,
        "Ann " * 5000,
        "Z" + "\u0335" * 8,
        "test",
        "N/A",
        "Null",
        "-Ann",
        "Ann--Lee",
        "❤️",
    ],
)
def test_what_is_no_name_is_not_greeted(name: str | None) -> None:
    assert first_name(name) is None


@settings(deadline=None)
@given(st.text(max_size=120))
def test_whatever_the_record_holds_the_result_is_short_letters(name: str) -> None:
    result = first_name(name)
    if result is not None:
        assert 0 < len(result) <= LONGEST_NAME + 2
        assert all(unicodedata.category(c)[0] in "LM" or c in "'’-" for c in result)
