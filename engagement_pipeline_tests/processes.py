"""Servers as processes of their own, on this machine."""

import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path


def free_port() -> int:
    """Return a port of 127.0.0.1 where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def ask(url: str) -> None:
    """Ask a server.

    Raises:
        OSError: it does not answer, or says that it is not ready.
    """
    with urllib.request.urlopen(url, timeout=2):
        pass


@contextmanager
def running(
    command: Sequence[str | Path],
    log: Path,
    knock: Callable[[], object],
    *,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    patience_seconds: float = 60,
) -> "Iterator[subprocess.Popen[bytes]]":
    """Start a server, go on when it is ready, and end it in the end.

    Args:
        command: the program and its arguments.
        log: for everything that it says.
        knock: raises an OSError as long as the server is not ready.
        environment: all its variables; None: those of this process.
        folder: where it works; None: where this process does.
        patience_seconds: after which it should be ready.
    """
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=subprocess.STDOUT, cwd=folder)
    try:
        _wait_until_ready(process, knock, patience_seconds, log)
        yield process
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_ready(
    process: "subprocess.Popen[bytes]", knock: Callable[[], object], patience_seconds: float, log: Path
) -> None:
    until = time.monotonic() + patience_seconds
    while process.poll() is None and time.monotonic() < until:
        try:
            knock()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"a server did not start:\n{log.read_text(errors='replace')[-3000:]}")
