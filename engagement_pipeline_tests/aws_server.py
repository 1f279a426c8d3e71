"""An AWS-compatible server (ministack) as a process of its own, and a proxy before it that loses and breaks things."""

import http.client
import json
import os
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from engagement_pipeline.platform.settings import PROJECT_ROOT
from engagement_pipeline_tests.faults import Fault, Faults
from engagement_pipeline_tests.processes import ask, free_port, running

# In an environment of its own: it brings a botocore of another version than ours.
MINISTACK = PROJECT_ROOT / ".venv-aws" / "bin" / "ministack"
REGION = "us-east-1"
CREDENTIALS = {
    "AWS_DEFAULT_REGION": REGION,
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_EC2_METADATA_DISABLED": "true",
}


@contextmanager
def running_ministack(log: Path) -> Iterator[str]:
    """Start it on a free port of 127.0.0.1 and yield its URL."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    environment = os.environ | {"BIND_HOST": "127.0.0.1", "GATEWAY_PORT": str(port), "LOG_LEVEL": "WARNING"}
    health = partial(ask, f"{url}/_ministack/health")
    with running([MINISTACK], log, health, environment=environment, folder=log.parent):
        yield url


def reset(url: str) -> None:
    """Forget everything that was made or sent."""
    with urllib.request.urlopen(urllib.request.Request(f"{url}/_ministack/reset", method="POST")):
        pass


def sent_through_ses(url: str) -> list[dict[str, Any]]:
    """Return what SES has taken, oldest first: MessageId, To, Subject, BodyText, BodyHtml and more."""
    with urllib.request.urlopen(f"{url}/_ministack/ses/messages") as answer:
        accounts = json.load(answer)["messages"]
    return [message for messages in accounts.values() for message in messages]


@dataclass(frozen=True)
class Request:
    """What went through the proxy."""

    method: str
    path: str
    body: bytes
    status: int


class FaultProxy:
    """Passes requests on to an AWS-compatible server; use as a context manager.

    The stage for `faults` is the request's path. `drop` hangs up without an answer; with `taken` the request is passed
    on before the fault is seen. `cut` hangs up in the middle of the true answer. `status` is answered with `code` as
    AWS would, or without one as a gateway would.
    """

    def __init__(self, upstream: str) -> None:
        self.faults = Faults()
        self.requests: list[Request] = []
        self.upstream = urlsplit(upstream)
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.proxy = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> "FaultProxy":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    proxy: FaultProxy


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def _pass_on(self) -> None:
        proxy = self.server.proxy
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        fault = proxy.faults.take(urlsplit(self.path).path)
        answer: tuple[int, dict[str, str], bytes] = (0, {}, b"")
        if fault is None or fault.taken or not (fault.drop or fault.status):
            answer = self._ask(body)
        if fault is not None:
            time.sleep(fault.delay)
            if fault.drop:
                self.close_connection = True
                return
            if fault.status:
                answer = _broken(fault)
        status, headers, content = answer
        proxy.requests.append(Request(self.command, self.path, body, status))
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if fault is not None and fault.cut:
            self.close_connection = True
            content = content[: len(content) // 2]
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_DELETE = _pass_on  # noqa: N815 - the base class's names

    def _ask(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        upstream = self.server.proxy.upstream
        connection = http.client.HTTPConnection(upstream.hostname or "", upstream.port, timeout=30)
        try:
            connection.request(self.command, self.path, body, dict(self.headers))
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        unwanted = {"connection", "content-length", "date", "server", "transfer-encoding"}
        headers = {name: value for name, value in answer.getheaders() if name.lower() not in unwanted}
        return answer.status, headers, content

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Keep quiet."""


def _broken(fault: Fault) -> tuple[int, dict[str, str], bytes]:
    if not fault.code:
        page = fault.reply or "<html><body>Bad Gateway</body></html>"
        return fault.status, {"Content-Type": "text/html"}, page.encode()
    content = json.dumps({"message": fault.reply, "__type": fault.code}).encode()
    return fault.status, {"Content-Type": "application/x-amz-json-1.1", "x-amzn-ErrorType": fault.code}, content
