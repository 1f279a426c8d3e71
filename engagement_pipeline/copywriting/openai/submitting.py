"""Handing batches over: put together, uploaded, submitted, each step written down before the next is taken.

A process may die between a step and its record. Whoever goes on looks with the provider for what may have been made.
"""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from tempfile import TemporaryFile
from typing import Final

from engagement_pipeline.copywriting.openai.batch_lines import MOST_BYTES, MOST_LINES, Questions
from engagement_pipeline.copywriting.openai.batch_provider import BatchProvider
from engagement_pipeline.copywriting.openai.batches import Batch, BatchStore, of_batch, unsent
from engagement_pipeline.copywriting.openai.requests import Request, RequestStore

# What a provider was asked for shows in its lists after so long at the latest.
SHOWS_AFTER: Final = timedelta(minutes=2)


class Submitter:
    """Hands batches over.

    Args:
        batches: where batches are written down.
        requests: where what they ask is.
        questions: how it is asked.
        now: the clock.
    """

    def __init__(
        self, batches: BatchStore, requests: RequestStore, questions: Questions, now: Callable[[], datetime]
    ) -> None:
        self._batches = batches
        self._requests = requests
        self._questions = questions
        self._now = now

    def prepare(self, wanted_by: datetime) -> Iterator[Batch]:
        """Make batches, none larger than a file may be, of all requests that have none."""
        while measured := self._measure():
            yield self._batches.prepare(*measured, wanted_by, self._now())

    def submit(self, batch: Batch, provider: BatchProvider) -> Batch:
        """Hand over a batch that this process has just prepared.

        Raises:
            RefusedError: there will be no such batch.
            UnclearError: it may have been made all the same, or be made another time.
        """
        return self._create(self._upload(batch, provider), provider)

    def go_on(self, batch: Batch, provider: BatchProvider) -> Batch:
        """Go on where another process stopped, or where nobody could tell what became of a step.

        Raises:
            RefusedError: there will be no such batch.
            UnclearError: it may have been made all the same, or be made another time.
        """
        if batch.file_id is not None:
            return self.find(batch, provider) or self._create(batch, provider)
        file_id = provider.find_file(batch.file_name)
        return self._create(
            self._upload(batch, provider) if file_id is None else self._uploaded(batch, file_id), provider
        )

    def find(self, batch: Batch, provider: BatchProvider) -> Batch | None:
        """Look for a batch that may have been made of an uploaded file.

        Raises:
            ProviderError: the provider does not tell.
        """
        batch_id = provider.find_batch(batch.file_id or "", batch.batch_key)
        return None if batch_id is None else self._batches.move(batch, "submitted", self._now(), batch_id=batch_id)

    def _upload(self, batch: Batch, provider: BatchProvider) -> Batch:
        with TemporaryFile() as file:
            for request in self._requests.read(of_batch(batch)):
                file.write(self._questions.line(request))
            file.seek(0)
            return self._uploaded(batch, provider.upload(batch.file_name, file))

    def _uploaded(self, batch: Batch, file_id: str) -> Batch:
        return self._batches.move(batch, "uploaded", self._now(), file_id=file_id)

    def _create(self, batch: Batch, provider: BatchProvider) -> Batch:
        batch_id = provider.create(batch.file_id or "", batch.batch_key)
        return self._batches.move(batch, "submitted", self._now(), batch_id=batch_id)

    def _measure(self) -> tuple[Request, int] | None:
        """Return the last request that still fits into a file with all before it, and how many they are."""
        last = None
        count = size = 0
        for request in self._requests.read(*unsent(self._questions.prompt_version, self._questions.model)):
            size += len(self._questions.line(request))
            if last is not None and (count == MOST_LINES or size > MOST_BYTES):
                break
            last = request
            count += 1
        return None if last is None else (last, count)
