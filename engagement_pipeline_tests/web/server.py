"""The web server as it is run: `engagement web` in a process of its own."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path

from engagement_pipeline_tests import processes
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
    port = processes.free_port()
    environment = {
        **os.environ,
        "ENGAGEMENT_DATABASE_URL": database_url,
        "ENGAGEMENT_DATA_DIR": str(folder),
        "ENGAGEMENT_SECRET_KEY": SECRET,
        **settings,
    }
    command = [sys.executable, "-c", "from engagement_pipeline.cli import main; main()", "web", "--port", str(port)]
    server = Server(port, folder / "web.log")
    with processes.running(
        command, server.log, partial(processes.ask, f"{server.url}/health"), environment=environment
    ) as process:
        yield server
        # It ends when it is told to.
        process.terminate()
        process.wait(30)
