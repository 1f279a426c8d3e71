"""What events do to the ledger, to users and to suppressions, on each store and in any order."""

import random
from datetime import timedelta

import pytest
import sqlalchemy as sa

from engagement_pipeline.delivery import suppressions
from engagement_pipeline.delivery.events import KINDS, STATUS_OF, Event, Kind
from engagement_pipeline.delivery.feedback.intake import Intake
from engagement_pipeline.delivery.tables import email_events, emails
from engagement_pipeline.platform.change_log import change_log
from engagement_pipeline.platform.sql import Database
from engagement_pipeline.users.store import SqlUserStore
from engagement_pipeline_tests.conftest import NOW
from engagement_pipeline_tests.delivery.feedback.parts import (
    BASES,
    LATER,
    add_emails,
    clear,
    event,
    key,
    put_back,
    set_row,
    state,
    suppressed,
    take,
    take_in_batches,
)
from engagement_pipeline_tests.delivery.parts import SECRET
from engagement_pipeline_tests.delivery.sql_stores import sql_stores


def status(database: Database, email_id: str) -> str:
    found: str = state(database)["rows"][email_id][0]
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_moves_a_sent_row_to_its_status_or_not_at_all(database: Database, kind: Kind) -> None:
    (email_id,) = add_emails(database, 1)
    set_row(database, email_id, "sent", sent_at=NOW)
    assert take(database, [event(1, kind, email_id)]) == Intake(new=1)
    assert status(database, email_id) == STATUS_OF.get(kind, "sent")


def test_the_same_event_is_kept_and_told_once(database: Database) -> None:
    (email_id,) = add_emails(database, 1)
    set_row(database, email_id, "sent", sent_at=NOW)
    once = event(1, "delivery", email_id)
    assert take(database, [once, once]) == Intake(new=1, duplicates=1)
    assert take(database, [once]) == Intake(duplicates=1)
    with database.read() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(email_events)).scalar_one() == 1
        rows = connection.execute(
            sa.select(change_log.c.entity, change_log.c.entity_id, change_log.c.user_id, change_log.c.operation)
            .where(change_log.c.entity.in_(["email", "event", "touch"]))
            .order_by(change_log.c.seq)
        ).all()
    told = [tuple(row) for row in rows]
    assert told[1:] == [
        ("event", once.event_id, "u00000", "created"),
        ("touch", "u00000", "u00000", "updated"),
        ("email", email_id, "u00000", "updated"),
    ]


def test_an_event_finds_its_email_by_the_providers_id(database: Database) -> None:
    (email_id,) = add_emails(database, 1)
    set_row(database, email_id, "sent", sent_at=NOW, provider_message_id="m1")
    take(database, [event(1, "delivery", message_id="m1")])
    assert status(database, email_id) == "delivered"


def test_our_own_id_that_is_none_of_ours_gives_way_to_the_providers(database: Database) -> None:
    (email_id,) = add_emails(database, 1)
    set_row(database, email_id, "sent", sent_at=NOW, provider_message_id="m1")
    take(database, [event(1, "delivery", "f" * 32, message_id="m1")])
    assert status(database, email_id) == "delivered"


def test_an_event_that_comes_before_its_email_is_known_is_matched_by_the_next_one(database: Database) -> None:
    (email_id,) = add_emails(database, 1)
    set_row(database, email_id, "unknown", sent_at=NOW, reason="sender_stopped")
    assert take(database, [event(1, "click", message_id="m1")]) == Intake(new=1, unmatched=1)
    assert status(database, email_id) == "unknown"
    assert take(database, [event(2, "send", email_id, message_id="m1")]) == Intake(new=1)
    assert status(database, email_id) == "clicked"


@pytest.mark.parametrize("order", [1, -1])
def test_what_one_event_says_of_the_providers_id_holds_for_others(database: Database, order: int) -> None:
    # Through SES's SMTP endpoint, the ledger knows another id than the one that its notifications carry.
    (email_id,) = add_emails(database, 1)
    set_row(database, email_id, "sent", sent_at=NOW, provider_message_id="of-the-smtp-server")
    for one in [event(1, "send", email_id, message_id="m1"), event(2, "delivery", message_id="m1")][::order]:
        take(database, [one])
    assert status(database, email_id) == "delivered"


def test_an_event_that_comes_before_its_email_is_known_is_matched_by_the_sender(database: Database) -> None:
    (email_id,) = add_emails(database, 1)
    take(database, [event(1, "unsubscribe", message_id="m1"), event(2, "hard_bounce", message_id="m1")])
    assert not suppressed(database)
    set_row(database, email_id, "sent", sent_at=NOW, provider_message_id="m1")
    feedback = sql_stores(database).feedback
    assert feedback.match_late({"m1": email_id, "m2": "f" * 32}, LATER) == 2
    assert feedback.match_late({"m1": email_id}, LATER) == 0
    assert status(database, email_id) == "bounced"
    assert suppressed(database) == {key("u0@example.com"): "unsubscribed"}


def test_a_living_senders_claim_is_left_alone(database: Database) -> None:
    (email_id,) = add_emails(database, 1)
    set_row(database, email_id, "sending", **BASES["sending"])
    take(database, [event(1, "delivery", email_id, message_id="m1")])
    with database.read() as connection:
        row = connection.execute(sa.select(emails)).one()
    assert (row.status, row.claimed_by, row.provider_message_id) == ("delivered", "this-host:1:aaaa:1", "m1")


def test_a_row_that_only_events_know_to_be_sent_counts_as_a_touch(database: Database) -> None:
    (email_id,) = add_emails(database, 1)
    set_row(database, email_id, "queued")
    take(database, [event(1, "delivery", email_id, minutes=7)])
    moment = NOW + timedelta(minutes=7)
    assert state(database)["touches"] == {"u00000": ((moment.isoformat(),), moment, 1)}


@pytest.mark.parametrize(
    ("kind", "reason"), [("hard_bounce", "hard_bounce"), ("complaint", "complaint"), ("unsubscribe", "unsubscribed")]
)
def test_what_must_stop_stops_at_once_whether_or_not_the_event_names_an_address(
    database: Database, kind: Kind, reason: str
) -> None:
    ours, _ = add_emails(database, 2)
    set_row(database, ours, "sent", sent_at=NOW)
    take(database, [event(1, kind, ours), event(2, kind, address_key="a-strangers-key")])
    assert suppressed(database) == {key("u0@example.com"): reason, "a-strangers-key": reason}


def test_a_bounce_stops_whom_it_names_and_whom_we_wrote_to_and_an_unsubscribe_only_the_latter(
    database: Database,
) -> None:
    # Where mail is forwarded, a bounce names the last address on its way.
    first, second = add_emails(database, 2)
    take(
        database,
        [
            event(1, "hard_bounce", first, address_key="forwarded-to"),
            event(2, "unsubscribe", second, address_key="whoever"),
        ],
    )
    assert suppressed(database) == {
        "forwarded-to": "hard_bounce",
        key("u0@example.com"): "hard_bounce",
        key("u1@example.com"): "unsubscribed",
    }


def test_soft_bounces_behind_a_forwarding_count_for_whom_we_wrote_to(database: Database) -> None:
    email_ids = add_emails(database, 3)
    with database.write() as connection:
        connection.execute(sa.update(emails).values(status="sent", sent_at=NOW, address_key="ours"))
    take(
        database,
        [event(n, "soft_bounce", email_id, address_key=f"box-{n}") for n, email_id in enumerate(email_ids)],
    )
    assert suppressed(database) == {"ours": "soft_bounces"}


def test_unsubscribing_works_for_deleted_users(database: Database) -> None:
    (email_id,) = add_emails(database, 1)
    set_row(database, email_id, "delivered", sent_at=NOW)
    SqlUserStore(database, SECRET).delete_user("u00000", NOW)
    take(database, [event(1, "unsubscribe", email_id)])
    assert suppressed(database) == {key("u0@example.com"): "unsubscribed"}


def test_scanners_move_nothing(database: Database) -> None:
    (email_id,) = add_emails(database, 1)
    set_row(database, email_id, "delivered", sent_at=NOW)
    take(database, [event(1, "machine_open", email_id), event(2, "machine_click", email_id)])
    assert status(database, email_id) == "delivered"


def test_soft_bounces_in_a_row_suppress_and_a_delivery_between_them_does_not(database: Database) -> None:
    add_emails(database, 1)
    bounces = [event(n, "soft_bounce", address_key="k", message_id=f"m{n}", minutes=n) for n in (1, 2, 4)]
    take(database, bounces[:2])
    assert not suppressed(database)
    take(database, bounces[2:])
    assert suppressed(database) == {"k": "soft_bounces"}
    take(database, [event(3, "delivery", address_key="k", minutes=3)])
    assert not suppressed(database)


def test_two_reports_of_one_soft_bounce_count_once(database: Database) -> None:
    add_emails(database, 1)
    take(database, [event(n, "soft_bounce", address_key="k", message_id=f"m{n // 2}", minutes=n) for n in range(4)])
    assert not suppressed(database)


def test_what_is_known_for_a_graver_reason_is_not_lifted(database: Database) -> None:
    add_emails(database, 1)
    bounces = [event(n, "soft_bounce", address_key="k", message_id=f"m{n}", minutes=n) for n in (1, 2, 4)]
    take(database, [*bounces, event(9, "hard_bounce", address_key="k", minutes=9)])
    take(database, [event(3, "delivery", address_key="k", minutes=3)])
    assert suppressed(database) == {"k": "hard_bounce"}


def test_what_a_person_has_entered_stays_as_it_is(database: Database) -> None:
    add_emails(database, 1)
    with database.write() as connection:
        suppressions.add(connection, "k", "soft_bounces", "import", NOW)
        suppressions.add(connection, "l", "asked by phone", "person", NOW)
    take(database, [event(1, "open", address_key="k"), event(2, "complaint", address_key="l")])
    assert suppressed(database) == {"k": "soft_bounces", "l": "asked by phone"}


def test_no_sign_of_life_lifts_what_a_person_has_entered_whenever_that_was(database: Database) -> None:
    add_emails(database, 1)
    reports = [event(n, "soft_bounce", address_key="k", message_id=f"m{n}", minutes=n) for n in (1, 2, 4)]
    reports.append(event(3, "delivery", address_key="k", minutes=3))
    for place in range(len(reports) + 1):
        clear(database)
        for number, report in enumerate(reports):
            if number == place:
                _enter(database, "k")
            take(database, [report])
        if place == len(reports):
            _enter(database, "k")
        assert suppressed(database) == {"k": "manual"}, f"entered after {place} reports"


def _enter(database: Database, address_key: str) -> None:
    with database.write() as connection:
        suppressions.add(connection, address_key, "manual", "person", NOW)


def test_what_a_person_has_lifted_stays_so_until_it_bounces_again(database: Database) -> None:
    add_emails(database, 1)
    take(database, [event(n, "soft_bounce", address_key="k", message_id=f"m{n}", minutes=n) for n in range(3)])
    listed = sql_stores(database).suppressions
    assert listed.remove(listed.find(["k"])["k"], LATER)
    take(database, [event(5, "delivery", address_key="k", minutes=5), event(6, "open", address_key="k", minutes=6)])
    assert not suppressed(database)


def anything(rng: random.Random, email_ids: list[str]) -> list[Event]:
    """Return events of every sort about a few e-mails and addresses, some of which nobody knows."""
    kinds: list[Kind] = [*["soft_bounce"] * 8, *["delivery"] * 2, *KINDS]  # type: ignore[list-item]
    found = []
    for number in range(rng.randint(1, 25)):
        place = rng.randrange(len(email_ids))
        found.append(
            event(
                number,
                rng.choice(kinds),
                rng.choice([None, email_ids[place], "f" * 32]),
                message_id=rng.choice([None, f"m{place}"]),
                address_key=rng.choice([None, key("u0@example.com"), "stranger"]),
                minutes=rng.randint(0, 20),
            )
        )
    return found


def test_any_order_number_and_batching_of_events_ends_the_same(database: Database) -> None:
    email_ids = add_emails(database, len(BASES))
    tries = 250 if database.is_sqlite else 40
    seen = set()
    for seed in range(tries):
        rng = random.Random(seed)
        events = anything(rng, email_ids)
        ends = []
        for _ in range(2):
            clear(database)
            put_back(database, email_ids)
            take_in_batches(database, events, rng)
            ends.append(state(database))
        assert ends[0] == ends[1], f"seed {seed}"
        seen |= set(ends[0]["suppressions"].values())
    assert seen == {"hard_bounce", "complaint", "unsubscribed", "soft_bounces"}
