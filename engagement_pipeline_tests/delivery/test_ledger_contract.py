"""What every ledger must keep, on SQLite, PostgreSQL and DynamoDB."""

import subprocess
import sys
from datetime import datetime
from typing import Any

import pytest

from engagement_pipeline.delivery.entries import NewEmail, Outcome
from engagement_pipeline.delivery.mailer import Mailer
from engagement_pipeline_tests.conftest import NOW
from engagement_pipeline_tests.delivery.parts import CAMPAIGN, Parts, silent_user
from engagement_pipeline_tests.delivery.steps import (
    LATER,
    LEASE,
    THEM,
    US,
    Provider,
    lease,
    mark,
    queued,
    record,
    ticket,
)


def test_a_draft_is_created_once(parts: Parts) -> None:
    parts.add_users([silent_user(1)], NOW)
    drafts = parts.add_drafts(["u00001"], NOW)
    assert parts.ledger.create_drafts(drafts, NOW) == 0
    assert parts.statuses() == {"u00001": "draft"}
    assert parts.ledger.taken(CAMPAIGN, {"u00001": 2, "u00002": 1}) == {"u00001"}


def test_a_hold_out_is_closed_and_touches_the_user_without_an_email(parts: Parts) -> None:
    parts.add_users([silent_user(1)], NOW)
    user = parts.store.get_user("u00001")
    assert user is not None
    held_out = NewEmail(user.user_id, user.address_key or "", CAMPAIGN, 1, 30.0, "at_risk", 20.0, NOW, "plain")
    assert parts.ledger.record_hold_outs([held_out], LATER) == 1
    assert parts.ledger.record_hold_outs([held_out], LATER) == 0
    after = parts.store.get_user("u00001")
    assert after is not None
    assert (after.steps, after.last_touch_at, after.last_email_at, after.touches_since_order) == (1, NOW, None, 1)
    assert parts.statuses() == {"u00001": "held_out"}
    assert lease(parts, US) == []
    assert parts.ledger.taken(CAMPAIGN, {"u00001": 2}) == set()


def test_rows_are_leased_by_value_and_never_to_two(parts: Parts) -> None:
    ids = queued(parts, 5)
    mine = lease(parts, US, 2)
    theirs = lease(parts, THEM, 2)
    assert [entry.user_id for entry in mine + theirs] == ids[:4]
    assert [entry.user_id for entry in lease(parts, US)] == ids[4:]
    assert lease(parts, THEM) == []


def test_leasing_goes_on_behind_the_last_row(parts: Parts) -> None:
    ids = queued(parts, 4)
    first = lease(parts, US, 2)
    parts.ledger.release(US)
    assert [entry.user_id for entry in lease(parts, US, 5, after=first[-1])] == ids[2:]


def test_a_lease_that_ran_out_is_taken_over_and_the_old_holder_may_not_send(parts: Parts) -> None:
    queued(parts, 1)
    [mine] = lease(parts, US)
    [theirs] = lease(parts, THEM, now=LATER)
    assert not mark(parts, US, mine, LATER)
    assert mark(parts, THEM, theirs, LATER)


def test_rows_wait_for_their_moment(parts: Parts) -> None:
    queued(parts, 1)
    [entry] = lease(parts, US)
    parts.ledger.postpone(US, {entry.email_id: LATER})
    assert lease(parts, THEM) == []
    assert len(lease(parts, THEM, now=LATER)) == 1


@pytest.mark.parametrize("change", [{"consent": False}, {"email": "new@example.com"}, {"time_zone": "Asia/Tokyo"}])
def test_nothing_is_marked_when_the_user_has_changed_since(parts: Parts, change: dict[str, Any]) -> None:
    queued(parts, 1)
    [entry] = lease(parts, US)
    seen = ticket(parts, entry)
    parts.store.put_users([silent_user(0, **change)], NOW)
    assert not parts.ledger.advance(US, None, seen, NOW, LEASE)


def test_nothing_is_marked_when_the_address_was_suppressed_since(parts: Parts) -> None:
    queued(parts, 1)
    [entry] = lease(parts, US)
    seen = ticket(parts, entry)
    parts.suppress(seen.address_key, "unsubscribed", NOW)
    assert not parts.ledger.advance(US, None, seen, NOW, LEASE)


def test_nothing_is_marked_while_or_after_another_user_of_the_address_is_written_to(parts: Parts) -> None:
    users = [silent_user(1, "Same@Example.com"), silent_user(2, "same@example.com")]
    parts.add_users(users, NOW)
    parts.add_drafts(["u00001", "u00002"], NOW)
    parts.ledger.queue(CAMPAIGN, NOW)
    first, second = lease(parts, US, 1)[0], lease(parts, THEM, 1)[0]
    seen_by_them = ticket(parts, second)
    assert mark(parts, US, first)
    assert not parts.ledger.advance(THEM, None, seen_by_them, NOW, LEASE)
    record(parts, US, first, "sent")
    assert not parts.ledger.advance(THEM, None, seen_by_them, NOW, LEASE)


def test_one_transaction_records_the_previous_and_marks_the_next(parts: Parts) -> None:
    queued(parts, 2)
    first, second = lease(parts, US)
    assert mark(parts, US, first)
    outcome = Outcome(first.email_id, "sent", provider_message_id="id-1")
    assert parts.ledger.advance(US, outcome, ticket(parts, second), NOW, LEASE)
    assert list(parts.statuses().values()) == ["sent", "sending"]
    row = parts.rows()[first.user_id]
    assert (row.provider_message_id, row.attempts, row.sent_at, row.claimed_by) == ("id-1", 1, NOW, US)
    assert parts.ledger.settle(US, Provider(None), NOW) == 1
    assert parts.ledger.settle(US, Provider(None), NOW) == 0
    assert parts.rows()[first.user_id].claimed_by is None
    user = parts.store.get_user(first.user_id)
    assert user is not None
    assert (user.steps, user.last_touch_at, user.last_email_at) == (1, NOW, NOW)


@pytest.mark.parametrize(
    ("status", "steps", "touched"),
    [("sent", 1, NOW), ("delivered", 1, NOW), ("unknown", 1, NOW), ("failed", 1, None), ("queued", 0, None)],
)
def test_an_outcome_closes_the_row_and_touches_the_user_only_if_an_email_may_have_gone(
    parts: Parts, status: str, steps: int, touched: datetime | None
) -> None:
    queued(parts, 1)
    [entry] = lease(parts, US)
    assert mark(parts, US, entry)
    record(parts, US, entry, status, LATER)
    user = parts.store.get_user(entry.user_id)
    assert user is not None
    assert (user.steps, user.last_touch_at, user.last_email_at) == (steps, touched, touched)
    row = parts.rows()[entry.user_id]
    assert (row.status, row.sent_at, row.attempts) == (status, touched, 1)


def test_skipping_closes_with_a_reason_and_is_no_touch(parts: Parts) -> None:
    queued(parts, 2)
    mine, _ = lease(parts, US)
    assert parts.ledger.skip(US, {mine.email_id: "no_consent"}, NOW) == 1
    assert parts.ledger.skip(US, {mine.email_id: "no_consent"}, NOW) == 0
    assert parts.ledger.settle(US, Provider(None), NOW) == 1
    row = parts.rows()[mine.user_id]
    assert (row.status, row.reason, row.attempts) == ("skipped", "no_consent", 0)
    user = parts.store.get_user(mine.user_id)
    assert user is not None
    assert (user.steps, user.last_touch_at) == (1, None)


def test_the_outcome_of_a_deleted_user_is_recorded(parts: Parts) -> None:
    queued(parts, 1)
    [entry] = lease(parts, US)
    mark(parts, US, entry)
    parts.store.delete_user(entry.user_id, NOW)
    record(parts, US, entry, "sent")
    assert parts.statuses() == {entry.user_id: "sent"}


@pytest.mark.parametrize(("answer", "status"), [(True, "sent"), (False, "queued"), (None, "unknown")])
def test_what_a_sender_left_in_hand_is_resolved_by_the_mailers_word(
    parts: Parts, answer: bool | None, status: str
) -> None:
    queued(parts, 2)
    entry, _ = lease(parts, THEM)
    mark(parts, THEM, entry)
    provider: Mailer = Provider(answer)
    parts.ledger.recover(provider, NOW)
    assert parts.rows()[entry.user_id].status == "sending", "its lease has not run out"
    recovery = parts.ledger.recover(provider, LATER)
    assert parts.rows()[entry.user_id].status == status
    assert {"sent": recovery.sent, "queued": recovery.queued, "unknown": recovery.unknown}[status] == 1
    assert recovery.sent + recovery.queued + recovery.unknown == 1


def test_another_mailer_cannot_tell(parts: Parts) -> None:
    queued(parts, 1)
    [entry] = lease(parts, THEM)
    mark(parts, THEM, entry)
    provider = Provider(False)
    provider.name = "ses"
    parts.ledger.recover(provider, LATER)
    assert parts.rows()[entry.user_id].status == "unknown"


def test_a_sender_given_up_too_early_still_resolves_its_message_and_no_more(parts: Parts) -> None:
    queued(parts, 1)
    [entry] = lease(parts, THEM)
    mark(parts, THEM, entry)
    parts.ledger.recover(Provider(None), LATER)
    record(parts, THEM, entry, "queued", LATER)
    assert parts.statuses() == {entry.user_id: "unknown"}
    record(parts, THEM, entry, "sent", LATER)
    assert parts.statuses() == {entry.user_id: "sent"}
    user = parts.store.get_user(entry.user_id)
    assert user is not None
    assert (user.steps, user.last_email_at) == (1, NOW)


def test_a_sender_given_up_too_early_has_no_say_on_a_row_that_another_one_sends(parts: Parts) -> None:
    queued(parts, 1)
    [theirs] = lease(parts, THEM)
    mark(parts, THEM, theirs)
    parts.ledger.recover(Provider(False), LATER)
    [ours] = lease(parts, US, now=LATER)
    assert mark(parts, US, ours, LATER)
    for status in ("sent", "queued", "failed"):
        record(parts, THEM, theirs, status, LATER)
    row = parts.rows()[ours.user_id]
    assert (row.status, row.claimed_by, row.sent_at, row.attempts) == ("sending", US, LATER, 1)


def test_what_a_killed_sender_had_claimed_is_free_at_once(parts: Parts) -> None:
    name = "from engagement_pipeline.delivery.workers import new_worker; print(new_worker())"
    gone = subprocess.run([sys.executable, "-c", name], capture_output=True, text=True, check=True).stdout.strip()
    queued(parts, 2)
    first, _ = lease(parts, gone)
    mark(parts, gone, first)
    assert lease(parts, US) == []
    recovery = parts.ledger.recover(Provider(False), NOW)
    assert recovery.queued == 1
    assert len(lease(parts, US)) == 2


def test_a_message_that_was_resolved_late_keeps_nobody_from_sending(parts: Parts) -> None:
    queued(parts, 1)
    [entry] = lease(parts, THEM)
    mark(parts, THEM, entry)
    parts.ledger.recover(Provider(None), LATER)
    parts.ledger.advance(THEM, Outcome(entry.email_id, "sent"), None, LATER, LEASE)
    parts.ledger.recover(Provider(None), LATER)
    assert parts.rows()[entry.user_id].claimed_by is None


def test_what_a_sender_elsewhere_has_claimed_is_free_when_its_time_has_run_out(parts: Parts) -> None:
    queued(parts, 2)
    assert len(lease(parts, THEM)) == 2
    parts.ledger.recover(Provider(None), NOW)
    assert [row.claimed_by for row in parts.rows().values()] == [THEM, THEM]
    assert parts.ledger.has_leftovers(LATER)
    parts.ledger.recover(Provider(None), LATER)
    assert [row.claimed_by for row in parts.rows().values()] == [None, None]
    assert not parts.ledger.has_leftovers(LATER), "or every quarter of an hour a run would look for them in vain"
