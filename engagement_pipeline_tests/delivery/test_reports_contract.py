"""What events, people and erasures do to rows, on SQLite, PostgreSQL and DynamoDB."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import permutations

import pytest

from engagement_pipeline.delivery.anonymous import Pseudonyms
from engagement_pipeline.delivery.entries import Correction, NewEmail, Outcome, Report, StoredEmail
from engagement_pipeline.delivery.statuses import Status
from engagement_pipeline.users.store import StoredUser
from engagement_pipeline_tests.conftest import NOW
from engagement_pipeline_tests.delivery.parts import CAMPAIGN, Parts, silent_user
from engagement_pipeline_tests.delivery.steps import LATER, LEASE, US, Provider, lease, mark, queued, record, ticket

EARLIER = NOW - timedelta(minutes=5)


def sent(parts: Parts, count: int = 1, status: Status = "sent") -> list[str]:
    """Send as many e-mails; return their ids."""
    queued(parts, count)
    entries = lease(parts, US)
    for entry in entries:
        assert mark(parts, US, entry)
        outcome = Outcome(entry.email_id, status, provider_message_id=f"theirs-{entry.email_id}")
        parts.ledger.advance(US, outcome, None, NOW, LEASE)
    parts.ledger.settle(US, Provider(None), NOW)
    return [entry.email_id for entry in entries]


def row_of(parts: Parts, email_id: str) -> StoredEmail:
    return parts.ledger.get_emails([email_id])[email_id]


def user_of(parts: Parts, user_id: str) -> StoredUser:
    user = parts.store.get_user(user_id)
    assert user is not None
    return user


def test_a_row_comes_back_whole(parts: Parts) -> None:
    parts.add_users([silent_user(1)], NOW)
    key = user_of(parts, "u00001").address_key or ""
    given = NewEmail(
        user_id="u00001",
        address_key=key,
        campaign=CAMPAIGN,
        step=3,
        score=33.25,
        band="at_risk",
        value_at_risk=12.5,
        decided_at=EARLIER,
        variant="plain",
        copy={"subject": "Grüße", "paragraphs": ["a", "b"]},
        copywriter="template",
        provenance={"model": "none", "tokens": 3},
        edition="abc",
        requested_by="ada",
        overrides=("cool_down",),
        last_day=NOW.date(),
    )
    assert parts.ledger.request(given, NOW)
    assert not parts.ledger.request(replace(given, score=1.0), LATER)
    row = row_of(parts, given.email_id)
    named = {name: getattr(given, name) for name in ("user_id", "address_key", "campaign", "step", "score", "band")}
    assert {name: getattr(row, name) for name in named} == named
    assert (row.value_at_risk, row.variant, row.copywriter, row.edition) == (12.5, "plain", "template", "abc")
    assert (row.copy, row.provenance) == (given.copy, given.provenance)
    assert (row.requested_by, list(row.overrides or ()), row.last_day) == ("ada", ["cool_down"], NOW.date())
    assert (row.status, row.attempts, row.decided_at, row.created_at) == ("queued", 0, EARLIER, NOW)
    assert (row.reason, row.claimed_by, row.claimed_until, row.not_before, row.sent_at) == (None,) * 5
    [entry] = lease(parts, US)
    assert (entry.copy, list(entry.overrides or ()), entry.last_day) == (given.copy, ["cool_down"], NOW.date())
    assert parts.ledger.get_emails(["0" * 32]) == {}


def test_a_users_rows_are_listed_newest_first(parts: Parts) -> None:
    parts.add_users([silent_user(1), silent_user(2)], NOW)
    rows = [
        NewEmail(user_id, "k", campaign, step, 30.0, "at_risk", 1.0, NOW)
        for user_id, campaign, step in (("u00001", CAMPAIGN, 1), ("u00001", "another", 2), ("u00002", CAMPAIGN, 1))
    ]
    for place, row in enumerate(rows):
        parts.ledger.create_drafts([row], NOW + timedelta(minutes=place))
    assert [(row.campaign, row.step) for row in parts.ledger.emails_of("u00001")] == [("another", 2), (CAMPAIGN, 1)]
    assert parts.ledger.emails_of("nobody") == []
    assert parts.ledger.taken(CAMPAIGN, {"u00001": 7, "u00002": 7, "u00003": 1}) == {"u00001", "u00002"}
    assert parts.ledger.taken("another", {"u00001": 2, "u00002": 1}) == {"u00001"}


def test_an_email_is_found_by_the_providers_name(parts: Parts) -> None:
    [email_id] = sent(parts)
    assert parts.ledger.named([f"theirs-{email_id}", "nobody's"]) == {f"theirs-{email_id}": email_id}
    assert parts.ledger.named([]) == {}


def test_of_ids_that_nobody_can_have_there_is_nothing(parts: Parts) -> None:
    for nobody in ("", "x" * 3_000):
        assert parts.ledger.emails_of(nobody) == []
        assert parts.ledger.get_emails([nobody]) == {}
        assert parts.ledger.named([nobody]) == {}


@pytest.mark.parametrize("order", list(permutations(["delivered", "clicked", "bounced"]))[::2])
def test_any_order_of_reports_ends_the_same(parts: Parts, order: Sequence[Status]) -> None:
    [email_id] = sent(parts)
    for status in order:
        parts.ledger.report([Report(email_id, status, [EARLIER, LATER])], LATER)
    assert row_of(parts, email_id).status == "bounced"
    assert row_of(parts, email_id).sent_at == NOW, "what the sender has dated stays so"
    before = row_of(parts, email_id)
    parts.ledger.report([Report(email_id, status, [EARLIER]) for status in order[:1]], LATER + LEASE)
    assert row_of(parts, email_id) == before


def test_a_message_that_was_refused_after_all_touches_nobody(parts: Parts) -> None:
    [email_id] = sent(parts)
    user = user_of(parts, "u00000")
    assert user.address_key is not None
    assert parts.ledger.address_facts([user.address_key])[user.address_key].last_touch_at == NOW
    parts.ledger.report([Report(email_id, "failed")], LATER)
    after = user_of(parts, "u00000")
    assert (after.steps, after.last_touch_at, after.last_email_at) == (1, None, None)
    assert parts.ledger.address_facts([user.address_key])[user.address_key].last_touch_at is None


def test_a_report_dates_what_no_sender_has_dated(parts: Parts) -> None:
    queued(parts, 2)
    first, second = lease(parts, US)
    parts.ledger.release(US)
    moments = [NOW + timedelta(seconds=9), EARLIER]
    parts.ledger.report([Report(first.email_id, "delivered", moments, "theirs")], LATER)
    row = row_of(parts, first.email_id)
    assert (row.status, row.sent_at, row.provider_message_id) == ("delivered", EARLIER, "theirs")
    user = user_of(parts, row.user_id)
    assert (user.steps, user.last_touch_at) == (1, EARLIER)
    facts = parts.ledger.address_facts([row.address_key])[row.address_key]
    assert facts.last_touch_at == EARLIER
    parts.ledger.report([Report(first.email_id, "opened", [*moments, EARLIER - LEASE], "others")], LATER)
    row = row_of(parts, first.email_id)
    assert (row.status, row.sent_at, row.provider_message_id) == ("opened", EARLIER - LEASE, "theirs")
    assert [entry.email_id for entry in lease(parts, US)] == [second.email_id], "what was sent waits no more"


def test_a_report_leaves_a_claim_to_its_holder(parts: Parts) -> None:
    queued(parts, 1)
    [entry] = lease(parts, US)
    assert mark(parts, US, entry)
    parts.ledger.report([Report(entry.email_id, "delivered", [NOW])], NOW)
    assert (row_of(parts, entry.email_id).status, row_of(parts, entry.email_id).claimed_by) == ("delivered", US)
    record(parts, US, entry, "sent")
    row = row_of(parts, entry.email_id)
    assert (row.status, row.attempts) == ("delivered", 0), "what was reported is graver than what we could add"


def test_what_the_ledger_does_not_have_is_passed_over(parts: Parts) -> None:
    [email_id] = sent(parts)
    parts.ledger.report([Report("0" * 32, "bounced"), Report(email_id, "opened")], LATER)
    assert row_of(parts, email_id).status == "opened"


def test_a_correction_holds_only_for_what_was_read(parts: Parts) -> None:
    one, two = sent(parts, 2, "delivered")
    seen = parts.ledger.get_emails([one, two])
    parts.ledger.report([Report(two, "opened")], LATER)
    assert parts.ledger.correct([Correction(seen[one], "sent"), Correction(seen[two], "sent")], LATER) == 1
    assert (row_of(parts, one).status, row_of(parts, two).status) == ("sent", "opened")
    assert parts.ledger.correct([Correction(row_of(parts, one), "failed", [NOW])], LATER) == 1
    row = row_of(parts, one)
    assert (row.status, row.sent_at) == ("failed", None)
    assert user_of(parts, row.user_id).last_email_at is None


def test_nobody_is_asked_for_ever_what_became_of_a_message(parts: Parts) -> None:
    one, two = sent(parts, 2, "unknown")
    parts.ledger.report([Report(two, "sent")], LATER)
    assert parts.ledger.expire_unknown(NOW, LATER) == 0
    assert parts.ledger.expire_unknown(NOW + LEASE, LATER) == 1
    assert parts.ledger.expire_unknown(NOW + LEASE, LATER) == 0
    assert (row_of(parts, one).status, row_of(parts, one).reason) == ("unknown", "expired")
    parts.ledger.report([Report(one, "failed")], LATER)
    assert row_of(parts, one).status == "failed"


def test_what_waits_for_somebody_is_closed_also_out_of_a_senders_hands(parts: Parts) -> None:
    queued(parts, 2)
    mine, other = lease(parts, US)
    seen = ticket(parts, mine)
    parts.ledger.close_waiting(mine.user_id, "user_deleted", LATER)
    row = row_of(parts, mine.email_id)
    assert (row.status, row.reason, row.claimed_by) == ("skipped", "user_deleted", None)
    assert not parts.ledger.advance(US, None, seen, LATER, LEASE)
    assert mark(parts, US, other)
    parts.ledger.close_waiting(other.user_id, "user_deleted", LATER)
    assert row_of(parts, other.email_id).status == "sending"


def test_who_is_erased_leaves_rows_that_lead_to_nobody(parts: Parts) -> None:
    mine, others = sent(parts, 2)
    before = row_of(parts, mine)
    names = Pseudonyms("seed")
    assert parts.ledger.anonymise(before.user_id, names, LATER) == 1
    assert parts.ledger.get_emails([mine]) == {}
    assert parts.ledger.emails_of(before.user_id) == []
    [row] = parts.ledger.emails_of(names.user_id)
    assert (row.email_id, row.address_key) == (names.email_id(mine), names.address_key(before.address_key))
    assert (row.status, row.sent_at, row.step, row.copy) == ("sent", NOW, before.step, before.copy)
    assert row.provider_message_id is None, "it was made of the former id"
    assert parts.ledger.address_facts([before.address_key])[before.address_key].last_touch_at is None
    assert parts.ledger.anonymise(before.user_id, names, LATER) == 0
    assert row_of(parts, others).user_id != names.user_id


def test_whose_address_others_share_stays_touched_by_them(parts: Parts) -> None:
    parts.add_users([silent_user(1, "same@example.com"), silent_user(2, "same@example.com")], NOW)
    parts.add_drafts(["u00001"], NOW)
    parts.ledger.queue(CAMPAIGN, NOW)
    for user_id, moment in (("u00001", NOW), ("u00002", NOW + LEASE)):
        parts.add_drafts([user_id], NOW)
        parts.ledger.queue(CAMPAIGN, NOW)
        [entry] = lease(parts, US, now=moment)
        assert mark(parts, US, entry, moment)
        record(parts, US, entry, "sent", moment)
    key = user_of(parts, "u00001").address_key
    assert key is not None
    assert parts.ledger.address_facts([key])[key].last_touch_at == NOW + LEASE
    parts.ledger.anonymise("u00002", Pseudonyms("seed"), LATER)
    assert parts.ledger.address_facts([key])[key].last_touch_at == NOW


def test_what_was_not_handed_over_gives_the_address_back(parts: Parts) -> None:
    parts.add_users([silent_user(1, "same@example.com"), silent_user(2, "same@example.com")], NOW)
    parts.add_drafts(["u00001", "u00002"], NOW)
    parts.ledger.queue(CAMPAIGN, NOW)
    first, second = lease(parts, US)
    free = ticket(parts, second)
    for status in ("queued", "failed"):
        assert mark(parts, US, first)
        assert not parts.ledger.advance(US, None, free, NOW, LEASE)
        parts.ledger.advance(US, Outcome(first.email_id, status), None, NOW, LEASE)
        first = (lease(parts, US, 1) or [first])[0]
    assert parts.ledger.advance(US, None, free, NOW, LEASE)


def test_a_hold_out_touches_its_address(parts: Parts) -> None:
    parts.add_users([silent_user(1)], NOW)
    key = user_of(parts, "u00001").address_key or ""
    held_out = [
        NewEmail("u00001", key, campaign, 1, 30.0, "at_risk", 20.0, moment)
        for campaign, moment in (("one", NOW), ("two", EARLIER))
    ]
    assert parts.ledger.record_hold_outs(held_out, LATER) == 2
    assert parts.ledger.address_facts([key])[key].last_touch_at == NOW
    assert user_of(parts, "u00001").steps == 2


def count(parts: Parts, moment: datetime) -> int:
    return len(parts.ledger.due(CAMPAIGN, moment, 10, None))


def test_looking_at_what_is_due_claims_nothing_and_sees_drafts_too(parts: Parts) -> None:
    ids = queued(parts, 3)
    parts.add_users([silent_user(9)], NOW)
    parts.add_drafts(["u00009"], NOW)
    assert [entry.user_id for entry in parts.ledger.due(CAMPAIGN, NOW, 2, None)] == ids[:2]
    first = lease(parts, US, 1)
    parts.ledger.postpone(US, {first[0].email_id: LATER})
    assert (count(parts, NOW), count(parts, LATER)) == (3, 4)
    seen = parts.ledger.due(CAMPAIGN, NOW, 1, None)
    behind = parts.ledger.due(CAMPAIGN, NOW, 10, seen[0])
    assert len(behind) == 2
    assert seen[0].email_id not in {entry.email_id for entry in behind}
    assert parts.ledger.due("another", NOW, 10, None) == []


def test_who_holds_rows_is_seen(parts: Parts) -> None:
    queued(parts, 1)
    assert not parts.ledger.is_being_sent(NOW)
    assert not parts.ledger.has_leftovers(NOW)
    lease(parts, "another-host:1:bbbb:1")
    assert parts.ledger.is_being_sent(NOW)
    assert not parts.ledger.has_leftovers(NOW)
    assert not parts.ledger.is_being_sent(LATER)
    assert parts.ledger.has_leftovers(LATER)


def test_rows_are_counted_as_they_stand(parts: Parts) -> None:
    queued(parts, 3)
    parts.add_users([silent_user(9)], NOW)
    parts.add_drafts(["u00009"], NOW)
    assert mark(parts, US, lease(parts, US, 1)[0])
    assert parts.ledger.count_by_status(CAMPAIGN) == {"draft": 1, "queued": 2, "sending": 1}
    assert parts.ledger.count_by_status("another") == {}
