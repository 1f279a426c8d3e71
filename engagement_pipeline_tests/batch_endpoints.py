"""What llmock's files and batches lack for our tests, put around it in the server's own process.

llmock keeps files and batches, and says what it is told to say; here it is settled how far a batch gets, in how many
looks, and how it ends. Its list of files is missing, and is added.
"""

import itertools
import json
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

LINE = "/v1/batch-line"
"""The path by which what is said to a line of a batch is told from what is said to a direct question."""


@dataclass
class Course:
    """How batches go, from now on.

    Attributes:
        looks: how often a batch is looked at before it ends.
        ends: the status with which it ends.
        answered: how many of its lines are answered; None: all.
        cancelling_looks: how often it is looked at while it is being cancelled.
        fault: the code of the error where it fails as a whole.
        counts_tokens: whether answers say what they cost.
        blank: whether files that do not exist are called "".
    """

    looks: int = 0
    ends: str = "completed"
    answered: int | None = None
    cancelling_looks: int = 0
    fault: str = "token_limit_exceeded"
    counts_tokens: bool = True
    blank: bool = False


class BatchEndpoints:
    """Files and batches of a server.

    Args:
        answer: answers the body of a question as a direct call would be, and counts it.
    """

    def __init__(self, answer: Callable[[dict[str, Any]], tuple[int, dict[str, Any]]]) -> None:
        from llmock.routers import batch

        self._mock = batch
        self._answer = answer
        batch._refresh = self._refresh
        self.reset()

    def reset(self) -> None:
        self.course = Course()
        self._looks: Counter[str] = Counter()
        self._contents: dict[str, str] = {}
        self._mock._files.clear()
        self._mock._batches.clear()

    def remember_files(self) -> None:
        """Keep what files hold: a batch is worked off though its file is deleted meanwhile."""
        self._contents |= {name: file["content"] for name, file in self._mock._files.items()}

    def look(self, batch_id: str) -> None:
        """Note that somebody looks at a batch."""
        self._looks[batch_id] += 1

    def finish(self) -> None:
        """Let every batch end that nobody has looked at often enough: a provider works off what it was given."""
        for batch in self._mock._batches.values():
            if not batch["done"]:
                self._end(batch, self.course.ends)

    def list_files(self) -> dict[str, Any]:
        files = [self._mock._file_payload(file) for file in reversed(self._mock._files.values())]
        return {"object": "list", "data": files, "has_more": False}

    def cancel(self, batch_id: str) -> tuple[int, dict[str, Any]]:
        batch = self._mock._batches[batch_id]
        self._refresh(batch)
        if batch["done"]:
            return 409, {"error": {"message": f"it is {batch['status']} already", "code": None}}
        batch["status"] = "cancelling"
        self._looks[batch_id] = 0
        if not self.course.cancelling_looks:
            self._end(batch, "cancelled")
        return 200, self._mock._public_payload(batch)

    def _refresh(self, batch: dict[str, Any]) -> None:
        if batch["done"]:
            return
        is_cancelling = batch["status"] == "cancelling"
        if self._looks[batch["id"]] > (self.course.cancelling_looks if is_cancelling else self.course.looks):
            self._end(batch, "cancelled" if is_cancelling else self.course.ends)
        elif not is_cancelling:
            batch["status"] = "in_progress"

    def _end(self, batch: dict[str, Any], status: str) -> None:
        course = self.course
        batch |= {"status": status, "done": True, "output_file_id": None, "error_file_id": None}
        if course.blank:
            batch |= {"output_file_id": "", "error_file_id": ""}
        if status == "failed":
            batch["errors"] = {"object": "list", "data": [{"code": course.fault, "message": "It is too much."}]}
            return
        lines = [json.loads(line) for line in self._contents[batch["input_file_id"]].splitlines()]
        answered = len(lines) if course.answered is None else course.answered
        results = [*self._results(lines[:answered]), *_without_answer(lines[answered:], status)]
        good = [result for result in results if (result["response"] or {}).get("status_code") == 200]
        bad = [result for result in results if result not in good]
        batch["request_counts"] = {"total": len(lines), "completed": len(good), "failed": len(bad)}
        # In another order than that of the questions, as providers do it.
        for name, part in (("output_file_id", good[::-1]), ("error_file_id", bad)):
            if part:
                content = "\n".join(json.dumps(result, ensure_ascii=False) for result in part) + "\n"
                file = self._mock._store_file(filename="results", purpose=name, content=content, provider="openai")
                batch[name] = file["id"]

    def _results(self, lines: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        for line in lines:
            status, body = self._answer(line["body"])
            if not self.course.counts_tokens:
                body.pop("usage", None)
            response = {"status_code": status, "request_id": uuid.uuid4().hex, "body": body}
            yield {"id": uuid.uuid4().hex, "custom_id": line["custom_id"], "response": response, "error": None}


def _without_answer(lines: list[dict[str, Any]], status: str) -> Iterator[dict[str, Any]]:
    error = {"code": f"batch_{status}", "message": "This request was not executed."}
    for line in lines:
        yield {"id": uuid.uuid4().hex, "custom_id": line["custom_id"], "response": None, "error": error}


@dataclass
class Trouble:
    """What goes wrong with a call: the status it ends with, and whether it has its effect all the same."""

    method: str
    path: str
    status: int
    is_done: bool
    times: int


@dataclass
class Troubles:
    """Troubles that are still to come, and calls so far, by method and path."""

    planned: list[Trouble] = field(default_factory=list)
    calls: Counter[str] = field(default_factory=Counter)

    def meet(self, method: str, path: str) -> Trouble | None:
        """Count a call; return what goes wrong with it."""
        self.calls[f"{method} {_general(path)}"] += 1
        for trouble in self.planned:
            if trouble.times and (trouble.method, trouble.path) == (method, _general(path)):
                trouble.times -= 1
                return trouble
        return None


def _general(path: str) -> str:
    """Return a path with `*` in place of an id."""
    parts = path.split("/")
    return "/".join(
        "*" if before in ("files", "batches") else part for before, part in itertools.pairwise(["", *parts])
    )
