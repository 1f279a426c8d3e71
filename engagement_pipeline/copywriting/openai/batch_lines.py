"""A batch's questions and answers as lines of JSON, as OpenAI wants and gives them.

The format: https://platform.openai.com/docs/guides/batch
"""

import json
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from engagement_pipeline.copywriting.openai.answers import ANSWER_FORMAT, Answer, Usage
from engagement_pipeline.copywriting.openai.asking import most_tokens
from engagement_pipeline.copywriting.openai.batches import Batch
from engagement_pipeline.copywriting.openai.prompt import Prompt
from engagement_pipeline.copywriting.openai.requests import Request
from engagement_pipeline.copywriting.openai.texts import TextKey

ENDPOINT: Final = "/v1/chat/completions"
# What a file may hold, with a margin: 50,000 requests and 200 MB.
MOST_LINES: Final = 50_000
MOST_BYTES: Final = 180_000_000

_CODE_LENGTH: Final = 40


class Line(NamedTuple):
    """One line of an output or error file.

    Attributes:
        name: fingerprint and number of the text that it is about; None where nobody can tell.
        body: what the provider would have answered directly; None where it has no answer.
        code: why it has none, such as `batch_expired` or `status_400`.
    """

    name: tuple[str, int] | None
    body: Any
    code: str = ""


class Questions:
    """The questions of today: those of one prompt to one model.

    Args:
        prompt: their words.
        model: who is asked.
        max_answer_tokens: where an answer is cut off.
    """

    def __init__(self, prompt: Prompt, model: str, max_answer_tokens: int) -> None:
        self._prompt = prompt
        self._max_answer_tokens = max_answer_tokens
        self.prompt_version = prompt.version
        self.model = model

    def are_in(self, asked: Batch | TextKey) -> bool:
        """Tell whether something was asked in these words of this model."""
        return (asked.prompt_version, asked.model) == (self.prompt_version, self.model)

    def most(self, request: Request) -> Usage:
        """Return the tokens that an answer to one may use."""
        return most_tokens(self._prompt.messages(request.brief, request.key.number), self._max_answer_tokens)

    def line(self, request: Request) -> bytes:
        """Return one as a line of a file; always the same bytes for the same request."""
        key = request.key
        question = {
            "custom_id": f"{key.fingerprint}-{key.number}",
            "method": "POST",
            "url": ENDPOINT,
            "body": {
                "model": key.model,
                "messages": self._prompt.messages(request.brief, key.number),
                "max_completion_tokens": self._max_answer_tokens,
                "response_format": ANSWER_FORMAT,
            },
        }
        return json.dumps(question, separators=(",", ":")).encode() + b"\n"


def read_line(line: bytes) -> Line:
    """Read one line, whatever it holds."""
    try:
        result = json.loads(line)
    except ValueError:
        return Line(None, None, "unreadable")
    if not isinstance(result, dict):
        return Line(None, None, "unreadable")
    name = _name(result.get("custom_id"))
    response, error = result.get("response"), result.get("error")
    response = response if isinstance(response, dict) else {}
    status = response.get("status_code")
    if status == 200 and not error and "body" in response:
        return Line(name, response["body"])
    code = error.get("code") if isinstance(error, dict) else None
    if code is None:
        code = "unreadable" if status in (None, 200) else f"status_{status}"
    return Line(name, None, plain_code(code))


def plain_code(said: Any) -> str:
    """Return what a provider calls an error, without anything that is no part of a name."""
    return "".join(sign for sign in str(said) if sign.isascii() and (sign.isalnum() or sign in "_-"))[:_CODE_LENGTH]


def answer_in(body: Any, most: Callable[[], Usage]) -> Answer | None:
    """Read an answer as a provider gives it; None where it is none.

    Args:
        body: a chat completion, as far as one can hope.
        most: what it may have used at the most: what it costs, in our books, where nobody has counted.
    """
    try:
        choice = body["choices"][0]
        message, counted = choice["message"], body.get("usage")
        usage = Usage(int(counted["prompt_tokens"]), int(counted["completion_tokens"])) if counted else most()
        content, refusal = message.get("content"), message.get("refusal")
        return Answer(_text(content), _text(refusal), str(choice.get("finish_reason")), usage)
    except (AttributeError, IndexError, KeyError, OverflowError, TypeError, ValueError):
        return None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _name(custom_id: Any) -> tuple[str, int] | None:
    fingerprint, _, number = str(custom_id).rpartition("-")
    return (fingerprint, int(number)) if fingerprint and number.isdecimal() and number.isascii() else None
