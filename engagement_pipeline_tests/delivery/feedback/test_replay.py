import random

import pytest
import sqlalchemy as sa

from engagement_pipeline.delivery.events import KINDS, Kind
from engagement_pipeline.delivery.feedback.replay import ReplayReport, replay
from engagement_pipeline.delivery.statuses import ALL
from engagement_pipeline.delivery.tables import emails
from engagement_pipeline.platform.change_log import change_log
from engagement_pipeline.platform.sql import Database
from engagement_pipeline_tests.conftest import NOW
from engagement_pipeline_tests.delivery.feedback.parts import (
    BASES,
    LATER,
    add_emails,
    clear,
    event,
    put_back,
    set_row,
    state,
    take,
    take_in_batches,
)
from engagement_pipeline_tests.delivery.sql_stores import sql_stores


def rebuild(database: Database) -> ReplayReport:
    return replay(database, sql_stores(database).ledger, LATER)


def log_length(database: Database) -> int:
    with database.read() as connection:
        return int(connection.execute(sa.select(sa.func.count()).select_from(change_log)).scalar_one())


def some_events(database: Database, email_ids: list[str], rng: random.Random) -> None:
    clear(database)
    put_back(database, email_ids)
    kinds: list[Kind] = rng.choices(KINDS, k=rng.randint(1, 24))
    events = [
        event(number, kind, rng.choice(email_ids), message_id=None, minutes=rng.randint(0, 9))
        for number, kind in enumerate(kinds)
    ]
    take_in_batches(database, events, rng)


def test_what_is_in_order_stays_as_it_is(database: Database) -> None:
    email_ids = add_emails(database, len(BASES))
    for seed in range(100 if database.is_sqlite else 15):
        some_events(database, email_ids, random.Random(seed))
        before, length = state(database), log_length(database)
        assert rebuild(database) == ReplayReport(rows=len(BASES), changed=0), f"seed {seed}"
        assert (state(database), log_length(database)) == (before, length)


def test_damaged_statuses_are_repaired_and_touches_with_them(database: Database) -> None:
    # Of a row that was never handed over and of which no event tells, nothing but its status says what it is.
    told = {base for base in BASES if BASES[base].get("sent_at")} - {"sending"}
    email_ids = add_emails(database, len(BASES))
    for seed in range(60 if database.is_sqlite else 10):
        rng = random.Random(seed)
        some_events(database, email_ids, rng)
        before = state(database)
        damaged = {
            email_id: rng.choice([status for status in ALL if status != before["rows"][email_id][0]])
            for email_id, base in zip(email_ids, BASES, strict=True)
            if base in told
        }
        for email_id, status in damaged.items():
            set_row(database, email_id, status)
        assert rebuild(database) == ReplayReport(rows=len(BASES), changed=len(damaged)), f"seed {seed}"
        assert state(database) == before, f"seed {seed}"


def test_a_status_that_nothing_supports_is_taken_back(database: Database) -> None:
    refused, silent = add_emails(database, 2)
    set_row(database, refused, "delivered", reason="550 no such user")
    set_row(database, silent, "sending", sent_at=NOW)
    rebuild(database)
    rows = state(database)["rows"]
    assert (rows[refused][0], rows[silent][0]) == ("failed", "sent")


@pytest.mark.parametrize(("kind", "status"), [("send", "sent"), ("reject", "failed")])
def test_a_persons_word_is_an_event_like_others(database: Database, kind: Kind, status: str) -> None:
    (email_id,) = add_emails(database, 1)
    set_row(database, email_id, "unknown", sent_at=NOW, reason="sender_stopped")
    take(database, [event(1, kind, email_id, source="person")])
    set_row(database, email_id, "unknown")
    rebuild(database)
    assert state(database)["rows"][email_id][0] == status


def test_a_row_in_a_living_senders_hands_is_left_to_it(database: Database) -> None:
    (email_id,) = add_emails(database, 1)
    set_row(database, email_id, "sending", **BASES["sending"])
    assert rebuild(database).changed == 0
    with database.read() as connection:
        assert connection.execute(sa.select(emails.c.claimed_by)).scalar_one() is not None


def test_what_a_sender_has_not_settled_is_left_to_it(database: Database) -> None:
    """The event of a delivery into the outbox is written when it is settled."""
    (email_id,) = add_emails(database, 1)
    set_row(database, email_id, "delivered", **BASES["sending"])
    assert rebuild(database).changed == 0
    assert state(database)["rows"][email_id][0] == "delivered"


def test_many_rows_are_all_looked_at(database: Database) -> None:
    email_ids = add_emails(database, 2_345)
    with database.write() as connection:
        connection.execute(sa.update(emails).values(status="sent", sent_at=NOW))
    take(database, [event(number, "delivery", email_id) for number, email_id in enumerate(email_ids)])
    with database.write() as connection:
        connection.execute(sa.update(emails).values(status="queued"))
    assert rebuild(database) == ReplayReport(rows=2_345, changed=2_345)
    assert {row[0] for row in state(database)["rows"].values()} == {"delivered"}
