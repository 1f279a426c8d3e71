"""What a verdict on words does to rows, on SQLite, PostgreSQL and DynamoDB: what is rejected is said no more."""

import threading
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from engagement_pipeline.copywriting import approvals
from engagement_pipeline.copywriting.approvals import UNNAMED, Approval, Verdict
from engagement_pipeline.delivery.entries import Outcome
from engagement_pipeline.delivery.mailer import Receipt
from engagement_pipeline.delivery.message import Message
from engagement_pipeline.delivery.outbox import OutboxMailer
from engagement_pipeline.delivery.statuses import WAITING
from engagement_pipeline.platform.audit import AuditEntry
from engagement_pipeline_tests.conftest import NOW
from engagement_pipeline_tests.delivery.parts import CAMPAIGN, Parts, silent_user
from engagement_pipeline_tests.delivery.steps import LATER, LEASE, US, Provider, lease, mark, record, ticket

OURS = "edition-one"


def decide(parts: Parts, verdict: Verdict, edition: str = OURS, by: str = "Ada") -> Approval | None:
    entry = AuditEntry(by, f"copy.{verdict}", "edition", edition, {}, NOW)
    return parts.ledger.decide(Approval(CAMPAIGN, edition, verdict, by, "", NOW), entry)


def written(parts: Parts, numbers: Iterable[int], edition: str | None = OURS) -> list[str]:
    users = [silent_user(number) for number in numbers]
    parts.add_users(users, NOW)
    parts.add_drafts([user.user_id for user in users], NOW, edition=edition)
    return [user.user_id for user in users]


def close_all(parts: Parts) -> int:
    return parts.ledger.close_rejected(CAMPAIGN, 1_000, LATER)


def test_where_somebody_has_to_agree_only_what_is_approved_is_queued(parts: Parts) -> None:
    careful = replace(parts, needs_approval=True)
    written(careful, [1])
    written(careful, [2], edition=None)
    assert careful.ledger.queue(CAMPAIGN, NOW) == 0
    assert careful.ledger.due(CAMPAIGN, NOW, 10, None) == []
    assert careful.ledger.count_unapproved(CAMPAIGN) == 2
    assert decide(careful, "approved") is None
    assert (careful.ledger.queue(CAMPAIGN, NOW), careful.ledger.count_unapproved(CAMPAIGN)) == (1, 1)
    decide(careful, "approved", UNNAMED)
    assert (careful.ledger.queue(CAMPAIGN, NOW), careful.ledger.count_unapproved(CAMPAIGN)) == (1, 0)
    assert len(lease(careful, US)) == 2


def test_with_approval_asked_for_later_what_was_queued_before_waits_too(parts: Parts) -> None:
    written(parts, [1])
    parts.ledger.queue(CAMPAIGN, NOW)
    careful = replace(parts, needs_approval=True)
    assert lease(careful, US) == []
    decide(careful, "approved")
    assert len(lease(careful, US)) == 1


def test_deciding_the_same_again_leaves_the_first_verdict(parts: Parts) -> None:
    assert decide(parts, "approved", by="Ada") is None
    again = decide(parts, "approved", by="Bob")
    assert again is not None
    assert again.decided_by == "Ada"
    with parts.database.read() as connection:
        listed = approvals.find(connection, CAMPAIGN, OURS)
    assert listed == again, "whoever looks reads the operational store"
    rejected = decide(parts, "rejected", by="Bob")
    assert rejected == again
    assert parts.ledger.is_rejected(CAMPAIGN, OURS)
    assert not parts.ledger.is_rejected(CAMPAIGN, "another")
    assert not parts.ledger.is_rejected("another", OURS)


def test_rows_with_rejected_words_are_closed_and_count_for_their_users(parts: Parts) -> None:
    written(parts, [1, 2])
    written(parts, [3], edition="another")
    parts.ledger.queue(CAMPAIGN, NOW)
    assert not parts.ledger.has_rejected(CAMPAIGN)
    decide(parts, "rejected")
    assert parts.ledger.has_rejected(CAMPAIGN)
    assert parts.ledger.count_unapproved(CAMPAIGN) == 2
    assert [entry.user_id for entry in lease(parts, US)] == ["u00003"]
    assert parts.ledger.close_rejected(CAMPAIGN, 1, LATER) == 1
    assert close_all(parts) == 1
    assert (close_all(parts), parts.ledger.has_rejected(CAMPAIGN)) == (0, False)
    for user_id in ("u00001", "u00002"):
        row = parts.rows()[user_id]
        assert (row.status, row.reason, row.claimed_by) == ("skipped", "copy_rejected", None)
        user = parts.store.get_user(user_id)
        assert user is not None
        assert (user.steps, user.last_touch_at) == (1, None)


def test_what_a_sender_holds_is_not_marked_and_closed_when_it_is_given_back(parts: Parts) -> None:
    written(parts, [1, 2])
    parts.ledger.queue(CAMPAIGN, NOW)
    in_hand, held = lease(parts, US)
    seen = ticket(parts, held)
    assert mark(parts, US, in_hand)
    decide(parts, "rejected")
    assert not parts.ledger.advance(US, None, seen, NOW, LEASE)
    assert close_all(parts) == 0
    assert not parts.ledger.has_rejected(CAMPAIGN), "what somebody holds is left to them"
    record(parts, US, in_hand, "sent")
    parts.ledger.release(US)
    assert close_all(parts) == 1
    assert {user_id: row.status for user_id, row in parts.rows().items()} == {
        in_hand.user_id: "sent",
        held.user_id: "skipped",
    }


def test_what_somebody_holds_is_not_in_the_way_of_what_can_be_closed(parts: Parts) -> None:
    written(parts, range(5))
    parts.ledger.queue(CAMPAIGN, NOW)
    held = lease(parts, US, 3)
    decide(parts, "rejected")
    assert [parts.ledger.close_rejected(CAMPAIGN, 1, LATER) for _ in range(3)] == [1, 1, 0]
    assert {entry.user_id for entry in held} == {key for key, status in parts.statuses().items() if status == "queued"}


def test_the_outcome_of_a_message_in_hand_is_recorded_where_the_next_one_may_not_be_marked(parts: Parts) -> None:
    written(parts, [1, 2])
    parts.ledger.queue(CAMPAIGN, NOW)
    in_hand, held = lease(parts, US)
    assert mark(parts, US, in_hand)
    seen = ticket(parts, held)
    decide(parts, "rejected")
    assert not parts.ledger.advance(US, Outcome(in_hand.email_id, "sent"), seen, NOW, LEASE)
    parts.ledger.settle(US, Provider(None), NOW)
    row = parts.rows()[in_hand.user_id]
    assert (row.status, row.attempts, row.claimed_by) == ("sent", 1, None)


def test_what_was_rejected_can_be_approved_again(parts: Parts) -> None:
    written(parts, [1])
    parts.ledger.queue(CAMPAIGN, NOW)
    decide(parts, "rejected")
    decide(parts, "approved")
    assert not parts.ledger.is_rejected(CAMPAIGN, OURS)
    [entry] = lease(parts, US)
    assert mark(parts, US, entry)


@pytest.mark.parametrize("lanes", [1, 4])
def test_nothing_is_marked_once_a_rejection_stands(parts: Parts, tmp_path: Path, lanes: int) -> None:
    written(parts, range(40))
    stands, sending = threading.Event(), threading.Event()
    too_late: list[str] = []

    class Watchful(OutboxMailer):
        def send(self, message: Message) -> Receipt:
            sending.set()
            return super().send(message)

    advance = parts.ledger.advance

    def noting(*arguments: object) -> bool:
        stood = stands.is_set()
        marked = advance(*arguments)  # type: ignore[arg-type]
        if stood and marked:
            too_late.append(str(arguments[2]))
        return marked

    parts.ledger.advance = noting  # type: ignore[method-assign, assignment]

    def reject() -> None:
        sending.wait(20)
        decide(parts, "rejected")
        stands.set()

    person = threading.Thread(target=reject)
    person.start()
    parts.sender(Watchful(tmp_path / "outbox"), lanes=lanes).run(lambda: NOW)
    person.join()
    assert too_late == []
    close_all(parts)
    assert not {row.status for row in parts.rows().values()} & WAITING
