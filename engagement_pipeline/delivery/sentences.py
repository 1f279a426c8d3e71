"""What a preview says in words: where an e-mail comes from, what it cost, whether it would go. Pure rules."""

from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any, Final

from engagement_pipeline.cohorts.reasons import Reason
from engagement_pipeline.copywriting.approvals import Approval
from engagement_pipeline.copywriting.copy import Spending, Text
from engagement_pipeline.copywriting.openai.prompt import Prompt
from engagement_pipeline.delivery.judging import OFFER_ENDED, USER_DELETED
from engagement_pipeline.delivery.rendering import INVALID_ADDRESS, NOT_ON_ALLOW_LIST
from engagement_pipeline.delivery.statuses import Status

WRITTEN_NOW: Final = "Written for this preview: no e-mail waits because of it, and nothing is sent."
NOT_SCORED: Final = "Nobody has been scored yet, so that nobody can tell: the next run does that."

_MEANINGS: Final[Mapping[str, str]] = {
    **{reason.value: reason.meaning for reason in Reason},
    OFFER_ENDED: "What it offers will not hold any more when it could be sent.",
    USER_DELETED: "The user has been deleted.",
    INVALID_ADDRESS: "The address is none that an e-mail could be sent to.",
    NOT_ON_ALLOW_LIST: "The address is not on the allow list, and nobody else is written to while there is one.",
}

_WAITING: Final[Mapping[Status, str]] = {
    "draft": "It waits as a draft",
    "queued": "It is queued",
    "sending": "A sender has it in its hands",
}


def waits(status: Status, created_at: datetime) -> str:
    """Say where the e-mail stands that was found."""
    return f"{_WAITING[status]}, written on {_moment(created_at)}. It is shown as it is."


def judgement(reason: str | None, not_before: datetime | None) -> tuple[bool, str]:
    """Say what the gate said: whether it may go now, and why.

    Args:
        reason: why it must not go; None where nothing stands in its way.
        not_before: from when on it may, where the moment alone does.
    """
    if reason is not None:
        return False, f"{_MEANINGS.get(reason, reason)} ({reason})"
    if not_before is not None:
        return False, f"Not before {_moment(not_before)}: outside the user's sending hours, or to be tried again then."
    return True, f"{Reason.ELIGIBLE.meaning} ({Reason.ELIGIBLE.value})"


def approval(found: Approval | None, edition: str, needed: bool) -> tuple[bool, tuple[str, ...]]:
    """Say what was decided about the words: whether they may be sent, and by whom."""
    if found is not None:
        decided = f"Edition {edition} was {found.verdict} by {found.decided_by} on {_moment(found.decided_at)}."
        return found.verdict == "approved", (decided,)
    if needed:
        return False, (f"Nobody has approved edition {edition} yet: engagement copy approve {edition}",)
    return True, ()


def cost_of_waiting(record: Mapping[str, Any] | None) -> str:
    """Say what was paid for an e-mail that waits."""
    paid = (record or {}).get("cost_usd")
    return "Nothing was paid for this preview." + ("" if paid is None else f" The text had cost {dollars(paid)}.")


def cost_of_writing(text: Text, is_missing: bool, spent: Spending, why_template: str | None) -> str:
    """Say what was paid for an e-mail that was written for the preview, and why a template stands in, where it does."""
    if why_template is not None:
        return f"From templates, at no cost: {why_template}."
    if is_missing:
        why = spent.stopped or "a batch is to bring it"
        return f"The model's text is not there yet ({why}); until then this stands in, at no cost."
    if spent.answers:
        calls = "1 answer" if spent.answers == 1 else f"{spent.answers} answers"
        cost = f"This preview cost {dollars(spent.cost_usd)}: {calls}. The text is kept for whoever is to get it."
    elif spent.reused and text.provenance is not None:
        paid = dollars(text.provenance.cost_usd)
        cost = f"Nothing was paid for this preview: the text was there already. It had cost {paid}."
    else:
        cost = "Nothing was paid for this preview."
    if text.failures:
        cost += f" A template stands in for the model's text: {', '.join(text.failures)}."
    return cost


def asked_now(why_template: str | None) -> str:
    """Say what the prompt on the page is."""
    return "As it is sent, word for word." if why_template is None else f"Nothing: {why_template}."


def asked_before(
    record: Mapping[str, Any] | None, fingerprint: str, prompt: Prompt | None, why_template: str | None
) -> str:
    """Say what the prompt on the page has to do with the e-mail that waits."""
    if prompt is None:
        return asked_now(why_template)
    asked = (record or {}).get("fingerprint"), (record or {}).get("prompt_version")
    if asked == (fingerprint, prompt.version):
        return "As it was sent, word for word."
    if asked == (None, None):
        return "The e-mail that waits was written without a model. Today one would be asked so:"
    return "What is known of the user, or the prompt, has changed since it was written. Today it would be asked so:"


def dollars(amount: float) -> str:
    """Write an amount that may be a small part of a cent."""
    return f"${amount:,.2f}" if amount >= 1 else f"${amount:.5f}"


def _moment(moment: datetime) -> str:
    return f"{moment.astimezone(timezone.utc):%Y-%m-%d %H:%M} UTC"
