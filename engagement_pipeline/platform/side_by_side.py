"""Calls that wait for others most of the time, several at once."""

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from typing import TypeVar

Given = TypeVar("Given")
Got = TypeVar("Got")

THREADS = 16


def each(function: Callable[[Given], Got], values: Sequence[Given], threads: int = THREADS) -> list[Got]:
    """Call a function for each value, on several threads at once; return the results in the order of the values.

    Where one call fails, those that have not begun are left out, and its error is raised when the others have ended.
    """
    if len(values) <= 1 or threads <= 1:
        return [function(value) for value in values]
    with ThreadPoolExecutor(min(threads, len(values))) as pool:
        calls = [pool.submit(function, value) for value in values]
        try:
            wait(calls, return_when=FIRST_EXCEPTION)
        finally:
            pool.shutdown(cancel_futures=True)
    failed = next((error for call in calls if not call.cancelled() and (error := call.exception())), None)
    if failed is not None:
        raise failed
    return [call.result() for call in calls]
