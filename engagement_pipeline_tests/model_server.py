"""An OpenAI-compatible server (llmock) as a process of its own, which counts for itself what it answers."""

import json
import os
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engagement_pipeline.platform.settings import PROJECT_ROOT
from engagement_pipeline_tests.processes import free_port, running

COMPLETIONS = "/v1/chat/completions"

# Fits every brief of a silence of about a season, whatever else it says.
GOOD_ANSWER = json.dumps(
    {
        "subject": "What are you in the mood for, {{first_name}}?",
        "preheader": "Days change, and taste does too. We'd love to catch up.",
        "greeting": "Hello {{first_name}},",
        "paragraphs": [
            "It's been about a season since your last order. Days look different now, and maybe your taste does too.",
            "A new routine, a trip, or simply the wish for something fresh are all good places to begin.",
            "Come and have a look around whenever you have a quiet minute. It would be lovely to help you again.",
        ],
        "call_to_action": "Take a look around",
        "reasons": ["silence"],
    }
)


def reply(
    text: str = GOOD_ANSWER, *, times: int | None = 1, finish_reason: str | None = None, path: str = COMPLETIONS
) -> dict[str, Any]:
    """What the model says to the next so many questions; to all from then on, where `times` is None."""
    match = {"path": path}
    return {"type": "reply", "text": text, "finish_reason": finish_reason, "times": times, "match": match}


def truncated(times: int = 1, path: str = COMPLETIONS) -> dict[str, Any]:
    return reply(GOOD_ANSWER[:150], times=times, finish_reason="length", path=path)


def failure(
    status: int,
    *,
    times: int | None = 1,
    retry_after: float = 0.01,
    code: str | None = None,
    path: str = COMPLETIONS,
) -> dict[str, Any]:
    fields = {"type": "fail", "status": status, "retry_after": retry_after, "code": code, "times": times}
    return {**fields, "match": {"path": path}}


@dataclass(frozen=True)
class Counts:
    """What the server has done.

    Attributes:
        statuses: of direct questions.
        input_tokens: of all answers, those in batches included.
        output_tokens: of all answers.
        batch_answers: how many lines of batches were answered.
        batch_input_tokens: of those.
        batch_output_tokens: of those.
        answers_by_prompt: how often each question was answered, in whatever way.
        most_in_flight: direct questions at once.
        calls: of files and batches, by method and path.
    """

    statuses: dict[int, int]
    input_tokens: int
    output_tokens: int
    batch_answers: int
    batch_input_tokens: int
    batch_output_tokens: int
    answers_by_prompt: dict[str, int]
    most_in_flight: int
    calls: dict[str, int]

    @property
    def answers(self) -> int:
        return self.statuses.get(200, 0) + self.batch_answers

    def cost(self, per_million_input: float = 0.40, per_million_output: float = 1.60) -> float:
        """Return US dollars, with what batches have answered at half the price."""
        tokens = self.input_tokens - self.batch_input_tokens / 2, self.output_tokens - self.batch_output_tokens / 2
        return (tokens[0] * per_million_input + tokens[1] * per_million_output) / 1_000_000


class ModelServer:
    """The server, as tests see it."""

    def __init__(self, root: str) -> None:
        self._root = root
        self.base_url = f"{root}/v1"

    def say(self, *behaviours: dict[str, Any]) -> None:
        """Queue what happens to the next questions."""
        self._call("POST", "/_llmock/scenario", {"behaviors": list(behaviours)})

    def stop_saying(self) -> None:
        """Drop what is still queued."""
        self._call("DELETE", "/_llmock/scenario")

    def questions(self) -> list[list[dict[str, str]]]:
        """Return the messages of every direct question, refused ones too, in their order."""
        return [call["body"]["messages"] for call in self.calls()]

    def calls(self) -> list[dict[str, Any]]:
        """Return every direct question as llmock has recorded it: body, status, started_at and ended_at in seconds."""
        calls = self._call("GET", "/_llmock/requests")["requests"]
        return [call for call in calls if call["path"] == COMPLETIONS]

    def batches_go(self, **course: Any) -> None:
        """Settle how batches go from now on, see `Course`."""
        self._call("POST", "/_batches", course)

    def finish_batches(self) -> None:
        """Let every batch end, also one that nobody looks at."""
        self._call("POST", "/_finish")

    def trouble(self, method: str, path: str, status: int, *, is_done: bool = False, times: int = 1) -> None:
        """Let calls end with an error, whether or not what they ask for is done; `*` stands for an id in the path."""
        fields = {"method": method, "path": path, "status": status, "is_done": is_done, "times": times}
        self._call("POST", "/_troubles", fields)

    def files(self) -> list[dict[str, Any]]:
        """Return the files that there are, the newest first."""
        files: list[dict[str, Any]] = self._call("GET", "/_files")["data"]
        return files

    def counts(self) -> Counts:
        counts = self._call("GET", "/_counts")
        return Counts(**counts | {"statuses": {int(status): number for status, number in counts["statuses"].items()}})

    def reset(self) -> None:
        """Forget everything that was asked, answered and queued."""
        self._call("POST", "/_llmock/reset")
        self._call("DELETE", "/_counts")

    def content(self, file_id: str) -> bytes:
        """Return what a file holds."""
        with urllib.request.urlopen(f"{self.base_url}/files/{file_id}/content") as answer:
            content: bytes = answer.read()
        return content

    def _call(self, method: str, path: str, content: Any = None) -> Any:
        data = None if content is None else json.dumps(content).encode()
        with urllib.request.urlopen(urllib.request.Request(self._root + path, data, method=method)) as answer:
            return json.load(answer)


@contextmanager
def running_model_server(
    log: Path, *, error_rates: dict[int, float] | None = None, latency_ms: int = 0
) -> Iterator[ModelServer]:
    """Start it on a free port of 127.0.0.1; it answers well unless it is told otherwise.

    Args:
        log: where it writes.
        error_rates: share of calls that end with an HTTP status, by status.
        latency_ms: milliseconds before each answer.
    """
    port = free_port()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LLMOCK_")}
    environment |= {f"LLMOCK_ERROR_RATE_{status}": str(rate) for status, rate in (error_rates or {}).items()}
    environment["LLMOCK_LATENCY_MS"] = str(latency_ms)
    command = [sys.executable, "-m", "engagement_pipeline_tests.counting_model", str(port)]
    server = ModelServer(f"http://127.0.0.1:{port}")
    with running(command, log, server.counts, environment=environment, folder=PROJECT_ROOT):
        yield server
