"""A proxy (microburst) that lets an AWS-compatible server throttle, fail, hang up and take its time, as AWS does."""

import json
import urllib.request
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from engagement_pipeline_tests.aws_server import MINISTACK
from engagement_pipeline_tests.processes import ask, free_port, running
from engagement_pipeline_tests.servers import skip_without

_PROGRAM = MINISTACK.with_name("microburst")

# One in ten requests meets each kind of trouble or another. Answers that are lost belong to requests that were taken.
ROUGH_WEATHER: Sequence[dict[str, Any]] = (
    {"probability": 0.04, "error": {"code": "ProvisionedThroughputExceededException"}},
    {"probability": 0.03, "error": {"code": "ThrottlingException"}},
    {"probability": 0.03, "error": {"code": "InternalServerError", "status": 500}},
    {"probability": 0.02, "error": {"code": "ServiceUnavailable", "status": 503}},
    {"probability": 0.03, "reset": True},
    {"probability": 0.04, "response": {"abort_bytes": 1}},
    {"probability": 0.03, "latency": {"min": 100, "max": 400}},
    # Longer than anybody waits for an answer.
    {"probability": 0.01, "latency": 5_500, "times": 2},
)


class Microburst:
    """A proxy in front of one server."""

    def __init__(self, url: str) -> None:
        self.url = url

    def begin(self, service: str, rules: Sequence[dict[str, Any]] = ROUGH_WEATHER) -> None:
        """Let what is asked of a service go wrong."""
        self._call("POST", "rules", [{"service": service, **rule} for rule in rules])

    def end(self) -> Counter[str]:
        """Let everything go well again; return how often what went wrong."""
        self._call("POST", "rules", [])
        return Counter(fault["action"].partition(":")[0] for fault in self._call("GET", "fired?limit=100000"))

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        content = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            f"{self.url}/_microburst/{path}", content, {"Content-Type": "application/json"}, method=method
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.loads(answer.read() or b"null")


@pytest.fixture
def microburst(ministack: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Microburst]:
    """A proxy before the AWS-compatible server, through which all goes well at first."""
    skip_without(_PROGRAM)
    with running_microburst(ministack, tmp_path_factory.mktemp("microburst") / "log") as url:
        yield Microburst(url)


@contextmanager
def running_microburst(upstream: str, log: Path) -> Iterator[str]:
    """Start it on a free port of 127.0.0.1 and yield its URL."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command: list[str | Path] = [_PROGRAM, "--upstream", upstream, "--host", "127.0.0.1", "--port", str(port)]
    with running(command, log, partial(ask, f"{url}/_microburst/health")):
        yield url
