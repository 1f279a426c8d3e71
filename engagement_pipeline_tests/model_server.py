"""An OpenAI-compatible server (llmock) as a process of its own, which counts for itself what it answers.

llmock injects errors and can be told what to say, but keeps no count of tokens; the count is taken here, from the
answers as they leave.
"""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engagement_pipeline.platform.settings import PROJECT_ROOT

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


def reply(text: str = GOOD_ANSWER, *, times: int | None = 1, finish_reason: str | None = None) -> dict[str, Any]:
    """What the model says to the next so many questions; to all from then on, where `times` is None."""
    return {"type": "reply", "text": text, "finish_reason": finish_reason, "times": times}


def truncated(times: int = 1) -> dict[str, Any]:
    return reply(GOOD_ANSWER[:150], times=times, finish_reason="length")


def failure(
    status: int, *, times: int | None = 1, retry_after: float = 0.01, code: str | None = None
) -> dict[str, Any]:
    return {"type": "fail", "status": status, "retry_after": retry_after, "code": code, "times": times}


@dataclass(frozen=True)
class Counts:
    """What the server has done: statuses, tokens of its answers, and how often each prompt was answered."""

    statuses: dict[int, int]
    input_tokens: int
    output_tokens: int
    answers_by_prompt: dict[str, int]
    most_in_flight: int

    @property
    def answers(self) -> int:
        return self.statuses.get(200, 0)


class ModelServer:
    """The server, as tests see it."""

    def __init__(self, root: str) -> None:
        self._root = root
        self.base_url = f"{root}/v1"

    def say(self, *behaviours: dict[str, Any]) -> None:
        """Queue what happens to the next questions."""
        self._call("POST", "/_llmock/scenario", {"behaviors": list(behaviours)})

    def questions(self) -> list[list[dict[str, str]]]:
        """Return the messages of every call, refused ones too, in their order."""
        calls = self._call("GET", "/_llmock/requests")["requests"]
        return [call["body"]["messages"] for call in calls]

    def calls(self) -> list[dict[str, Any]]:
        """Return every call as llmock has recorded it: body, status, started_at and ended_at in seconds."""
        calls: list[dict[str, Any]] = self._call("GET", "/_llmock/requests")["requests"]
        return calls

    def counts(self) -> Counts:
        counts = self._call("GET", "/_counts")
        return Counts(**counts | {"statuses": {int(status): number for status, number in counts["statuses"].items()}})

    def reset(self) -> None:
        """Forget everything that was asked, answered and queued."""
        self._call("POST", "/_llmock/reset")
        self._call("DELETE", "/_counts")

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
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LLMOCK_")}
    environment |= {f"LLMOCK_ERROR_RATE_{status}": str(rate) for status, rate in (error_rates or {}).items()}
    environment["LLMOCK_LATENCY_MS"] = str(latency_ms)
    command = [sys.executable, "-m", "engagement_pipeline_tests.model_server", str(port)]
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=subprocess.STDOUT, cwd=PROJECT_ROOT)
        try:
            server = ModelServer(f"http://127.0.0.1:{port}")
            _wait_until_ready(server, process, log)
            yield server
        finally:
            process.terminate()
            process.wait(10)


def _wait_until_ready(server: ModelServer, process: "subprocess.Popen[bytes]", log: Path) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until and process.poll() is None:
        try:
            server.counts()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"the model server did not start:\n{log.read_text()}")


class CountingApp:
    """Counts what goes out of an ASGI application that answers chat completions."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._in_flight = 0
        self._reset()

    def _reset(self) -> None:
        self._statuses: Counter[int] = Counter()
        self._tokens: Counter[str] = Counter()
        self._answers_by_prompt: Counter[str] = Counter()
        self._most_in_flight = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or scope["path"] not in ("/_counts", "/v1/chat/completions"):
            await self._app(scope, receive, send)
        elif scope["path"] == "/_counts":
            if scope["method"] == "DELETE":
                self._reset()
            await self._tell(send)
        else:
            self._in_flight += 1
            self._most_in_flight = max(self._most_in_flight, self._in_flight)
            try:
                await self._count(scope, receive, send)
            finally:
                self._in_flight -= 1

    async def _count(self, scope: Any, receive: Any, send: Any) -> None:
        question = bytearray()
        answer = bytearray()
        status = 0

        async def received() -> Any:
            message = await receive()
            question.extend(message.get("body", b""))
            return message

        async def sent(message: Any) -> None:
            nonlocal status
            status = message.get("status", status)
            answer.extend(message.get("body", b""))
            if message["type"] == "http.response.body" and not message.get("more_body"):
                self._note(status, bytes(question), bytes(answer))
            await send(message)

        await self._app(scope, received, sent)

    def _note(self, status: int, question: bytes, answer: bytes) -> None:
        self._statuses[status] += 1
        if status == 200:
            usage = json.loads(answer)["usage"]
            self._tokens.update(input=usage["prompt_tokens"], output=usage["completion_tokens"])
            self._answers_by_prompt[json.dumps([part["content"] for part in json.loads(question)["messages"][1:]])] += 1

    async def _tell(self, send: Any) -> None:
        counts = {
            "statuses": self._statuses,
            "input_tokens": self._tokens["input"],
            "output_tokens": self._tokens["output"],
            "answers_by_prompt": self._answers_by_prompt,
            "most_in_flight": self._most_in_flight,
        }
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
        await send({"type": "http.response.body", "body": json.dumps(counts).encode()})


def main(arguments: Sequence[str]) -> None:
    import uvicorn
    from llmock.main import app

    # Only lifespan and requests of one process: the count must not be spread over several.
    uvicorn.run(CountingApp(app), host="127.0.0.1", port=int(arguments[0]), log_level="warning")


if __name__ == "__main__":
    main(sys.argv[1:])
