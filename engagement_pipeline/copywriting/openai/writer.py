"""The copywriter that asks a model, and what keeps a run with it affordable: texts are shared, kept, and counted."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from engagement_pipeline.copywriting.brand import Brand
from engagement_pipeline.copywriting.brief import Brief
from engagement_pipeline.copywriting.copy import Copy, Provenance, Spending, Text
from engagement_pipeline.copywriting.openai.answers import Answer, Fault, Usage, read_answer, total
from engagement_pipeline.copywriting.openai.asking import Asker, NoAnswerError
from engagement_pipeline.copywriting.openai.batch_lines import Questions
from engagement_pipeline.copywriting.openai.budget import Budget
from engagement_pipeline.copywriting.openai.client import client_options
from engagement_pipeline.copywriting.openai.limits import TokenRate
from engagement_pipeline.copywriting.openai.planning import Planner
from engagement_pipeline.copywriting.openai.prompt import Messages, Prompt
from engagement_pipeline.copywriting.openai.requests import Request, RequestStore, Standing
from engagement_pipeline.copywriting.openai.texts import StoredText, TextKey, TextStore
from engagement_pipeline.copywriting.template import TemplateCopywriter
from engagement_pipeline.platform.settings import Settings
from engagement_pipeline.platform.sql import Database

# Each text is asked for once more with what was wrong with it.
_ATTEMPTS: Final = 2
# So many questions in a row without an answer are no bad luck: a wrong key, a provider that is down.
_GIVE_UP_AFTER: Final = 5
_UNAVAILABLE: Final = "unavailable"
_BUDGET: Final = "the run's budget is used up; what is left over is written by the next full run"


class OpenAICopywriter:
    """Writes by asking a model at OpenAI, or at any server that speaks its protocol.

    For one run: it counts what it spends and keeps to the run's budget. A text that the model fails at twice, or that
    no answer comes for, is the template's. A text that the budget does not allow, or that a batch is to bring, is left
    to a later run.
    """

    name = "openai"

    def __init__(
        self,
        settings: Settings,
        brand: Brand,
        fallback: TemplateCopywriter,
        database: Database,
        now: Callable[[], datetime],
    ) -> None:
        self._all_settings = settings
        self._settings = settings.copywriting
        self._brand = brand
        self._fallback = fallback
        self._store = TextStore(database)
        self._requests = RequestStore(database)
        self._now = now
        self._prompt = Prompt(brand)
        self._budget = Budget(self._settings)
        questions = Questions(self._prompt, self._settings.model, self._settings.max_answer_tokens)
        self._planner = Planner(settings, database, questions, brand, self._budget, now)
        self._rate = TokenRate(self._settings.tokens_per_minute)
        self._reused = 0
        self._unanswered = 0
        self._unreachable: str | None = None
        self.variants = tuple(self._prompt.styles)
        self.texts_per_brief = self._settings.texts_per_brief
        self.wording = "\0".join((self._settings.model, self._prompt.version, fallback.wording))

    @property
    def spent(self) -> Spending:
        budget = self._budget
        return Spending(
            answers=budget.answers,
            **budget.spent._asdict(),
            cost_usd=budget.spent_usd,
            reused=self._reused,
            stopped=_BUDGET if budget.is_used_up else self._unreachable,
            awaited=self._requests.count_awaited(self._prompt.version, self._settings.model),
            notes=tuple(self._planner.notes),
        )

    def plan(self, wanted: Iterable[tuple[Brief, int]]) -> None:
        """Bring in what earlier batches have answered; where much is missing, and there is time, submit new ones."""
        self._planner.follow()
        self._planner.ask_for(Request(self._key(brief, number), brief) for brief, number in wanted)

    def in_hand(self, briefs: Sequence[Brief], numbers: Sequence[int]) -> list[bool]:
        """Tell which texts are kept already."""
        keys = self._keys(briefs, numbers)
        there = self._store.which_exist(keys)
        return [key in there for key in keys]

    def awaited(self, briefs: Sequence[Brief], numbers: Sequence[int]) -> list[bool]:
        """Tell which texts an open batch is to bring."""
        keys = self._keys(briefs, numbers)
        requested = self._requests.find(keys)
        return [key in requested and requested[key].is_awaited for key in keys]

    def write(self, briefs: Sequence[Brief], numbers: Sequence[int] | None = None) -> list[Text | None]:
        """Return one text per brief; None where the budget ended before it, or where a batch is to bring it."""
        keys = self._keys(briefs, numbers or [0] * len(briefs))
        wanted = dict(zip(keys, briefs, strict=True))
        work = _Work(self._store.find(wanted))
        self._reused += len(work.written)
        work.requested = self._requests.find(wanted.keys() - work.written.keys())
        missing = {
            key: brief
            for key, brief in wanted.items()
            if key not in work.written and not (key in work.requested and work.requested[key].is_awaited)
        }
        if self._unreachable is not None:
            work.failed = dict.fromkeys(missing, _UNAVAILABLE)
        elif missing and not self._budget.is_used_up:
            asyncio.run(self._write_missing(missing, work))
        texts = {key: self._text(brief, work.written.get(key), work.failed.get(key)) for key, brief in wanted.items()}
        return [texts[key] for key in keys]

    def _keys(self, briefs: Sequence[Brief], numbers: Sequence[int]) -> list[TextKey]:
        return [self._key(brief, number) for brief, number in zip(briefs, numbers, strict=True)]

    def _key(self, brief: Brief, number: int) -> TextKey:
        return TextKey(brief.fingerprint, self._prompt.version, self._settings.model, number)

    def _text(self, brief: Brief, stored: StoredText | None, failure: str | None) -> Text | None:
        if stored is None:
            return (
                None if failure is None else Text(self._fallback.stand_in(brief), self._fallback.name, None, (failure,))
            )
        key = stored.key
        provenance = Provenance(
            key.prompt_version, key.model, key.fingerprint, key.number, *stored.usage, stored.cost_usd
        )
        if stored.copy is None:
            return Text(self._fallback.stand_in(brief), self._fallback.name, provenance, stored.failures)
        return Text(stored.copy, self.name, provenance)

    async def _write_missing(self, missing: Mapping[TextKey, Brief], work: "_Work") -> None:
        async with self._asker() as asker:
            todo = iter(missing.items())
            lanes = min(self._settings.concurrency, len(missing))
            await asyncio.gather(*(self._be_a_lane(asker, todo, work) for _ in range(lanes)))

    async def _be_a_lane(self, asker: Asker, todo: Iterator[tuple[TextKey, Brief]], work: "_Work") -> None:
        """Be one of the calls in flight, one text after the other."""
        for key, brief in todo:
            if self._unreachable is not None:
                work.failed[key] = _UNAVAILABLE
                continue
            try:
                text = await self._write_one(asker, Request(key, brief), work.requested.get(key))
            except NoAnswerError as error:
                work.failed[key] = _UNAVAILABLE
                self._count_unanswered(str(error))
            else:
                self._unanswered = 0
                if text is not None:
                    work.written[key] = text

    def _count_unanswered(self, code: str) -> None:
        self._unanswered += 1
        if self._unanswered >= _GIVE_UP_AFTER:
            self._unreachable = f"the model does not answer ({code})"

    async def _write_one(self, asker: Asker, request: Request, standing: Standing | None) -> StoredText | None:
        """Ask for a text, and once more where it cannot be sent; None when the budget does not allow it."""
        key, brief = request
        messages = self._prompt.messages(brief, key.number)
        used: list[tuple[Usage, float]] = []
        faults: Sequence[Fault] = ()
        if standing is not None and (first := standing.first_answer) is not None:
            used, faults = [(first.usage, first.cost_usd)], first.faults
            messages = self._prompt.again(messages, first.content, faults)
        while len(used) < _ATTEMPTS:
            answer = await self._ask(asker, messages)
            if answer is None:
                return None
            used.append((answer.usage, self._budget.cost(answer.usage)))
            read = read_answer(answer, brief, self._brand)
            if isinstance(read, Copy):
                return self._keep(key, read, (), used, standing)
            faults = read
            messages = self._prompt.again(messages, answer.content, faults)
        return self._keep(key, None, tuple(dict.fromkeys(fault.code for fault in faults)), used, standing)

    async def _ask(self, asker: Asker, messages: Messages) -> Answer | None:
        most = asker.most(messages)
        if not await self._budget.reserve(most):
            return None
        answer = None
        # What answers have used so far is the better guess; the budget alone must reckon with the worst.
        expected = self._budget.mean_tokens or sum(most)
        try:
            await self._rate.take(expected)
            answer = await asker.ask(messages)
        finally:
            used = None if answer is None else answer.usage
            self._rate.give_back(expected - sum(used or ()))
            self._budget.settle(most, used)
        return answer

    def _keep(
        self,
        key: TextKey,
        copy: Copy | None,
        failures: tuple[str, ...],
        used: Sequence[tuple[Usage, float]],
        standing: Standing | None = None,
    ) -> StoredText:
        text = StoredText(key, copy, failures, total(usage for usage, _ in used), sum(cost for _, cost in used))
        return self._store.keep(text, self._now(), was_requested=standing is not None)

    @asynccontextmanager
    async def _asker(self) -> AsyncIterator[Asker]:
        # 0.9 s to import: paid by the run that asks a model, by nobody else.
        import openai

        settings = self._settings
        async with openai.AsyncOpenAI(**client_options(self._all_settings)) as client:
            yield Asker(client, settings.model, settings.max_answer_tokens)


@dataclass
class _Work:
    """What one call of `write` has found and done: by key, texts, codes of failures, and what was asked for before."""

    written: dict[TextKey, StoredText]
    failed: dict[TextKey, str] = field(default_factory=dict)
    requested: Mapping[TextKey, Standing] = field(default_factory=dict)
