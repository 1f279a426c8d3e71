"""Writing to one person now, because somebody asks for it: a draft and a place in the queue, through the same gate.

Nothing is made up for it: the score is the user's own, and the gate says why somebody is not written to as it always
does. Only the cool-down may be set aside, by whoever says so, and that is recorded with the e-mail: the sender judges
the row again, and sets aside what was set aside here and no more.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final, Literal

from engagement_pipeline.cohorts.reasons import Reason, Verdict
from engagement_pipeline.cohorts.recheck import recheck
from engagement_pipeline.cohorts.sending_hours import next_opening
from engagement_pipeline.copywriting import approvals
from engagement_pipeline.copywriting.brand import Brand
from engagement_pipeline.copywriting.brief import Brief
from engagement_pipeline.copywriting.catalogue import Catalogue
from engagement_pipeline.copywriting.checking import checked
from engagement_pipeline.copywriting.copy import Copywriter, Text
from engagement_pipeline.copywriting.edition import edition_of
from engagement_pipeline.copywriting.keeping import keep
from engagement_pipeline.copywriting.last_day import last_day
from engagement_pipeline.copywriting.template import TemplateCopywriter
from engagement_pipeline.delivery import statuses
from engagement_pipeline.delivery.briefing import Briefing
from engagement_pipeline.delivery.entries import NewEmail, StoredEmail
from engagement_pipeline.delivery.judging import candidate
from engagement_pipeline.delivery.stores import Stores
from engagement_pipeline.platform import change_log
from engagement_pipeline.platform.audit import AuditEntry
from engagement_pipeline.platform.errors import BadInputError
from engagement_pipeline.platform.settings import Settings
from engagement_pipeline.scoring.explain import explain
from engagement_pipeline.scoring.formula import Population
from engagement_pipeline.scoring.population import published_population
from engagement_pipeline.users.keys import check_secret_key
from engagement_pipeline.users.rows import StoredUser

NOT_SCORED: Final = "not_scored"
OPEN: Final = "open"
COPY_REJECTED: Final = "copy_rejected"
NOT_APPROVED: Final = "not_approved"

_MEANINGS: Final = {
    NOT_SCORED: "Nobody has been scored yet: what is typical of the shop's users is known after the first full run.",
    OPEN: "An e-mail to this user is waiting to be sent already.",
    COPY_REJECTED: "What the campaign says has been rejected; it says nothing until its words change.",
    NOT_APPROVED: "What the campaign says waits for somebody's approval.",
}


class NoSuchUserError(BadInputError):
    """There is nobody to write to under this id."""


@dataclass(frozen=True)
class Writing:
    """What writing to one person takes.

    Attributes:
        stores: users and the ledger.
        settings: the gate, the campaign, the secret key.
        brand: in whose name.
        catalogue: goods and offers that may be named, if the shop has such a file.
        copywriter: makes one for a single text; only asked where somebody is written to.
    """

    stores: Stores
    settings: Settings
    brand: Brand
    catalogue: Catalogue | None
    copywriter: Callable[[], Copywriter]


@dataclass(frozen=True)
class Requested:
    """What became of the request.

    Attributes:
        status: `queued`; `refused`; or `open`, where an e-mail to this user waits already.
        reason: the gate's code (see `Reason`), `not_scored`, `copy_rejected`, `not_approved` or `open`.
        meaning: the same in a sentence.
        email_id: the e-mail that waits; None where it was refused.
        overridden: the gate's reasons that were set aside for it.
        not_before: when the user's sending hours begin, if they are not on now.
    """

    status: Literal["queued", "refused", "open"]
    reason: str
    meaning: str
    email_id: str | None = None
    overridden: tuple[str, ...] = ()
    not_before: datetime | None = None


@dataclass(frozen=True)
class _Passed:
    """A user whom the gate lets through."""

    user: StoredUser
    address_key: str
    population: Population
    score: float
    band: str
    overridden: tuple[str, ...]


def request_email(
    writing: Writing,
    user_id: str,
    actor: str,
    override_cool_down: bool,
    now: datetime,
    *,
    request_id: str | None = None,
) -> Requested:
    """Write an e-mail to a user and queue it, if the gate agrees.

    Args:
        writing: what it takes.
        user_id: whom to write to.
        actor: who asks, for the ledger and the audit log.
        override_cool_down: whether the time since the last e-mail is to be set aside. Consent, suppressions, the
            hold-out, the silence and the most e-mails per silence never are, and sending hours are kept.
        now: the moment of the request.
        request_id: names the request, for the audit log.

    Raises:
        NoSuchUserError: there is no such user.
        SecretKeyChangedError: the store was made with another secret key.
        CopyTemplateError: the brand's templates, which stand in for any other text, do not suit it.
    """
    waiting = _open_email(writing, user_id)
    if waiting is not None:
        return waiting
    passed = _judge(writing, user_id, override_cool_down, now)
    if isinstance(passed, Requested):
        return passed
    copywriter = writing.copywriter()
    edition = edition_of(copywriter, writing.catalogue)
    if unwanted := _why_silent(writing, edition):
        return _refused(unwanted)
    briefing = Briefing(
        writing.settings.campaign,
        copywriter,
        writing.brand,
        writing.catalogue,
        passed.population.median_order_value,
        now,
    )
    brief = briefing.brief_of(passed.user, writing.stores.users.orders_of(user_id))
    text = _text(writing, copywriter, brief, briefing.number(user_id))
    draft = _Draft(passed, text, brief, edition, last_day(text.copy, brief, writing.brand))
    return _queue(writing, draft, actor, now, request_id)


def _judge(writing: Writing, user_id: str, override_cool_down: bool, now: datetime) -> _Passed | Requested:
    """Ask the gate by what the operational store says now."""
    settings = writing.settings
    secret = settings.secret_key.get_secret_value()
    user = writing.stores.users.get_user(user_id)
    if user is None:
        raise NoSuchUserError("there is no user with this id")
    with writing.stores.database.read() as connection:
        population = published_population(connection)
    if population is None:
        return _refused(NOT_SCORED)
    scored = explain(user, population, settings.scoring, now.date())
    addresses = writing.stores.ledger.address_facts([] if user.address_key is None else [user.address_key])

    def ask(overrides: tuple[str, ...]) -> Verdict:
        asked = candidate(user, scored.score, addresses, overrides, now)
        return recheck([asked], now, settings.gate, settings.scoring, secret)[user_id]

    overridden: tuple[str, ...] = ()
    verdict = ask(overridden)
    if verdict.reason is Reason.COOL_DOWN and override_cool_down:
        overridden = (Reason.COOL_DOWN.value,)
        verdict = ask(overridden)
    if verdict.decision != "mail" or user.address_key is None:
        return _refused(verdict.reason.value)
    return _Passed(user, user.address_key, population, scored.score, scored.band, overridden)


def _why_silent(writing: Writing, edition: str) -> str | None:
    """Return why nothing may be said in these words, as a code; None where it may."""
    with writing.stores.database.read() as connection:
        decided = approvals.find(connection, writing.settings.campaign, edition)
    if decided is not None and decided.verdict == "rejected":
        return COPY_REJECTED
    return NOT_APPROVED if decided is None and writing.settings.needs_approval else None


def _text(writing: Writing, copywriter: Copywriter, brief: Brief, number: int) -> Text:
    fallback = TemplateCopywriter(writing.brand)
    [text] = copywriter.write([brief], [number])
    if text is None:
        # Whoever asks for an e-mail now waits for no batch and for no other run's budget.
        text = Text(fallback.stand_in(brief), fallback.name)
    return checked(text, brief, writing.brand, fallback)


@dataclass(frozen=True)
class _Draft:
    passed: _Passed
    text: Text
    brief: Brief
    edition: str
    last_day: date | None


def _queue(writing: Writing, draft: _Draft, actor: str, now: datetime, request_id: str | None) -> Requested:
    """Put the draft in the queue in one transaction, unless another e-mail to the user has come to wait meanwhile."""
    user = draft.passed.user
    ledger = writing.stores.ledger
    with writing.stores.database.write() as connection:
        change_log.lock(connection)
        check_secret_key(connection, writing.settings.secret_key.get_secret_value())
        rows = ledger.emails_of(user.user_id)
        waiting = _first_open(rows)
        if waiting is not None:
            return _open(waiting.email_id)
        email = _email(writing.settings.campaign, draft, _next_step(rows, user, writing.settings.campaign), actor, now)
        details = {"overridden": list(draft.passed.overridden)}
        entry = AuditEntry(actor, "email.requested", "email", email.email_id, details, now, request_id)
        if not ledger.request(email, now, entry):
            return _open(email.email_id)
    return Requested(
        "queued",
        Reason.ELIGIBLE.value,
        Reason.ELIGIBLE.meaning,
        email.email_id,
        draft.passed.overridden,
        next_opening(user.time_zone, now, writing.settings.gate),
    )


def _email(campaign: str, draft: _Draft, step: int, actor: str, now: datetime) -> NewEmail:
    passed = draft.passed
    return NewEmail(
        user_id=passed.user.user_id,
        address_key=passed.address_key,
        campaign=campaign,
        step=step,
        score=passed.score,
        band=passed.band,
        # As the gate has it.
        value_at_risk=round(passed.user.average_order_value * (1 - passed.score / 100), 2),
        decided_at=now,
        variant=draft.brief.variant,
        copy=draft.text.copy.model_dump(mode="json"),
        copywriter=draft.text.author,
        provenance=keep(draft.text, draft.brief),
        edition=draft.edition,
        last_day=draft.last_day,
        requested_by=actor,
        overrides=passed.overridden or None,
    )


def _next_step(rows: Sequence[StoredEmail], user: StoredUser, campaign: str) -> int:
    # Rows that a sender has closed count for the user's steps only once they are settled.
    return max([user.steps, *(row.step for row in rows if row.campaign == campaign)]) + 1


def _open_email(writing: Writing, user_id: str) -> Requested | None:
    waiting = _first_open(writing.stores.ledger.emails_of(user_id))
    return None if waiting is None else _open(waiting.email_id)


def _first_open(rows: Sequence[StoredEmail]) -> StoredEmail | None:
    return next((row for row in rows if row.status in statuses.OPEN), None)


def _open(email_id: str) -> Requested:
    return Requested("open", OPEN, _MEANINGS[OPEN], email_id)


def _refused(reason: str) -> Requested:
    return Requested("refused", reason, _MEANINGS.get(reason) or Reason(reason).meaning)
