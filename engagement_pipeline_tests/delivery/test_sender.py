import itertools
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from engagement_pipeline.delivery.lane import MAX_ATTEMPTS, retry_delay
from engagement_pipeline.delivery.mailer import (
    Allowance,
    MailerError,
    PausedError,
    PermanentError,
    Receipt,
    TransientError,
    UncertainError,
)
from engagement_pipeline.delivery.message import Message
from engagement_pipeline.delivery.outbox import OutboxMailer
from engagement_pipeline.delivery.preparing import LEASE_FOR
from engagement_pipeline.delivery.send_report import SendReport
from engagement_pipeline.platform.settings_groups import GateSettings
from engagement_pipeline.users.addresses import address_key
from engagement_pipeline.users.models import User
from engagement_pipeline_tests.conftest import NOW
from engagement_pipeline_tests.delivery.parts import CAMPAIGN, SECRET, Parts, order, outbox_ids, silent_user


@pytest.fixture
def outbox(tmp_path: Path) -> Path:
    return tmp_path / "outbox"


def at(moment: datetime) -> Callable[[], datetime]:
    return lambda: moment


def drafted(parts: Parts, *users: User) -> None:
    parts.add_users(users, NOW)
    parts.add_drafts([user.user_id for user in users], NOW)


class Grumpy:
    """Fails as it is told, message by message, and keeps what it takes."""

    name = "grumpy"
    delivers = False

    def __init__(self, errors: Iterator[MailerError | None]) -> None:
        self._errors = errors
        self.taken: list[Message] = []

    def allowance(self) -> Allowance:
        return Allowance()

    def send(self, message: Message) -> Receipt:
        if error := next(self._errors):
            raise error
        self.taken.append(message)
        return Receipt(f"receipt-{message.email_id}")

    def was_accepted(self, email_id: str) -> bool | None:
        return None

    def close(self) -> None:
        """Nothing is kept open."""


def test_everybody_due_gets_one_email_and_a_second_run_sends_nothing(parts: Parts, outbox: Path) -> None:
    # An emulator of DynamoDB takes its time for each write.
    many = 250 if parts.dynamo is None else 60
    drafted(parts, *(silent_user(number) for number in range(many)))
    seen: list[SendReport] = []
    report = parts.sender(OutboxMailer(outbox)).run(at(NOW), seen.append)
    assert (report.sent, report.eligible, report.waiting) == (many, many, 0)
    assert set(parts.statuses().values()) == {"delivered"}
    assert outbox_ids(outbox) == sorted(row.email_id for row in parts.rows().values())
    assert seen[-1] == report
    again = parts.sender(OutboxMailer(outbox)).run(at(NOW))
    assert again.eligible == 0
    assert len(outbox_ids(outbox)) == many


def test_the_message_is_the_users(parts: Parts, outbox: Path) -> None:
    drafted(parts, silent_user(1))
    parts.sender(OutboxMailer(outbox)).run(at(NOW))
    text = (outbox / f"{outbox_ids(outbox)[0]}.eml").read_text()
    assert "To: u1@example.com" in text
    assert "List-Unsubscribe: <https://" in text


def withdraw_consent(parts: Parts) -> None:
    parts.store.put_users([silent_user(1, consent=False)], NOW)


def order_again(parts: Parts) -> None:
    parts.store.put_orders([order("u00001", NOW - timedelta(hours=1))], NOW)


def suppress(parts: Parts) -> None:
    parts.suppress(address_key("u1@example.com", SECRET), "unsubscribed", NOW)


def lose_the_address(parts: Parts) -> None:
    values = silent_user(1).model_dump() | {"email": None}
    parts.store.put_users([User(**values)], NOW)


def delete(parts: Parts) -> None:
    parts.store.delete_user("u00001", NOW)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (withdraw_consent, "no_consent"),
        (order_again, "silence_too_short"),
        (suppress, "suppressed"),
        (lose_the_address, "no_address"),
        (delete, "user_deleted"),
    ],
)
def test_what_changed_after_the_draft_is_heeded(
    parts: Parts, outbox: Path, change: Callable[[Parts], None], reason: str
) -> None:
    drafted(parts, silent_user(1), silent_user(2))
    change(parts)
    report = parts.sender(OutboxMailer(outbox)).run(at(NOW))
    assert (report.sent, report.skipped_by_reason) == (1, {reason: 1})
    assert parts.rows()["u00001"].reason == reason
    assert len(outbox_ids(outbox)) == 1


def test_an_offer_that_has_ended_is_not_sent(parts: Parts, outbox: Path) -> None:
    drafted(parts, silent_user(1))
    parts.add_users([silent_user(2), silent_user(3)], NOW)
    parts.add_drafts(["u00002"], NOW, last_day=NOW.date())
    parts.add_drafts(["u00003"], NOW, last_day=NOW.date() - timedelta(days=1))
    assert parts.sender(None).run(at(NOW)).skipped_by_reason == {"offer_ended": 1}
    report = parts.sender(OutboxMailer(outbox)).run(at(NOW))
    assert (report.sent, report.skipped_by_reason) == (2, {"offer_ended": 1})
    assert parts.statuses() == {"u00001": "delivered", "u00002": "delivered", "u00003": "skipped"}


@pytest.mark.parametrize(
    ("time_zone", "hour", "outcome"),
    [
        ("UTC", 15, "delivered"),
        ("America/Los_Angeles", 18, "delivered"),
        # Five in the afternoon of the last day, and yet the next day where the offer was chosen.
        ("America/Los_Angeles", 25, "skipped"),
        # Nine in the morning after the last day, which goes on elsewhere.
        ("Pacific/Auckland", 20, "skipped"),
        # Outside the user's hours, which begin again on the last day, or after it.
        ("UTC", 8, "queued"),
        ("UTC", 20, "skipped"),
    ],
)
def test_the_last_day_is_that_of_the_user_too(
    parts: Parts, outbox: Path, time_zone: str, hour: int, outcome: str
) -> None:
    parts.add_users([silent_user(1, time_zone=time_zone)], NOW)
    parts.add_drafts(["u00001"], NOW, last_day=NOW.date())
    gate = GateSettings(hold_out_share=0, sending_hour_from=9, sending_hour_to=20)
    parts.sender(OutboxMailer(outbox), gate).run(at(NOW.replace(hour=0) + timedelta(hours=hour)))
    assert parts.statuses() == {"u00001": outcome}


def test_an_offer_that_ends_while_its_email_waits_for_its_turn_is_not_sent(parts: Parts) -> None:
    parts.add_users([silent_user(1), silent_user(2)], NOW)
    parts.add_drafts(["u00001", "u00002"], NOW, last_day=NOW.date())
    moments = [NOW]

    class Slow(Grumpy):
        def send(self, message: Message) -> Receipt:
            moments[0] = NOW + timedelta(days=1)
            return super().send(message)

    report = parts.sender(Slow(itertools.repeat(None))).run(lambda: moments[0])
    assert (report.sent, report.skipped_by_reason) == (1, {"offer_ended": 1})
    assert parts.statuses() == {"u00001": "sent", "u00002": "skipped"}


def test_two_users_with_one_address_get_one_email(parts: Parts, outbox: Path) -> None:
    drafted(parts, silent_user(1, "one@example.com"), silent_user(2, "One@Example.com"))
    report = parts.sender(OutboxMailer(outbox)).run(at(NOW))
    assert (report.sent, report.skipped_by_reason) == (1, {"duplicate_address": 1})
    assert parts.statuses() == {"u00001": "delivered", "u00002": "skipped"}
    parts.add_drafts(["u00002"], NOW + timedelta(days=1))
    report = parts.sender(OutboxMailer(outbox)).run(at(NOW + timedelta(days=1)))
    assert report.skipped_by_reason == {"cool_down": 1}


def test_what_changes_between_the_gate_and_the_mark_is_judged_again(parts: Parts, outbox: Path) -> None:
    drafted(parts, silent_user(1), silent_user(2))

    class Meddling(OutboxMailer):
        def send(self, message: Message) -> Receipt:
            parts.store.put_users([silent_user(2, consent=False)], NOW)
            return super().send(message)

    report = parts.sender(Meddling(outbox)).run(at(NOW))
    assert (report.sent, report.skipped_by_reason) == (1, {"no_consent": 1})


def test_an_address_that_changed_gets_the_email_at_its_new_place(parts: Parts, outbox: Path) -> None:
    drafted(parts, silent_user(1))
    parts.store.put_users([silent_user(1, "new@example.com")], NOW)
    parts.sender(OutboxMailer(outbox)).run(at(NOW))
    assert parts.rows()["u00001"].address_key == address_key("new@example.com", SECRET)


def test_sending_waits_for_the_users_own_hours(parts: Parts, outbox: Path) -> None:
    drafted(parts, silent_user(1, time_zone="Asia/Tokyo"), silent_user(2))
    gate = GateSettings(hold_out_share=0, sending_hour_from=9, sending_hour_to=20)
    report = parts.sender(OutboxMailer(outbox), gate).run(at(NOW))
    assert (report.sent, report.waiting, report.eligible) == (1, 1, 2)
    morning_in_tokyo = NOW.replace(hour=0) + timedelta(days=1)
    assert parts.rows()["u00001"].not_before == morning_in_tokyo
    before = parts.sender(OutboxMailer(outbox), gate).run(at(morning_in_tokyo - timedelta(seconds=1)))
    assert (before.sent, before.waiting) == (0, 1)
    assert parts.sender(OutboxMailer(outbox), gate).run(at(morning_in_tokyo)).sent == 1


def test_a_dry_run_tells_and_changes_nothing(parts: Parts, outbox: Path) -> None:
    drafted(
        parts,
        silent_user(1),
        silent_user(2, consent=False),
        silent_user(3, "same@example.com"),
        silent_user(4, "same@example.com"),
        silent_user(5, time_zone="Asia/Tokyo"),
    )
    before = parts.rows()
    report = parts.sender(None).run(at(NOW))
    assert parts.rows() == before
    assert report.dry_run
    real = parts.sender(OutboxMailer(outbox)).run(at(NOW))
    assert (report.sent, report.skipped_by_reason, report.waiting) == (2, {"duplicate_address": 1, "no_consent": 1}, 1)
    assert (real.sent, real.skipped_by_reason, real.waiting) == (2, {"duplicate_address": 1, "no_consent": 1}, 1)


def test_a_passing_trouble_is_tried_again_later_and_not_for_ever(parts: Parts) -> None:
    drafted(parts, silent_user(1))
    mailer = Grumpy(itertools.repeat(TransientError("451 try later")))
    moment = NOW
    for attempt in range(1, MAX_ATTEMPTS):
        report = parts.sender(mailer).run(at(moment))
        assert (report.waiting, report.failed) == (1, 0)
        assert parts.sender(mailer).run(at(moment)).waiting == 1, "not before its time"
        assert parts.rows()["u00001"].attempts == attempt
        moment += retry_delay(attempt)
    report = parts.sender(mailer).run(at(moment))
    assert (report.waiting, report.failed) == (0, 1)
    row = parts.rows()["u00001"]
    assert (row.status, row.reason, row.attempts, row.sent_at) == ("failed", "451 try later", MAX_ATTEMPTS, None)


def test_a_refusal_fails_the_row_and_the_rest_goes_on(parts: Parts) -> None:
    drafted(parts, *(silent_user(number) for number in range(3)))
    report = parts.sender(Grumpy(iter([PermanentError("550 no such user u0@example.com"), None, None]))).run(at(NOW))
    assert (report.sent, report.failed, report.eligible) == (2, 1, 3)
    assert parts.rows()["u00000"].reason == "550 no such user <address>"
    assert list(parts.statuses().values()) == ["failed", "sent", "sent"]


def test_a_refusal_in_words_that_no_database_keeps_fails_the_row_and_the_rest_goes_on(parts: Parts) -> None:
    drafted(parts, silent_user(0), silent_user(1))
    report = parts.sender(Grumpy(iter([PermanentError("550 \x00 no \ud800such user\x1b[2J"), None]))).run(at(NOW))
    assert (report.sent, report.failed) == (1, 1)
    assert parts.rows()["u00000"].reason == "550 no such user [2J"


def test_a_paused_account_stops_the_campaign_and_loses_nothing(parts: Parts) -> None:
    drafted(parts, *(silent_user(number) for number in range(3)))
    report = parts.sender(Grumpy(iter([None, PausedError("the account is paused")]))).run(at(NOW))
    assert (report.sent, report.waiting, report.stopped) == (1, 2, "the account is paused")
    assert {row.attempts for row in parts.rows().values() if row.status == "queued"} == {0}
    assert parts.sender(Grumpy(itertools.repeat(None))).run(at(NOW)).sent == 1, "not first the one that may be to blame"
    assert parts.sender(Grumpy(itertools.repeat(None))).run(at(NOW + timedelta(hours=1))).sent == 1


def test_a_provider_that_never_says_whether_it_took_a_message_is_left_alone(parts: Parts) -> None:
    drafted(parts, *(silent_user(number) for number in range(30)))
    report = parts.sender(Grumpy(itertools.repeat(UncertainError("no answer")))).run(at(NOW))
    assert (report.unknown, report.waiting) == (10, 20)
    assert report.stopped is not None
    assert "10 messages in a row" in report.stopped


def test_an_answer_that_never_came_is_unknown_and_not_sent_again(parts: Parts) -> None:
    drafted(parts, silent_user(1))
    report = parts.sender(Grumpy(iter([UncertainError("connection lost")]))).run(at(NOW))
    assert (report.unknown, report.eligible) == (1, 1)
    again = parts.sender(Grumpy(iter([]))).run(at(NOW + timedelta(days=60)))
    assert again.eligible == 0
    user = parts.store.get_user("u00001")
    assert user is not None
    assert user.last_email_at == NOW


def test_an_unforeseen_error_leaves_one_row_to_be_asked_about_and_frees_the_rest(parts: Parts, outbox: Path) -> None:
    drafted(parts, *(silent_user(number) for number in range(5)))

    class Broken(OutboxMailer):
        def send(self, message: Message) -> Receipt:
            super().send(message)
            raise RuntimeError("a bug, after the file was written")

    with pytest.raises(RuntimeError):
        parts.sender(Broken(outbox)).run(at(NOW))
    assert parts.ledger.count_by_status(CAMPAIGN) == {"queued": 4, "sending": 1}
    report = parts.sender(OutboxMailer(outbox)).run(at(NOW + 2 * LEASE_FOR))
    assert (report.sent, report.eligible) == (5, 5)
    assert len(outbox_ids(outbox)) == 5


def test_a_row_whose_text_is_damaged_is_skipped_with_its_reason(parts: Parts, outbox: Path) -> None:
    drafted(parts, silent_user(1), silent_user(2))
    parts.rewrite("u00001", {"subject": "x"})
    report = parts.sender(OutboxMailer(outbox)).run(at(NOW))
    assert (report.sent, report.skipped_by_reason) == (1, {"invalid_copy": 1})


def test_waiting_times_grow() -> None:
    assert [retry_delay(attempt) / timedelta(minutes=1) for attempt in (1, 2, 3, 4)] == [1, 4, 16, 64]
