"""The provider's side of batches: its files, and its batches.

Neither making a file nor making a batch can be repeated without making a second one, so that each error says whether
something may have been made: `RefusedError`, nothing was; `UnclearError`, nobody can tell. Only looking is tried again
by itself.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from typing import IO, TYPE_CHECKING, Any, Final

from engagement_pipeline.copywriting.openai.batch_lines import ENDPOINT, plain_code
from engagement_pipeline.copywriting.openai.client import client_options
from engagement_pipeline.platform.settings import Settings

if TYPE_CHECKING:
    from openai import OpenAI

ENDED: Final = frozenset({"completed", "expired", "cancelled", "failed"})

_UPLOAD_SECONDS: Final = 600.0
# How far back what was made before a crash is looked for.
_MOST_LISTED: Final = 2_000
# No answer to a call that they may still have seen to, or one that another time may bring.
_UNCLEAR: Final = frozenset({408, 409, 425, 429, 500, 502, 503, 504})
_OUT_OF_MONEY: Final = "insufficient_quota"


class ProviderError(Exception):
    """No answer; the message is a short code, such as `status_404` or `timeout`."""


class RefusedError(ProviderError):
    """A definite no: nothing was made, and asking again would change nothing."""


class UnclearError(ProviderError):
    """Nobody can tell whether it was done, or another time may bring it."""


class GoneError(RefusedError):
    """The provider does not know what was asked for."""


@dataclass(frozen=True)
class RemoteBatch:
    """A batch as the provider sees it.

    Attributes:
        batch_id: the provider's name for it.
        status: the provider's word.
        output_file_id: where answers are, if there are any.
        error_file_id: where requests without an answer are, if there are any.
        fault: a code for why it failed as a whole; empty where it did not.
        answered: how many requests have an answer by now.
    """

    batch_id: str
    status: str
    output_file_id: str | None
    error_file_id: str | None
    fault: str
    answered: int

    @property
    def has_ended(self) -> bool:
        return self.status in ENDED


class BatchProvider:
    """Files and batches of one account. Every method but `delete` may raise a `ProviderError`.

    Args:
        client: tries nothing again by itself.
        tries_again: how often looking is tried again.
    """

    def __init__(self, client: "OpenAI", tries_again: int) -> None:
        self._client = client
        self._looking = client.with_options(max_retries=tries_again)

    def upload(self, name: str, content: IO[bytes]) -> str:
        """Make a file of questions; return its id."""
        with _errors():
            file = self._client.files.create(file=(name, content), purpose="batch", timeout=_UPLOAD_SECONDS)
            return _required(file.id)

    def find_file(self, name: str) -> str | None:
        """Return the id of a file that was made before, if there is one; None also where files cannot be listed."""
        with suppress(RefusedError), _errors():
            files = self._looking.files.list(purpose="batch", order="desc")
            return next((file.id for file in islice(files, _MOST_LISTED) if file.filename == name), None)
        return None

    def create(self, file_id: str, batch_key: str) -> str:
        """Make a batch of a file; return its id."""
        with _errors():
            batch = self._client.batches.create(
                input_file_id=file_id,
                endpoint=ENDPOINT,
                completion_window="24h",
                metadata={"batch_key": batch_key},
            )
            return _required(batch.id)

    def find_batch(self, file_id: str, batch_key: str) -> str | None:
        """Return the id of a batch that was made of a file before, if there is one."""
        with _errors():
            for batch in islice(self._looking.batches.list(limit=100), _MOST_LISTED):
                if batch.input_file_id == file_id or (batch.metadata or {}).get("batch_key") == batch_key:
                    return batch.id
        return None

    def retrieve(self, batch_id: str) -> RemoteBatch:
        """Look at a batch."""
        with _errors():
            return _remote(self._looking.batches.retrieve(batch_id))

    def cancel(self, batch_id: str) -> RemoteBatch:
        """Have a batch end early; it may take minutes."""
        with _errors():
            return _remote(self._client.batches.cancel(batch_id))

    def download(self, file_id: str, to: IO[bytes]) -> None:
        """Write what a file holds."""
        with _errors(), self._looking.files.with_streaming_response.content(file_id) as response:
            parts = response.iter_bytes()
            while (part := _next(parts)) is not None:
                to.write(part)

    def delete(self, *file_ids: str | None) -> None:
        """Delete files, as far as that succeeds: a provider keeps them for a while only."""
        for file_id in filter(None, file_ids):
            with suppress(ProviderError), _errors():
                self._client.files.delete(file_id)


@contextmanager
def batch_provider(
    settings: Settings, *, timeout: float | None = None, tries_again: int = 2
) -> Iterator[BatchProvider]:
    """Connect to the provider.

    Args:
        settings: say where it is.
        timeout: seconds for one answer; none: as settings say.
        tries_again: how often looking is tried again.
    """
    # 0.9 s to import: paid by the run that has batches, by nobody else.
    import openai

    options = client_options(settings)
    with openai.OpenAI(**(options if timeout is None else {**options, "timeout": timeout})) as client:
        yield BatchProvider(client, tries_again)


@contextmanager
def _errors() -> Iterator[None]:
    """Put the client's errors into ours."""
    import openai

    try:
        yield
    except openai.APITimeoutError as error:
        raise UnclearError("timeout") from error
    except openai.APIConnectionError as error:
        raise UnclearError("connection") from error
    except openai.APIStatusError as error:
        code = f"status_{error.status_code}"
        if error.status_code == 404:
            raise GoneError(code) from error
        if error.status_code in _UNCLEAR and error.code != _OUT_OF_MONEY:
            raise UnclearError(code) from error
        raise RefusedError(code) from error
    except (openai.APIError, AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        # The client checks no shapes: whatever a server says comes through as it is.
        raise UnclearError("unreadable") from error


def _next(parts: Iterator[bytes]) -> bytes | None:
    try:
        return next(parts, None)
    except Exception as error:
        # A connection that breaks off here raises an error of the HTTP library that the client happens to use.
        raise UnclearError("connection") from error


def _required(name: Any) -> str:
    if not isinstance(name, str) or not name:
        raise TypeError("the answer has no id")
    return name


def _remote(batch: Any) -> RemoteBatch:
    faults = (batch.errors.data if batch.errors else None) or []
    return RemoteBatch(
        batch_id=_required(batch.id),
        status=str(batch.status),
        # Some servers say "" where they mean none.
        output_file_id=batch.output_file_id or None,
        error_file_id=batch.error_file_id or None,
        fault=plain_code(faults[0].code) if faults else "",
        answered=int(batch.request_counts.completed) if batch.request_counts else 0,
    )
