"""Runs with batches that die of SIGKILL at a chosen step, each in a process of its own; used by test_batch_kill.py.

A step is a call of the provider, or a transaction; each has a moment before and a moment after it at which to die.
The process that is started here imports everything once, and forks for each run.
"""

import functools
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from importlib import import_module
from typing import Any

import openai
import sqlalchemy as sa

from engagement_pipeline.copywriting.openai.batch_provider import BatchProvider
from engagement_pipeline.copywriting.openai.writer import OpenAICopywriter
from engagement_pipeline.copywriting.template import TemplateCopywriter
from engagement_pipeline.platform.settings import PROJECT_ROOT
from engagement_pipeline.platform.sql import Database
from engagement_pipeline_tests.copywriting.openai.parts import BRAND, briefs, settings_for

# A few texts are several files, and several transactions.
SMALL = {"requests.AT_ONCE": 3, "planning.AT_ONCE": 3, "following.AT_ONCE": 3, "submitting.MOST_LINES": 4}

_CALLS = ("upload", "find_file", "create", "find_batch", "retrieve", "cancel", "download", "delete")


@dataclass(frozen=True)
class Life:
    """One run: what it wants, when, and at which moment it dies."""

    base_url: str
    store_url: str
    now: str
    count: int
    dies_at: int


def live(life: Life) -> None:
    database = Database(life.store_url)
    settings = settings_for(life.base_url, batch_above=3)
    now = datetime.fromisoformat(life.now)
    writer = OpenAICopywriter(settings, BRAND, TemplateCopywriter(BRAND), database, lambda: now)
    about = briefs(life.count)
    _be_mortal(life.dies_at)
    writer.plan((brief, 0) for brief in about)


def _be_mortal(dies_at: int) -> None:
    moments = 0

    def moment() -> None:
        nonlocal moments
        moments += 1
        if moments == dies_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def mortal(call: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(call)
        def called(*arguments: Any) -> Any:
            moment()
            result = call(*arguments)
            moment()
            return result

        return called

    write = Database.write

    @contextmanager
    def mortal_write(self: Database) -> Iterator[sa.Connection]:
        with write(self) as connection:
            yield connection
            moment()
        moment()

    for name in _CALLS:
        setattr(BatchProvider, name, mortal(getattr(BatchProvider, name)))
    Database.write = mortal_write  # type: ignore[method-assign]


class Lives:
    """The process that forks, as tests see it."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def live(self, life: Life) -> bool:
        """Live through a run; return whether it came to its end."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(asdict(life)) + "\n")
        self._process.stdin.flush()
        status = int(self._process.stdout.readline())
        assert status in (0, -signal.SIGKILL), f"the run ended with {status}"
        return status == 0


@contextmanager
def lives() -> Iterator[Lives]:
    command = [sys.executable, "-m", "engagement_pipeline_tests.copywriting.openai.mortal_batches"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=PROJECT_ROOT)
    try:
        yield Lives(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        process.wait(10)


def main() -> None:
    for name, value in SMALL.items():
        module, _, constant = name.partition(".")
        setattr(import_module(f"engagement_pipeline.copywriting.openai.{module}"), constant, value)
    # What the client imports at its first use is imported here, once for all.
    with openai.OpenAI(api_key="none") as client:
        for name in ("files", "batches"):
            getattr(client, name)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            live(Life(**json.loads(line)))
            os._exit(0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
