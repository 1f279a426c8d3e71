"""One question to the provider, asked until there is an answer or patience ends."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from datetime import timezone
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final

from engagement_pipeline.copywriting.openai.answers import ANSWER_FORMAT, Answer, Usage
from engagement_pipeline.copywriting.openai.prompt import Messages
from engagement_pipeline.platform import clock

if TYPE_CHECKING:
    from openai import APIStatusError, AsyncOpenAI
    from openai.types.chat import ChatCompletion

MOST_TRIES: Final = 8
PATIENCE_SECONDS: Final = 120.0

_FIRST_DELAY_SECONDS: Final = 0.5
_LONGEST_DELAY_SECONDS: Final = 20.0
_WORTH_ANOTHER_TRY: Final = frozenset({408, 409, 429, 500, 502, 503, 504})
# A provider's way to say that the account has no money left: waiting would not bring any.
_OUT_OF_MONEY: Final = "insufficient_quota"


def most_tokens(messages: Messages, max_answer_tokens: int) -> Usage:
    """Return the tokens that one answer may use: an estimate for the prompt, English has four letters a token."""
    return Usage(sum(len(message["content"]) for message in messages) // 3, max_answer_tokens)


class NoAnswerError(Exception):
    """The provider gave no answer; the message is a short code, such as `status_401` or `timeout`."""


class Asker:
    """Asks one model.

    Args:
        client: without retries of its own.
        model: its name.
        max_answer_tokens: where an answer is cut off.
        sleep: how to wait, in seconds.
    """

    def __init__(
        self,
        client: "AsyncOpenAI",
        model: str,
        max_answer_tokens: int,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._client = client
        self._model = model
        self._max_answer_tokens = max_answer_tokens
        self._sleep = sleep

    def most(self, messages: Messages) -> Usage:
        """Return the tokens that one answer may use."""
        return most_tokens(messages, self._max_answer_tokens)

    async def ask(self, messages: Messages) -> Answer:
        """Return the answer.

        Raises:
            NoAnswerError: there was none, after as many tries as make sense.
        """
        waited = 0.0
        for attempt in range(MOST_TRIES):
            try:
                return await self._ask_once(messages)
            except _Refused as refused:
                wait = _delay(attempt) if refused.retry_after is None else refused.retry_after
                waited += wait
                if not refused.is_passing or attempt + 1 == MOST_TRIES or waited > PATIENCE_SECONDS:
                    raise NoAnswerError(refused.code) from refused.__cause__
            await self._sleep(wait)
        raise AssertionError("the last try returns or raises")

    async def _ask_once(self, messages: Messages) -> Answer:
        import openai

        try:
            # `create`, and validation of our own: `parse` costs a millisecond more. Sent as extras, messages and format
            # go out as they are; the client would look at every key of them, which costs a quarter of the call.
            completion = await self._client.chat.completions.create(
                model=self._model,
                messages=[],
                max_completion_tokens=self._max_answer_tokens,
                extra_body={"messages": messages, "response_format": ANSWER_FORMAT},
            )
        except openai.APITimeoutError as error:
            raise _Refused("timeout") from error
        except openai.APIConnectionError as error:
            raise _Refused("connection") from error
        except openai.APIStatusError as error:
            raise _Refused(
                f"status_{error.status_code}",
                is_passing=error.status_code in _WORTH_ANOTHER_TRY and error.code != _OUT_OF_MONEY,
                retry_after=_retry_after(error),
            ) from error
        except (openai.APIError, ValueError) as error:
            raise _Refused("unreadable") from error
        try:
            return self._answer(completion, messages)
        except (AttributeError, IndexError, TypeError) as error:
            # The client checks no shapes: a proxy's page, or a server that is not what it says, comes through as it is.
            raise _Refused("unreadable") from error

    def _answer(self, completion: "ChatCompletion", messages: Messages) -> Answer:
        choice = completion.choices[0]
        counted = completion.usage
        # A server that does not count is paid, in our books, as if it had used everything.
        usage = self.most(messages) if counted is None else Usage(counted.prompt_tokens, counted.completion_tokens)
        return Answer(choice.message.content, choice.message.refusal, choice.finish_reason, usage)


class _Refused(Exception):  # noqa: N818 - caught within this module
    def __init__(self, code: str, *, is_passing: bool = True, retry_after: float | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.is_passing = is_passing
        self.retry_after = retry_after


def _delay(attempt: int) -> float:
    """Return seconds that double with each try, spread so that calls refused together do not return together."""
    longest = min(_FIRST_DELAY_SECONDS * 2**attempt, _LONGEST_DELAY_SECONDS)
    return random.uniform(longest / 2, longest)  # noqa: S311 - only spreads the waiting


def _retry_after(error: "APIStatusError") -> float | None:
    """Read how long the provider wants us to wait, in seconds: RFC 9110, section 10.2.3, and OpenAI's own header."""
    headers = error.response.headers
    try:
        if "retry-after-ms" in headers:
            return max(0.0, float(headers["retry-after-ms"]) / 1000)
        return max(0.0, float(headers["retry-after"]))
    except KeyError:
        return None
    except ValueError:
        return _seconds_until(headers.get("retry-after", ""))


def _seconds_until(date: str) -> float | None:
    try:
        moment = parsedate_to_datetime(date)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=timezone.utc)
    return max(0.0, (moment - clock.now()).total_seconds())
