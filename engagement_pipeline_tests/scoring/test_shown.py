"""The number that people read says the same as the band beside it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engagement_pipeline.scoring.shown import shown


@pytest.mark.parametrize(
    ("score", "words"),
    [
        (29.96, "29.9"),
        (30, "30.0"),
        (30.04, "30.0"),
        (49.95, "49.9"),
        (50.0, "50.0"),
        (69.999, "69.9"),
        (70.0, "70.0"),
        # None of these is exact in binary.
        (0.3, "0.3"),
        (29.9, "29.9"),
        (1e-9, "0.0"),
        (0.0, "0.0"),
        (100.0, "100.0"),
    ],
)
def test_a_score_is_rounded_down(score: float, words: str) -> None:
    assert shown(score) == words


@given(score=st.floats(0, 100), tenths=st.integers(0, 1000))
def test_what_is_shown_lies_on_the_side_of_every_border_that_the_score_lies_on(score: float, tenths: int) -> None:
    border = tenths / 10
    assert (float(shown(score)) < border) == (score < border)
