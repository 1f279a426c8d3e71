"""The list beats everything else, and knows addresses by key alone."""

from datetime import timedelta
from pathlib import Path

import duckdb
import pytest

from engagement_pipeline.definitions import build_defs
from engagement_pipeline.delivery import suppressions
from engagement_pipeline.delivery.mailer import Receipt
from engagement_pipeline.delivery.message import Message
from engagement_pipeline.delivery.outbox import OutboxMailer
from engagement_pipeline.delivery.suppressions import HABIT, RULE, Suppression
from engagement_pipeline.pipeline import Pipeline
from engagement_pipeline.platform.settings import Settings
from engagement_pipeline.platform.settings_groups import GateSettings
from engagement_pipeline.platform.sql import Database
from engagement_pipeline.users.addresses import InvalidAddressError, address_key
from engagement_pipeline_tests.conftest import NOW
from engagement_pipeline_tests.delivery.parts import SECRET, Parts, outbox_ids, silent_user
from engagement_pipeline_tests.users.builders import log_of

KEY = "a" * 64
OTHER = "b" * 64


def suppress(database: Database, email: str, secret: str = SECRET) -> None:
    with database.write() as connection:
        suppressions.add(connection, address_key(email, secret), "complaint", "ses", NOW)


def test_any_spelling_and_the_key_itself_name_an_address() -> None:
    key = address_key("ada@example.com", SECRET)
    assert suppressions.key_of(" Ada@EXAMPLE.com ", SECRET) == key
    assert suppressions.key_of(key.upper(), SECRET) == key
    with pytest.raises(InvalidAddressError):
        suppressions.key_of("nobody", SECRET)


def test_the_first_reason_stays_also_within_a_batch(database: Database) -> None:
    first = Suppression(KEY, "complaint", "ses", NOW)
    with database.write() as connection:
        batch = [first, Suppression(KEY, "unsubscribed", "page", NOW), Suppression(OTHER, "manual", "person", NOW)]
        assert suppressions.add_many(connection, batch, NOW) == 2
        assert suppressions.add_many(connection, batch, NOW) == 0
        assert suppressions.find(connection, KEY) == first
    assert sorted(log_of(database)) == [
        ("suppression", KEY, None, "created"),
        ("suppression", OTHER, None, "created"),
    ]


@pytest.mark.parametrize(
    "wish", [Suppression(KEY, "manual", "person", NOW), Suppression(KEY, HABIT, "imported", NOW - timedelta(days=900))]
)
def test_a_wish_takes_the_place_of_a_habit_that_only_the_rule_has_found(database: Database, wish: Suppression) -> None:
    habit = Suppression(KEY, HABIT, RULE, NOW - timedelta(days=1))
    with database.write() as connection:
        suppressions.add_many(connection, [habit], NOW)
        assert suppressions.add_many(connection, [wish, Suppression(OTHER, "manual", "person", NOW)], NOW) == 1
        assert suppressions.find(connection, KEY) == wish
        assert suppressions.add_many(connection, [habit, wish], NOW) == 0
        assert suppressions.find(connection, KEY) == wish
    assert sorted(log_of(database)) == [
        ("suppression", KEY, None, "created"),
        ("suppression", KEY, None, "updated"),
        ("suppression", OTHER, None, "created"),
    ]


def test_a_wish_takes_the_place_of_a_habit_within_a_batch(database: Database) -> None:
    first, second = (Suppression(KEY, reason, "person", NOW) for reason in ("asked", "manual"))
    with database.write() as connection:
        assert suppressions.add_many(connection, [Suppression(KEY, HABIT, RULE, NOW), first, second], NOW) == 1
        assert suppressions.find(connection, KEY) == first


def test_listing_searching_and_counting(database: Database) -> None:
    with database.write() as connection:
        for number in range(3):
            moment = NOW - timedelta(days=number)
            suppressions.add(connection, f"{number:064x}", "complaint", "ses", moment)
        suppressions.add(connection, KEY, "manual", "person", NOW - timedelta(days=9))
        newest = suppressions.list_suppressions(connection, 2)
        assert [entry.address_key for entry in newest] == [f"{0:064x}", f"{1:064x}"]
        assert [entry.address_key for entry in suppressions.list_suppressions(connection, 9, reason="manual")] == [KEY]
        assert len(suppressions.list_suppressions(connection, 9, source="ses")) == 3
        assert suppressions.list_suppressions(connection, 9, reason="manual", source="ses") == []
        assert suppressions.count_by_reason(connection) == {"complaint": 3, "manual": 1}
        assert suppressions.find(connection, OTHER) is None


def test_the_gate_refuses(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, gate=GateSettings(hold_out_share=0))
    pipeline = Pipeline(settings, lambda: NOW)
    parts = Parts(pipeline.database)
    parts.store = pipeline.store
    # Two orders and a quarter of a year of silence: at risk, were it not for the list.
    parts.add_users([silent_user(1), silent_user(2)], NOW)
    suppress(pipeline.database, "U1@example.com", pipeline.secret_key)
    job = build_defs(settings, {"pipeline": pipeline}).resolve_job_def("refresh_engagement")
    assert job.execute_in_process().success
    with duckdb.connect(str(settings.warehouse_path), read_only=True) as con:
        decisions = con.execute("SELECT user_id, decision, reason FROM at_risk_cohorts ORDER BY 1").fetchall()
    assert decisions == [("u00001", "skip", "suppressed"), ("u00002", "mail", "eligible")]
    assert parts.statuses() == {"u00002": "draft"}
    pipeline.database.close()


def test_the_second_look_refuses(database: Database, tmp_path: Path) -> None:
    parts = Parts(database)
    users = [silent_user(1), silent_user(2)]
    parts.add_users(users, NOW)
    parts.add_drafts([user.user_id for user in users], NOW)
    suppress(database, "u1@example.com")
    report = parts.sender(OutboxMailer(tmp_path)).run(lambda: NOW)
    assert report.skipped_by_reason == {"suppressed": 1}
    assert parts.statuses() == {"u00001": "skipped", "u00002": "delivered"}


class Complaining(OutboxMailer):
    """While it takes its first message, another address complains."""

    def __init__(self, folder: Path, database: Database) -> None:
        super().__init__(folder)
        self._database = database

    def send(self, message: Message) -> Receipt:
        if not outbox_ids(self._folder):
            suppress(self._database, "u2@example.com")
        return super().send(message)


def test_the_mark_refuses_what_was_put_on_the_list_after_the_look(database: Database, tmp_path: Path) -> None:
    parts = Parts(database)
    users = [silent_user(1), silent_user(2)]
    parts.add_users(users, NOW)
    parts.add_drafts([user.user_id for user in users], NOW)
    report = parts.sender(Complaining(tmp_path, database)).run(lambda: NOW)
    assert (report.sent, report.skipped_by_reason) == (1, {"suppressed": 1})
    assert len(outbox_ids(tmp_path)) == 1
    assert parts.statuses() == {"u00001": "delivered", "u00002": "skipped"}
