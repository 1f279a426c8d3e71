"""Agreeing to what a campaign says, or not: the same for programs and for people."""

from typing import Final

from engagement_pipeline.copywriting import approvals
from engagement_pipeline.copywriting.approvals import Approval, Verdict
from engagement_pipeline.delivery.approving import Standing, count_waiting, let_stand
from engagement_pipeline.pipeline import Pipeline
from engagement_pipeline.web.changes import By

WRONG_NOTE: Final = f"a note is one visible line without an address, of at most {approvals.LONGEST_NOTE} characters"


class UnknownEditionError(Exception):
    """Nothing waits with these words, nobody has decided on them, and the campaign does not say them now."""


def decide_on(pipeline: Pipeline, edition: str, verdict: Verdict, note: str, by: By) -> Standing:
    """Let a verdict on an edition stand, with its entry in the audit log. Repeating changes nothing.

    Raises:
        UnknownEditionError: there is no such edition.
        BadInputError: the note is none that is kept.
    """
    campaign = pipeline.settings.campaign
    approval = Approval(campaign, edition, verdict, by.actor, " ".join(note.split()), by.now)
    with pipeline.database.read() as connection:
        is_known = count_waiting(connection, campaign, edition, at_most=1) or approvals.find(
            connection, campaign, edition
        )
    if not is_known and edition != pipeline.edition:
        raise UnknownEditionError
    entry = by.entry(f"copy.{verdict}", "edition", edition, {"campaign": campaign})
    return let_stand(pipeline.ledger, approval, audit=entry)
