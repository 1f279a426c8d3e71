"""The web server as it is run: `engagement web` in a process of its own."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path

from engagement_pipeline_tests.users.builders import SECRET


@dataclass
class Server:
    """Where it listens, and the file with everything that it has said."""

    port: int
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> tuple[HTTPResponse, bytes]:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer, answer.read()
        finally:
            connection.close()


@contextmanager
def running(database_url: str, folder: Path, **settings: str) -> Iterator[Server]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {
        **os.environ,
        "ENGAGEMENT_DATABASE_URL": database_url,
        "ENGAGEMENT_DATA_DIR": str(folder),
        "ENGAGEMENT_SECRET_KEY": SECRET,
        **settings,
    }
    command = [sys.executable, "-c", "from engagement_pipeline.cli import main; main()", "web", "--port", str(port)]
    server = Server(port, folder / "web.log")
    with server.log.open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)
    try:
        _wait(server, process)
        yield server
    finally:
        process.terminate()
        process.wait(30)


def _wait(server: Server, process: "subprocess.Popen[bytes]") -> None:
    give_up = time.monotonic() + 60
    while time.monotonic() < give_up:
        assert process.poll() is None, server.log.read_text()
        try:
            if server.ask("GET", "/health")[0].status == 200:
                return
        except OSError:
            time.sleep(0.1)
    raise TimeoutError(server.log.read_text())
