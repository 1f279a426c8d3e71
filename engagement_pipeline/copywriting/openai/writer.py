"""The copywriter that asks a model, and what keeps a run with it affordable: texts are shared, kept, and counted."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Final

from engagement_pipeline.copywriting.brand import Brand
from engagement_pipeline.copywriting.brief import Brief
from engagement_pipeline.copywriting.copy import Copy, Provenance, Spending, Text
from engagement_pipeline.copywriting.openai.answers import Answer, Fault, Usage, read_answer, total
from engagement_pipeline.copywriting.openai.asking import Asker, NoAnswerError
from engagement_pipeline.copywriting.openai.budget import Budget
from engagement_pipeline.copywriting.openai.limits import TokenRate
from engagement_pipeline.copywriting.openai.prompt import Messages, Prompt
from engagement_pipeline.copywriting.openai.texts import StoredText, TextKey, TextStore
from engagement_pipeline.copywriting.template import TemplateCopywriter
from engagement_pipeline.platform.settings import Settings
from engagement_pipeline.platform.sql import Database

# Each text is asked for once more with what was wrong with it.
_ATTEMPTS: Final = 2
# So many questions in a row without an answer are no bad luck: a wrong key, a provider that is down.
_GIVE_UP_AFTER: Final = 5
_OPENAI: Final = "https://api.openai.com/v1"
_UNAVAILABLE: Final = "unavailable"
_BUDGET: Final = "the run's budget is used up; what is left over is written by the next run"


class OpenAICopywriter:
    """Writes by asking a model at OpenAI, or at any server that speaks its protocol.

    For one run: it counts what it spends and keeps to the run's budget. A text that the model fails at twice, or that
    no answer comes for, is the template's. A text that the budget does not allow is left to the next run.
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
        self._now = now
        self._prompt = Prompt(brand)
        self._budget = Budget(self._settings)
        self._rate = TokenRate(self._settings.tokens_per_minute)
        self._reused = 0
        self._unanswered = 0
        self._unreachable: str | None = None
        self.variants = tuple(self._prompt.styles)
        self.texts_per_brief = self._settings.texts_per_brief
        self.wording = "\0".join((self._settings.model, self._prompt.version, fallback.wording))

    @property
    def spent(self) -> Spending:
        stopped = _BUDGET if self._budget.is_used_up else self._unreachable
        return Spending(
            self._budget.answers, *self._budget.spent, self._budget.cost(self._budget.spent), self._reused, stopped
        )

    def plan(self, wanted: Iterable[tuple[Brief, int]]) -> None:
        """Do nothing: every text is asked for when it is wanted."""

    def in_hand(self, briefs: Sequence[Brief], numbers: Sequence[int]) -> list[bool]:
        """Tell which texts are kept already."""
        keys = [self._key(brief, number) for brief, number in zip(briefs, numbers, strict=True)]
        there = self._store.which_exist(keys)
        return [key in there for key in keys]

    def write(self, briefs: Sequence[Brief], numbers: Sequence[int] | None = None) -> list[Text | None]:
        """Return one text per brief; None where the budget ended before it."""
        keys = [self._key(brief, number) for brief, number in zip(briefs, numbers or [0] * len(briefs), strict=True)]
        wanted = dict(zip(keys, briefs, strict=True))
        written = self._store.find(wanted)
        self._reused += len(written)
        failed: dict[TextKey, str] = {}
        missing = {key: brief for key, brief in wanted.items() if key not in written}
        if self._unreachable is not None:
            failed = dict.fromkeys(missing, _UNAVAILABLE)
        elif missing and not self._budget.is_used_up:
            asyncio.run(self._write_missing(missing, written, failed))
        texts = {key: self._text(brief, written.get(key), failed.get(key)) for key, brief in wanted.items()}
        return [texts[key] for key in keys]

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

    async def _write_missing(
        self, missing: dict[TextKey, Brief], written: dict[TextKey, StoredText], failed: dict[TextKey, str]
    ) -> None:
        async with self._asker() as asker:
            todo = iter(missing.items())
            lanes = min(self._settings.concurrency, len(missing))
            await asyncio.gather(*(self._work(asker, todo, written, failed) for _ in range(lanes)))

    async def _work(
        self,
        asker: Asker,
        todo: Iterator[tuple[TextKey, Brief]],
        written: dict[TextKey, StoredText],
        failed: dict[TextKey, str],
    ) -> None:
        """Be one of the calls in flight, one text after the other."""
        for key, brief in todo:
            if self._unreachable is not None:
                failed[key] = _UNAVAILABLE
                continue
            try:
                text = await self._write_one(asker, key, brief)
            except NoAnswerError as error:
                failed[key] = _UNAVAILABLE
                self._count_unanswered(str(error))
            else:
                self._unanswered = 0
                if text is not None:
                    written[key] = text

    def _count_unanswered(self, code: str) -> None:
        self._unanswered += 1
        if self._unanswered >= _GIVE_UP_AFTER:
            self._unreachable = f"the model does not answer ({code})"

    async def _write_one(self, asker: Asker, key: TextKey, brief: Brief) -> StoredText | None:
        """Ask for a text, and once more where it cannot be sent; None when the budget does not allow it."""
        messages = self._prompt.messages(brief, key.number)
        used: list[Usage] = []
        faults: list[Fault] = []
        for _ in range(_ATTEMPTS):
            answer = await self._ask(asker, messages)
            if answer is None:
                return None
            used.append(answer.usage)
            read = read_answer(answer, brief, self._brand)
            if isinstance(read, Copy):
                return self._keep(key, read, (), used)
            faults = read
            messages = self._prompt.again(messages, answer.content, faults)
        return self._keep(key, None, tuple(dict.fromkeys(fault.code for fault in faults)), used)

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

    def _keep(self, key: TextKey, copy: Copy | None, failures: tuple[str, ...], used: Sequence[Usage]) -> StoredText:
        usage = total(used)
        text = StoredText(key, copy, failures, usage, self._budget.cost(usage))
        return self._store.keep(text, self._now())

    @asynccontextmanager
    async def _asker(self) -> AsyncIterator[Asker]:
        # 0.9 s to import: paid by the run that asks a model, by nobody else.
        import openai

        settings = self._settings
        client = openai.AsyncOpenAI(
            # Explicit, so that nothing but the settings decides; a server of one's own may want no key.
            api_key=self._all_settings.openai_api_key.get_secret_value() or "none",
            base_url=self._all_settings.openai_base_url or _OPENAI,
            max_retries=0,
            timeout=settings.timeout_seconds,
        )
        async with client:
            yield Asker(client, settings.model, settings.max_answer_tokens)
