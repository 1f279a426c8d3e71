"""Figures, days and moments as people read them."""

from datetime import date, datetime, timedelta, timezone

import pytest

from engagement_pipeline.web.dashboard import figures
from engagement_pipeline.web.dashboard.rendering import compact
from engagement_pipeline_tests.conftest import NOW


def test_counts_have_their_thousands_apart_and_nothing_is_a_dash() -> None:
    assert figures.number(1234567) == "1,234,567"
    assert figures.number(None) == figures.money(None) == figures.day(None) == figures.points(None) == "–"
    assert figures.money(1234.5) == "1,234.50"


@pytest.mark.parametrize(
    ("part", "whole", "words"), [(0, 0, "–"), (0, 7, "0 %"), (1, 3, "33 %"), (1, 900, "< 1 %"), (7, 7, "100 %")]
)
def test_shares(part: int, whole: int, words: str) -> None:
    assert figures.share(part, whole) == words


def test_points_have_a_sign() -> None:
    assert figures.points(1.25) == "+1.2"
    assert figures.points(-3) == "\u22123.0"


def test_a_moment_is_in_utc_for_the_browser_to_put_in_its_zone() -> None:
    there = datetime(2026, 3, 2, 23, 30, tzinfo=timezone(timedelta(hours=-5)))
    assert figures.moment(there) == (
        '<time datetime="2026-03-03T04:30:00Z" data-show="moment">3 Mar 2026, 04:30 UTC</time>'
    )
    assert figures.day(date(2026, 3, 2)) == "2 Mar 2026"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-5, "just now"),
        (59, "just now"),
        (60, "1 minute ago"),
        (7100, "1 hour ago"),
        (47 * 3600, "47 hours ago"),
        (3 * 86400, "3 days ago"),
    ],
)
def test_how_long_ago(seconds: int, words: str) -> None:
    assert figures.ago(NOW - timedelta(seconds=seconds), NOW) == words


def test_an_id_is_one_segment_of_an_address_whatever_is_in_it() -> None:
    assert figures.in_path("a/b?c#d é") == "a%2Fb%3Fc%23d%20%C3%A9"


@pytest.mark.parametrize(
    ("value", "words"), [(0, "0"), (2.5, "2.5"), (9999, "9,999"), (25_000, "25k"), (1_500_000, "1.5M")]
)
def test_an_axis_is_short(value: float, words: str) -> None:
    assert compact(value) == words
