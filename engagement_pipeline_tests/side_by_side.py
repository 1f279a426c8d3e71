"""Processes that run tests side by side (pytest-xdist) leave the machine to a test that measures time."""

import fcntl
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Run a test when its turn has come: one marked `alone` by itself, all others beside each other."""
    folder = _shared_folder(item.config)
    if folder is None:
        return (yield)
    alone = item.get_closest_marker("alone") is not None
    with (folder / "machine.lock").open("w") as machine:
        # Who waits to be alone keeps the door: the others, who come and go, would for ever be quicker.
        with one_at_a_time(item.config, "door"):
            fcntl.flock(machine, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        return (yield)


@contextmanager
def one_at_a_time(config: pytest.Config, what: str) -> Iterator[None]:
    """Do something while no other process of this run does it."""
    folder = _shared_folder(config)
    if folder is None:
        yield
        return
    with (folder / f"{what}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _shared_folder(config: pytest.Config) -> Path | None:
    """Return a folder of all processes of this run, or None where there is but one."""
    return Path(config.getoption("basetemp")).parent if hasattr(config, "workerinput") else None
