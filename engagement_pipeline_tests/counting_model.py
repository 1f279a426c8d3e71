"""The process behind `ModelServer`: llmock, and around it what it lacks.

llmock injects errors and can be told what to say, but keeps no count of tokens; the count is taken here, from the
answers as they leave, directly or in a batch's file.
"""

import json
import sys
from collections import Counter
from collections.abc import Sequence
from typing import Any

from engagement_pipeline_tests.batch_endpoints import LINE, BatchEndpoints, Trouble, Troubles
from engagement_pipeline_tests.model_server import COMPLETIONS, GOOD_ANSWER


class CountingApp:
    """Counts what goes out of an ASGI application that answers chat completions, directly and in batches."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._in_flight = 0
        self._batches = BatchEndpoints(self._answer_line)
        self._reset()

    def _reset(self) -> None:
        self._statuses: Counter[int] = Counter()
        self._tokens: Counter[str] = Counter()
        self._answers_by_prompt: Counter[str] = Counter()
        self._most_in_flight = 0
        self._troubles = Troubles()
        self._batches.reset()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        path = scope.get("path", "")
        if scope["type"] == "http" and path == COMPLETIONS:
            self._in_flight += 1
            self._most_in_flight = max(self._most_in_flight, self._in_flight)
            try:
                await self._count(scope, receive, send)
            finally:
                self._in_flight -= 1
        elif scope["type"] == "http" and path.startswith(("/v1/files", "/v1/batches")):
            await self._with_trouble(scope, receive, send)
        elif scope["type"] == "http" and path in ("/_counts", "/_batches", "/_troubles", "/_files", "/_finish"):
            await _tell(send, self._told(scope["method"], path, await _body(receive)))
        else:
            await self._app(scope, receive, send)

    def _told(self, method: str, path: str, body: bytes) -> Any:
        """Do what a test wants, and return what it wants to know."""
        if path == "/_files":
            return self._batches.list_files()
        if path == "/_finish":
            self._batches.finish()
        elif path == "/_batches":
            for name, value in json.loads(body).items():
                setattr(self._batches.course, name, value)
        elif path == "/_troubles":
            self._troubles.planned.append(Trouble(**json.loads(body)))
        elif method == "DELETE":
            self._reset()
        return {
            "statuses": self._statuses,
            "input_tokens": self._tokens["input"],
            "output_tokens": self._tokens["output"],
            "batch_answers": self._tokens["batch_answers"],
            "batch_input_tokens": self._tokens["batch_input"],
            "batch_output_tokens": self._tokens["batch_output"],
            "answers_by_prompt": self._answers_by_prompt,
            "most_in_flight": self._most_in_flight,
            "calls": self._troubles.calls,
        }

    async def _with_trouble(self, scope: Any, receive: Any, send: Any) -> None:
        trouble = self._troubles.meet(scope["method"], scope["path"])
        if trouble is None:
            await self._file_or_batch(scope, receive, send)
            return
        if trouble.is_done:
            await self._file_or_batch(scope, receive, _nowhere)
        await _tell(send, {"error": {"message": "trouble", "code": None}}, trouble.status)

    async def _file_or_batch(self, scope: Any, receive: Any, send: Any) -> None:
        method, parts = scope["method"], scope["path"].split("/")
        if (method, scope["path"]) == ("GET", "/v1/files"):
            await _tell(send, self._batches.list_files())
        elif parts[-1] == "cancel":
            status, answer = self._batches.cancel(parts[-2])
            await _tell(send, answer, status)
        else:
            if method == "GET" and len(parts) == 4 and parts[2] == "batches":
                self._batches.look(parts[-1])
            await self._app(scope, receive, send)
            if method == "POST":
                self._batches.remember_files()

    def _answer_line(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Answer one line of a batch, as the scenario says for lines."""
        from llmock.routers.batch import _build_openai_like_chat
        from llmock.scenarios import RequestInfo

        plan = self._app.state.llmock.scenarios.plan_for(RequestInfo("openai", "POST", LINE, body["model"]))
        if plan.fail is not None:
            return plan.fail.status, {"error": {"message": "no", "code": plan.fail.code}}
        answer = _build_openai_like_chat("openai", body)
        text = GOOD_ANSWER if plan.reply is None else plan.reply.text
        answer["choices"][0]["message"]["content"] = text
        if plan.reply is not None and plan.reply.finish_reason is not None:
            answer["choices"][0]["finish_reason"] = plan.reply.finish_reason
        answer["usage"]["completion_tokens"] = len(text) // 4
        self._note_answer(body["messages"], answer["usage"], "batch_")
        self._tokens["batch_answers"] += 1
        return 200, answer

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
            self._note_answer(json.loads(question)["messages"], json.loads(answer)["usage"])

    def _note_answer(self, messages: list[dict[str, str]], usage: dict[str, int], way: str = "") -> None:
        tokens = {"input": usage["prompt_tokens"], "output": usage["completion_tokens"]}
        for prefix in {"", way}:
            self._tokens.update({f"{prefix}{name}": number for name, number in tokens.items()})
        self._answers_by_prompt[json.dumps([part["content"] for part in messages[1:]])] += 1


async def _tell(send: Any, content: Any, status: int = 200) -> None:
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(content).encode()})


async def _nowhere(_message: Any) -> None:
    """Lose an answer."""


async def _body(receive: Any) -> bytes:
    body = b""
    while True:
        message = await receive()
        body += bytes(message.get("body", b""))
        if not message.get("more_body"):
            return body


def main(arguments: Sequence[str]) -> None:
    import uvicorn
    from llmock.main import app

    # Only lifespan and requests of one process: the count must not be spread over several.
    uvicorn.run(CountingApp(app), host="127.0.0.1", port=int(arguments[0]), log_level="warning")


if __name__ == "__main__":
    main(sys.argv[1:])
