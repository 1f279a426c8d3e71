"""Many of something, some at a time."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

Value = TypeVar("Value")


def in_batches(values: Iterable[Value], size: int) -> Iterator[list[Value]]:
    """Split values into lists of so many; the last may be shorter. None is taken before it is asked for."""
    rest = iter(values)
    while batch := list(islice(rest, size)):
        yield batch
