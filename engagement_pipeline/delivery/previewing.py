"""One user's e-mail as it would be now, from the operational store alone: no row is made, and nothing is sent.

Waits for no run: what it needs of the warehouse, runs have published.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from pydantic import ValidationError

from engagement_pipeline.copywriting import approvals, keeping
from engagement_pipeline.copywriting.brand import Brand
from engagement_pipeline.copywriting.brief import Brief
from engagement_pipeline.copywriting.catalogue import Catalogue
from engagement_pipeline.copywriting.checking import checked
from engagement_pipeline.copywriting.copy import Copy, Copywriter, Text
from engagement_pipeline.copywriting.edition import edition_of
from engagement_pipeline.copywriting.facts import facts_of
from engagement_pipeline.copywriting.last_day import last_day
from engagement_pipeline.copywriting.openai.prompt import Prompt
from engagement_pipeline.copywriting.preview import Preview
from engagement_pipeline.copywriting.render import Links, Recipient, Renderer
from engagement_pipeline.copywriting.template import TemplateCopywriter
from engagement_pipeline.delivery import sentences
from engagement_pipeline.delivery.briefing import Briefing
from engagement_pipeline.delivery.entries import Entry, StoredEmail, email_id_for
from engagement_pipeline.delivery.judging import Judge
from engagement_pipeline.delivery.rendering import (
    NOT_ON_ALLOW_LIST,
    CannotRenderError,
    checked_address,
    is_allowed,
)
from engagement_pipeline.delivery.statuses import OPEN
from engagement_pipeline.delivery.stores import Stores
from engagement_pipeline.platform.errors import BadInputError
from engagement_pipeline.platform.settings import Settings
from engagement_pipeline.scoring.explain import Explanation, explain
from engagement_pipeline.scoring.population import published_population
from engagement_pipeline.users.rows import StoredUser


@dataclass(frozen=True)
class _Draft:
    """An e-mail that waits, or one that was written for the preview."""

    copy: Copy
    copywriter: str
    record: Mapping[str, Any] | None
    variant: str
    edition: str
    step: int
    score: float | None
    last_day: date | None
    not_before: datetime | None
    origin: str
    cost: str
    prompt_note: str


class Previewer:
    """Shows e-mails of the campaign in the settings.

    Args:
        settings: of the campaign.
        stores: users and the ledger.
        copywriter: writes where nothing waits, for one run; what a model is paid for is kept as in any other run.
        why_template: why no model writes, in words; None where one does.
        brand: in whose name.
        catalogue: goods and offers that may be named, if the shop has such a file.
    """

    def __init__(
        self,
        settings: Settings,
        stores: Stores,
        copywriter: Copywriter,
        why_template: str | None,
        brand: Brand,
        catalogue: Catalogue | None,
    ) -> None:
        self._settings = settings
        self._stores = stores
        self._copywriter = copywriter
        self._why_template = why_template
        self._brand = brand
        self._catalogue = catalogue
        self._prompt = None if why_template else Prompt(brand)

    def preview(self, user_id: str, now: datetime, *, variant: str | None = None, fresh: bool = False) -> Preview:
        """Return the e-mail that waits for a user in the ledger, as it is, or else one that is written now.

        Args:
            user_id: whose.
            now: the moment that it is written, judged and shown at.
            variant: another style than the user's own; an e-mail that waits in a third one is passed over.
            fresh: write it anew, whatever waits.

        Raises:
            BadInputError: there is no such user or variant, or nothing can be said to somebody who never ordered.
        """
        user = self._user(user_id)
        if variant is not None and variant not in self._copywriter.variants:
            raise BadInputError(f"there is no variant {variant!r}: {', '.join(self._copywriter.variants)}")
        with self._stores.database.read() as connection:
            population = published_population(connection)
        median = None if population is None else population.median_order_value
        score = None if population is None else explain(user, population, self._settings.scoring, now.date())
        briefing = Briefing(self._settings.campaign, self._copywriter, self._brand, self._catalogue, median, now)
        row = None if fresh else self._waiting(user_id, variant)
        style = variant or (None if row is None else row.variant) or briefing.variant(user_id)
        brief = briefing.brief_of(user, self._stores.users.orders_of(user_id), variant=style)
        number = briefing.number(user_id)
        if row is None:
            draft = self._written(user, brief, number, None if score is None else score.score)
        else:
            draft = self._found(row, brief)
            number = (draft.record or {}).get("number", number)
        may_go, verdict = self._verdict(user, draft, now)
        return Preview(
            user_id=user_id,
            campaign=self._settings.campaign,
            edition=draft.edition,
            variant=draft.variant,
            origin=draft.origin,
            may_go=may_go,
            verdict=verdict,
            score=_score_sentences(score),
            email=Renderer(self._brand).render(draft.copy, Recipient(user.name), self._links()),
            brief=brief,
            facts=facts_of(brief, self._brand),
            prompt=self._prompt.messages(brief, number) if self._prompt else (),
            prompt_note=draft.prompt_note,
            copywriter=draft.copywriter,
            record=draft.record,
            cost=draft.cost,
        )

    def _user(self, user_id: str) -> StoredUser:
        user = self._stores.users.get_user(user_id)
        if user is None:
            raise BadInputError(f"there is no user {user_id!r}")
        if user.last_order_at is None:
            raise BadInputError(f"user {user_id!r} has no order with a date: there is no silence to write about")
        return user

    def _waiting(self, user_id: str, variant: str | None) -> StoredEmail | None:
        waiting = [
            row
            for row in self._stores.ledger.emails_of(user_id)
            if row.campaign == self._settings.campaign and row.status in OPEN and variant in (None, row.variant)
        ]
        return max(waiting, key=lambda row: row.step, default=None)

    def _found(self, row: StoredEmail, brief: Brief) -> _Draft:
        try:
            copy = Copy.model_validate(row.copy)
        except ValidationError:
            raise BadInputError("what waits for this user is no copy; --fresh writes it anew") from None
        record = keeping.read(row.provenance).record
        return _Draft(
            copy=copy,
            copywriter=row.copywriter or "unknown",
            record=record,
            variant=row.variant or brief.variant,
            edition=row.edition or approvals.UNNAMED,
            step=row.step,
            score=row.score,
            last_day=row.last_day,
            not_before=row.not_before,
            origin=sentences.waits(row.status, row.created_at),
            cost=sentences.cost_of_waiting(record),
            prompt_note=sentences.asked_before(record, brief.fingerprint, self._prompt, self._why_template),
        )

    def _written(self, user: StoredUser, brief: Brief, number: int, score: float | None) -> _Draft:
        [found] = self._copywriter.write([brief], [number])
        fallback = TemplateCopywriter(self._brand)
        text = checked(
            Text(fallback.stand_in(brief), fallback.name) if found is None else found, brief, self._brand, fallback
        )
        return _Draft(
            copy=text.copy,
            copywriter=text.author,
            record=text.record(),
            variant=brief.variant,
            edition=edition_of(self._copywriter, self._catalogue),
            step=user.steps + 1,
            score=score,
            last_day=last_day(text.copy, brief, self._brand),
            not_before=None,
            origin=sentences.WRITTEN_NOW,
            cost=sentences.cost_of_writing(text, found is None, self._copywriter.spent, self._why_template),
            prompt_note=sentences.asked_now(self._why_template),
        )

    def _verdict(self, user: StoredUser, draft: _Draft, now: datetime) -> tuple[bool, tuple[str, ...]]:
        campaign = self._settings.campaign
        with self._stores.database.read() as connection:
            approval = approvals.find(connection, campaign, draft.edition)
        agreed, about_words = sentences.approval(approval, draft.edition, self._settings.needs_approval)
        if draft.score is None:
            return False, (sentences.NOT_SCORED, *about_words)
        entry = Entry(
            email_id=email_id_for(user.user_id, campaign, draft.step),
            user_id=user.user_id,
            address_key=user.address_key or "",
            campaign=campaign,
            step=draft.step,
            score=draft.score,
            value_at_risk=user.average_order_value * (1 - draft.score / 100),
            copy=draft.copy.model_dump(mode="json"),
            attempts=0,
            last_day=draft.last_day,
        )
        settings = self._settings
        key = settings.secret_key.get_secret_value()
        judge = Judge(self._stores.ledger, self._stores.users, settings.gate, settings.scoring, key)
        judged = judge.judge([entry], now)
        refused = judged.refused.get(entry.email_id) or self._why_not_to(user.email)
        not_before = judged.not_before.get(entry.email_id) or draft.not_before
        may_go, about_user = sentences.judgement(refused, not_before if not_before and not_before > now else None)
        # What holds it back is said first.
        return may_go and agreed, (about_user, *about_words) if agreed else (*about_words, about_user)

    def _why_not_to(self, email: str | None) -> str | None:
        try:
            is_wanted = is_allowed(checked_address(email or ""), self._settings.delivery.allow_list)
        except CannotRenderError as error:
            return error.reason
        return None if is_wanted else NOT_ON_ALLOW_LIST

    def _links(self) -> Links:
        # Not the recipient's own: whoever looks at a preview must not be able to unsubscribe somebody with it.
        site = self._brand.site_url.rstrip("/")
        return Links(site, f"{self._settings.delivery.public_url or site}/unsubscribe")


def _score_sentences(score: Explanation | None) -> tuple[str, ...]:
    return (sentences.NOT_SCORED,) if score is None else score.sentences
