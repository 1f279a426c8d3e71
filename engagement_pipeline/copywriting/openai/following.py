"""Following batches: handing over what was left half submitted, bringing in what has ended, ending what is late."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from itertools import islice
from tempfile import TemporaryFile
from typing import Any, Final

from engagement_pipeline.copywriting.brand import Brand
from engagement_pipeline.copywriting.copy import Copy
from engagement_pipeline.copywriting.openai.answers import Answer, read_answer
from engagement_pipeline.copywriting.openai.batch_lines import Line, Questions, answer_in, read_line
from engagement_pipeline.copywriting.openai.batch_provider import (
    BatchProvider,
    GoneError,
    ProviderError,
    RefusedError,
    RemoteBatch,
)
from engagement_pipeline.copywriting.openai.batches import UNSENT, Batch, BatchStore, Judged
from engagement_pipeline.copywriting.openai.budget import BATCH_PRICE, Budget
from engagement_pipeline.copywriting.openai.requests import AT_ONCE, FirstAnswer, Request
from engagement_pipeline.copywriting.openai.submitting import SHOWS_AFTER, Submitter

# OpenAI says that cancelling takes up to ten minutes.
PATIENCE: Final = timedelta(minutes=15)


class Follower:
    """Looks after the open batches, once for each call of `follow`.

    Args:
        batches: where batches are written down.
        submitter: hands over.
        provider: where the batches are.
        questions: those of today; answers to others are kept, and no more is paid for any.
        brand: by whose rules answers are read.
        budget: counts what is paid.
        now: the clock.
    """

    def __init__(
        self,
        batches: BatchStore,
        submitter: Submitter,
        provider: BatchProvider,
        questions: Questions,
        brand: Brand,
        budget: Budget,
        now: Callable[[], datetime],
    ) -> None:
        self._batches = batches
        self._submitter = submitter
        self._provider = provider
        self._questions = questions
        self._brand = brand
        self._budget = budget
        self._now = now

    def follow(self, batch: Batch) -> str | None:
        """Take the next step with a batch; return what became of it, in words, where something did."""
        try:
            if batch.state in UNSENT:
                return self._hand_over(batch)
            return self._look_at(batch)
        except GoneError as error:
            return self.give_up(batch, f"the provider does not know it any more ({error})")
        except ProviderError as error:
            return self._without_answer(batch, str(error))

    def give_up(self, batch: Batch, reason: str) -> str:
        """Close a batch that nothing more is expected of."""
        left = self._batches.close(batch, "given_up", reason, self._now())
        self._provider.delete(left.file_id)
        return f"{batch.short_name} given up: {reason}; {left.texts:,} texts are asked for directly"

    def _is_wanted(self, batch: Batch) -> bool:
        return self._questions.are_in(batch) and self._now() < batch.wanted_by

    def _hand_over(self, batch: Batch) -> str | None:
        if not self._is_wanted(batch):
            found = None if batch.file_id is None else self._submitter.find(batch, self._provider)
            if found is None:
                return self.give_up(batch, "it could not be submitted in time, or other words are wanted by now")
            return self._look_at(found)
        if self._now() - batch.updated_at < SHOWS_AFTER:
            return None
        try:
            self._submitter.go_on(batch, self._provider)
        except RefusedError as error:
            return self.give_up(batch, f"the provider refuses it ({error})")
        return f"{batch.short_name} submitted: {batch.requests:,} texts"

    def _look_at(self, batch: Batch) -> str | None:
        remote = self._provider.retrieve(batch.batch_id or "")
        if not (remote.has_ended or self._is_wanted(batch) or remote.status == "cancelling"):
            remote = self._provider.cancel(batch.batch_id or "")
        if remote.has_ended:
            return self._collect(batch, remote)
        if batch.state == "cancelling" and self._is_overdue(batch):
            lost = f"{remote.answered:,} answers are paid for and lost"
            return self.give_up(batch, f"the provider did not finish cancelling it in time: {lost}")
        return None if self._is_wanted(batch) else self._end(batch)

    def _without_answer(self, batch: Batch, code: str) -> str:
        if not self._is_wanted(batch):
            if self._is_overdue(batch):
                return self.give_up(batch, f"the provider does not tell what became of it ({code})")
            if batch.state == "submitted":
                self._end(batch)
        if batch.state != "cancelling":
            # Seen to again after a while, not at once.
            self._batches.touch(batch, self._now())
        return f"{batch.short_name}: no answer from the provider for now ({code})"

    def _is_overdue(self, batch: Batch) -> bool:
        """Tell whether a batch that nobody wants any more has been waited for long enough."""
        since = {"submitted": self._now(), "cancelling": batch.updated_at}.get(batch.state, batch.wanted_by)
        return self._now() - since >= PATIENCE

    def _end(self, batch: Batch) -> str:
        """Note since when a batch is not wanted any more."""
        if batch.state != "cancelling":
            self._batches.move(batch, "cancelling", self._now())
        return f"{batch.short_name} is being cancelled: it is late, or other words are wanted by now"

    def _collect(self, batch: Batch, remote: RemoteBatch) -> str:
        """Bring in every answer, a few at a time; whatever is left then has none."""
        kept = 0
        why: Counter[str] = Counter()
        for file_id in filter(None, (remote.output_file_id, remote.error_file_id)):
            for lines in self._lines(file_id):
                kept += self._take(batch, lines)
                why.update(line.code for line in lines if line.body is None)
        reason = ", ".join((*filter(None, (remote.fault,)), *(f"{code} {count:,}" for code, count in why.items())))
        left = self._batches.close(batch, "collected", reason, self._now())
        self._provider.delete(left.file_id, remote.output_file_id, remote.error_file_id)
        told = f"{batch.short_name} {remote.status}: {kept:,} answers brought in"
        return f"{told}, {left.texts:,} texts are asked for directly ({reason or 'no answer'})" if left.texts else told

    def _lines(self, file_id: str) -> Iterator[list[Line]]:
        with TemporaryFile() as file:
            try:
                self._provider.download(file_id, file)
            except GoneError:
                return
            file.seek(0)
            filled = (line for line in file if line.strip())
            while lines := [read_line(line) for line in islice(filled, AT_ONCE)]:
                yield lines

    def _take(self, batch: Batch, lines: list[Line]) -> int:
        bodies = {line.name: line.body for line in lines if line.name is not None and line.body is not None}
        judged = [
            self._judge(request, answer)
            for request in self._batches.awaited(batch, bodies.keys())
            if (answer := self._answer(request, bodies)) is not None
        ]
        kept = self._batches.take(batch, judged, self._now())
        for one in kept:
            self._budget.count(1, one.usage, one.cost_usd)
        return len(kept)

    def _answer(self, request: Request, bodies: Mapping[tuple[str, int], Any]) -> Answer | None:
        body = bodies[request.key.fingerprint, request.key.number]
        return answer_in(body, lambda: self._questions.most(request))

    def _judge(self, request: Request, answer: Answer) -> Judged:
        read = read_answer(answer, request.brief, self._brand)
        cost = self._budget.cost(answer.usage, BATCH_PRICE)
        if isinstance(read, Copy):
            return Judged(request, answer.usage, cost, read, None)
        # Nobody will ask a second time in the words of another day.
        is_of_today = self._questions.are_in(request.key)
        first = FirstAnswer(answer.content, tuple(read), answer.usage, cost) if is_of_today else None
        return Judged(request, answer.usage, cost, None, first)
