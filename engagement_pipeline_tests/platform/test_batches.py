"""Many of something, some at a time."""

from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from engagement_pipeline.platform.batches import in_batches


@given(st.lists(st.integers()), st.integers(1, 10))
def test_every_value_is_in_one_batch_and_all_but_the_last_are_full(values: list[int], size: int) -> None:
    batches = list(in_batches(values, size))
    assert [value for batch in batches for value in batch] == values
    assert all(len(batch) == size for batch in batches[:-1])
    assert all(0 < len(batch) <= size for batch in batches)


def test_values_are_taken_as_they_are_asked_for() -> None:
    def few() -> Iterator[int]:
        yield from (1, 2)
        raise AssertionError("nobody has asked for a third")

    assert next(in_batches(few(), 2)) == [1, 2]
