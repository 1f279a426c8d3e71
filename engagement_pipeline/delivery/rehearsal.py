"""A dry run: judges and renders everything that is due, and changes nothing."""

from datetime import datetime

from engagement_pipeline.cohorts.reasons import Reason
from engagement_pipeline.delivery.entries import Entry
from engagement_pipeline.delivery.judging import Judge, Letter
from engagement_pipeline.delivery.ledger import Ledger
from engagement_pipeline.delivery.pace import Clock
from engagement_pipeline.delivery.rendering import CannotRenderError, MessageMaker
from engagement_pipeline.delivery.send_report import SendReport, Tally
from engagement_pipeline.delivery.statuses import OPEN

BATCH = 250


def rehearse(campaign: str, ledger: Ledger, judge: Judge, maker: MessageMaker, now: Clock, tally: Tally) -> SendReport:
    """Say what a run would do."""
    written_to: set[str] = set()
    after: Entry | None = None
    while entries := ledger.due(campaign, now(), BATCH, after):
        judged = judge.judge(entries, now())
        for reason in judged.refused.values():
            tally.skip(reason)
        for letter in judged.letters:
            _rehearse_one(letter, maker, now(), written_to, tally)
        after = entries[-1]
    rows = ledger.count_by_status(campaign)
    unapproved = ledger.count_unapproved(campaign)
    waiting = sum(rows.get(status, 0) for status in OPEN) - unapproved - tally.done
    return tally.report(waiting, unapproved=unapproved, dry_run=True)


def _rehearse_one(letter: Letter, maker: MessageMaker, now: datetime, written_to: set[str], tally: Tally) -> None:
    if letter.address_key in written_to:
        tally.skip(Reason.ADDRESS_COOL_DOWN.value)
        return
    try:
        maker.make(letter.entry, letter.email, letter.user.name, now)
    except CannotRenderError as error:
        tally.skip(error.reason)
        return
    written_to.add(letter.address_key)
    tally.count("sent")
