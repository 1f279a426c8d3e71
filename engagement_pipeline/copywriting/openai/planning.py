"""What a daily run asks for beforehand: where it is much and there is time, as batches."""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from typing import Final

from engagement_pipeline.copywriting.brand import Brand
from engagement_pipeline.copywriting.openai.batch_lines import Questions
from engagement_pipeline.copywriting.openai.batch_provider import (
    BatchProvider,
    RefusedError,
    UnclearError,
    batch_provider,
)
from engagement_pipeline.copywriting.openai.batches import Batch, BatchStore
from engagement_pipeline.copywriting.openai.budget import Budget
from engagement_pipeline.copywriting.openai.following import Follower
from engagement_pipeline.copywriting.openai.requests import AT_ONCE, Request, RequestStore
from engagement_pipeline.copywriting.openai.submitting import Submitter
from engagement_pipeline.copywriting.openai.texts import TextKey, TextStore
from engagement_pipeline.platform.batches import in_batches
from engagement_pipeline.platform.settings import Settings
from engagement_pipeline.platform.sql import Database

# A batch for which less time is left would mostly be cancelled.
LEAST_TIME: Final = timedelta(hours=2)
# After a batch that has not brought everything the rest is asked for directly, and is not put into the next batch.
RESTS: Final = timedelta(hours=8)


class Planner:
    """Follows the batches of earlier runs, and makes new ones of what a run wants.

    Args:
        settings: say from how many texts on, until when, and where the provider is.
        database: the operational store.
        questions: those of today.
        brand: by whose rules answers are read.
        budget: the run's.
        now: the clock.
    """

    def __init__(
        self,
        settings: Settings,
        database: Database,
        questions: Questions,
        brand: Brand,
        budget: Budget,
        now: Callable[[], datetime],
    ) -> None:
        self._settings = settings
        self._texts = TextStore(database)
        self._requests = RequestStore(database)
        self._batches = BatchStore(database)
        self._questions = questions
        self._brand = brand
        self._budget = budget
        self._now = now
        self._submitter = Submitter(self._batches, self._requests, questions, now)
        # What became of batches, in words.
        self.notes: list[str] = []

    def follow(self) -> None:
        """Bring in what batches of earlier runs have answered, and take their next steps."""
        batches = self._batches.open()
        if not batches:
            return
        with batch_provider(self._settings) as provider:
            follower = self._follower(provider)
            self.notes += [note for batch in batches if (note := follower.follow(batch)) is not None]

    def ask_for(self, wanted: Iterable[Request]) -> None:
        """Submit what is wanted and missing as batches, where it is enough and there is time for it.

        Args:
            wanted: some may come twice; not read further than there is budget for.
        """
        self._requests.forget_unsent(self._questions.prompt_version, self._questions.model)
        wanted_by = self._wanted_by()
        if wanted_by is not None and self._put_together(wanted):
            self._submit(wanted_by)

    def _wanted_by(self) -> datetime | None:
        """Return until when a new batch could be answered; None where everything is to be asked for directly."""
        now, settings = self._now(), self._settings.copywriting
        wanted_by = next_hour(now, settings.batch_until_hour)
        if settings.batch_above is None or wanted_by - now < LEAST_TIME:
            return None
        if self._batches.has_disappointed(self._questions.prompt_version, self._questions.model, now - RESTS):
            return None
        return wanted_by

    def _put_together(self, wanted: Iterable[Request]) -> bool:
        """Note what is missing, once it is enough for a batch; tell whether it was."""
        few: dict[TextKey, Request] | None = {}
        for chunk in in_batches(wanted, AT_ONCE):
            missing = {request.key: request for request in self._missing(chunk)}
            if few is not None:
                few.update(missing)
                if len(few) <= (self._settings.copywriting.batch_above or 0):
                    continue
                missing, few = few, None
            allowed = [request for request in missing.values() if self._is_allowed(request)]
            self._requests.add(allowed, self._now())
            if len(allowed) < len(missing):
                break
        return few is None

    def _missing(self, requests: list[Request]) -> Iterator[Request]:
        keys = {request.key for request in requests}
        there = self._texts.which_exist(keys)
        there |= self._requests.find(keys - there).keys()
        return (request for request in requests if request.key not in there)

    def _is_allowed(self, request: Request) -> bool:
        return not self._budget.is_limited or self._budget.set_aside(self._questions.most(request))

    def _submit(self, wanted_by: datetime) -> None:
        refusal = doubt = ""
        with batch_provider(self._settings) as provider:
            follower = self._follower(provider)
            for place, batch in enumerate(self._submitter.prepare(wanted_by)):
                if not refusal and not doubt:
                    refusal, doubt = self._try(batch, provider)
                    if refusal and place == 0:
                        # All that it was for is asked for directly, in this run.
                        self._budget.free_what_was_set_aside()
                if refusal:
                    self.notes.append(follower.give_up(batch, f"the provider refuses it ({refusal})"))
                elif doubt:
                    self.notes.append(f"{batch.short_name}: no answer from the provider for now ({doubt})")
                else:
                    self.notes.append(f"{batch.short_name} submitted: {batch.requests:,} texts")

    def _try(self, batch: Batch, provider: BatchProvider) -> tuple[str, str]:
        """Submit a batch; return why it is refused, and why nobody can tell, as codes: empty where it is not so."""
        try:
            self._submitter.submit(batch, provider)
        except RefusedError as error:
            return str(error), ""
        except UnclearError as error:
            self._batches.touch(batch, self._now())
            return "", str(error)
        return "", ""

    def _follower(self, provider: BatchProvider) -> Follower:
        return Follower(self._batches, self._submitter, provider, self._questions, self._brand, self._budget, self._now)


def next_hour(now: datetime, hour: int) -> datetime:
    """Return the next moment, later than now, at which the clock shows this hour in now's time zone."""
    today = now.replace(hour=hour, minute=0, second=0, microsecond=0)
    return today if today > now else today + timedelta(days=1)
