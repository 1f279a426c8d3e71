"""The ledger's writes whose conditions say all that has to hold, so that no row is read first. Pure."""

from datetime import datetime, timedelta, timezone

from engagement_pipeline.delivery.dynamodb import addresses
from engagement_pipeline.delivery.dynamodb.addresses import Touch
from engagement_pipeline.delivery.dynamodb.items import claim_shard, queue_of
from engagement_pipeline.delivery.entries import Outcome, Ticket
from engagement_pipeline.delivery.statuses import WAITING
from engagement_pipeline.platform.dynamodb_tables import EMAILS, USERS
from engagement_pipeline.platform.dynamodb_words import (
    Condition,
    absent,
    all_of,
    any_of,
    at_least,
    at_most,
    equals,
    exists,
    is_one_of,
    less,
    unchanged,
)
from engagement_pipeline.platform.dynamodb_writes import Check, Update, Write
from engagement_pipeline.users.dynamodb.items import JUDGED, text_of

_CLAIM = ("claimedBy", "claimedUntil", "claimShard")
_PLACE_IN_QUEUE = ("campaignStatus", "rank")


def queueing(campaign: str, email_id: str, now: datetime) -> Update:
    """Release a draft for sending."""
    sets = {"status": "queued", "campaignStatus": queue_of(campaign, "queued"), "updatedAt": text_of(now)}
    return Update(EMAILS, (email_id,), sets=sets, condition=equals("status", "draft"))


def claiming(email_id: str, worker: str, now: datetime, until: datetime) -> Update:
    """Claim a queued row that nobody holds any more."""
    free = any_of(absent("claimedBy"), less("claimedUntil", text_of(now)))
    is_due = any_of(absent("notBefore"), at_most("notBefore", text_of(now)))
    condition = all_of(equals("status", "queued"), free, is_due)
    return Update(EMAILS, (email_id,), sets=_claim(email_id, worker, until), condition=condition)


def marking(worker: str, ticket: Ticket, now: datetime, lease_for: timedelta) -> list[Write]:
    """Mark a claimed row `sending` if all that the gate has seen still holds, but for what was decided on its words."""
    # A turn may lie far ahead.
    holds = any_of(absent("lastDay"), at_least("lastDay", now.astimezone(timezone.utc).date().isoformat()))
    row = Update(
        EMAILS,
        (ticket.email_id,),
        sets={
            "status": "sending",
            "addressKey": ticket.address_key,
            "provider": ticket.provider,
            "claimedUntil": text_of(now + lease_for),
            "sentAt": text_of(now),
            "updatedAt": text_of(now),
        },
        removes=("notBefore", *_PLACE_IN_QUEUE),
        condition=all_of(_queued(worker), holds),
    )
    touch = Touch(ticket.address_key, now, ticket.email_id)
    return [row, _seen_user(ticket), addresses.marking(touch, ticket.address_touched_at)]


def recording(worker: str, outcome: Outcome, now: datetime) -> Update:
    """Record that the message in this worker's hands was sent: nothing else changes, not even at the address."""
    values = {"reason": outcome.reason, "providerMessageId": outcome.provider_message_id, "updatedAt": text_of(now)}
    return Update(
        EMAILS,
        (outcome.email_id,),
        sets={"status": outcome.status} | {name: value for name, value in values.items() if value is not None},
        removes=() if outcome.reason is not None else ("reason",),
        adds={"attempts": outcome.attempts},
        condition=all_of(_held(worker), equals("status", "sending")),
    )


def closing(worker: str, email_id: str, reason: str, now: datetime) -> Update:
    """Skip a queued row that this worker holds."""
    return _skipping(email_id, reason, now, {}, _queued(worker))


def taking_out(worker: str, email_id: str, reason: str, now: datetime, until: datetime) -> Update:
    """Skip a row that waits and that nobody holds; from then on this worker does, until what follows is settled."""
    free = all_of(absent("claimedBy"), is_one_of("status", sorted(WAITING)))
    return _skipping(email_id, reason, now, _claim(email_id, worker, until), free)


def releasing(worker: str, email_id: str, not_before: datetime | None = None) -> Update:
    """Give back a queued row that this worker holds; until its moment has come, where there is one."""
    sets = {} if not_before is None else {"notBefore": text_of(not_before)}
    return Update(EMAILS, (email_id,), sets, _CLAIM, condition=_queued(worker))


def releasing_late(worker: str, email_id: str, now: datetime) -> Update:
    """Give back a queued row that this worker holds, where its time has run out."""
    condition = all_of(_queued(worker), less("claimedUntil", text_of(now)))
    return Update(EMAILS, (email_id,), removes=_CLAIM, condition=condition)


def giving_back(worker: str, email_id: str) -> Update:
    """Give back a closed row that this worker holds."""
    return Update(EMAILS, (email_id,), removes=_CLAIM, condition=_held(worker))


def _claim(email_id: str, worker: str, until: datetime) -> dict[str, str]:
    return {"claimedBy": worker, "claimedUntil": text_of(until), "claimShard": claim_shard(email_id)}


def _held(worker: str) -> Condition:
    return equals("claimedBy", worker)


def _queued(worker: str) -> Condition:
    return all_of(_held(worker), equals("status", "queued"))


def _skipping(email_id: str, reason: str, now: datetime, sets: dict[str, str], condition: Condition) -> Update:
    skipped = {"status": "skipped", "reason": reason, "updatedAt": text_of(now)}
    return Update(EMAILS, (email_id,), sets | skipped, ("notBefore", *_PLACE_IN_QUEUE), condition=condition)


def _seen_user(ticket: Ticket) -> Check:
    # The shop's own programs may write to the table without counting versions.
    return Check(USERS, (ticket.user_id,), all_of(exists("userId"), unchanged(ticket.user_as_read, JUDGED)))
