"""Indexes that lag behind their table: what was written a moment ago is not in them, and nothing goes wrong by that."""

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from engagement_pipeline.delivery.entries import NewEmail, Outcome, Report
from engagement_pipeline.delivery.outbox import OutboxMailer
from engagement_pipeline.platform.dynamodb import Dynamo
from engagement_pipeline.platform.dynamodb_tables import EMAILS, Table
from engagement_pipeline.platform.dynamodb_values import Item
from engagement_pipeline.platform.dynamodb_words import Condition
from engagement_pipeline.platform.dynamodb_writes import Delete, Put, Refused, Update, Write
from engagement_pipeline.platform.settings_groups import DynamoSettings
from engagement_pipeline_tests.conftest import NOW
from engagement_pipeline_tests.delivery.parts import CAMPAIGN, Parts, outbox_ids, silent_user
from engagement_pipeline_tests.delivery.steps import LATER, LEASE, US, Provider, lease, mark, queued

pytestmark = pytest.mark.integration

LAG_SECONDS = 0.5


class Lagging(Dynamo):
    """Hides from every index of the ledger what was written to an e-mail within the last half second."""

    def __init__(self, dynamo: Dynamo, names: Mapping[str, str]) -> None:
        super().__init__(dynamo.client, names)
        self._written_at: dict[str, float] = {}

    def query(self, table: Table, key: Condition, *, index: str | None = None, **options: Any) -> Iterator[Item]:
        for item in super().query(table, key, index=index, **options):
            if index is None or table is not EMAILS or not self._is_new(item["emailId"]):
                yield item

    def write(self, write: Put | Update | Delete) -> Refused | None:
        self._note([write])
        return super().write(write)

    def transact(self, writes: Sequence[Write], token: str | None = None) -> tuple[Refused, ...]:
        self._note(writes)
        return super().transact(writes, token)

    def _note(self, writes: Iterable[Write]) -> None:
        for write in writes:
            if write.table is EMAILS:
                email_id = write.item["emailId"] if isinstance(write, Put) else write.key[0]
                self._written_at[email_id] = time.monotonic()

    def _is_new(self, email_id: str) -> bool:
        return time.monotonic() - self._written_at.get(email_id, 0.0) < LAG_SECONDS


@pytest.fixture
def parts(parts: Parts, dynamo: Dynamo, dynamodb_tables: DynamoSettings) -> Parts:
    return replace(parts, dynamo=Lagging(dynamo, dynamodb_tables.tables))


def test_every_email_goes_out_once_in_the_end(parts: Parts, tmp_path: Path) -> None:
    users = [silent_user(number, f"shared{number // 2}@example.com") for number in range(40)]
    parts.add_users(users, NOW)
    parts.add_drafts([user.user_id for user in users], NOW)
    runs = 0
    while set(parts.statuses().values()) != {"delivered", "skipped"} and runs < 10:
        time.sleep(LAG_SECONDS)
        # Another program than the one that has written them.
        replace(parts).sender(OutboxMailer(tmp_path / "outbox"), lanes=2).run(lambda: NOW)
        runs += 1
    rows = parts.rows().values()
    assert Counter(row.status for row in rows) == {"delivered": 20, "skipped": 20}
    assert len(outbox_ids(tmp_path / "outbox")) == 20
    assert not any(row.claimed_by for row in rows), "whoever holds rows knows them without the index"
    for row in rows:
        user = parts.store.get_user(row.user_id)
        assert user is not None
        assert (user.steps, user.last_email_at) == (1, NOW if row.status == "delivered" else None)


def test_what_was_written_just_now_is_sent_at_once_by_whoever_has_written_it(parts: Parts, tmp_path: Path) -> None:
    parts.add_users([silent_user(number) for number in range(5)], NOW)
    parts.add_drafts([f"u{number:05}" for number in range(5)], NOW)
    assert parts.sender(OutboxMailer(tmp_path / "outbox")).run(lambda: NOW).sent == 5


def test_rows_count_for_their_users_before_the_index_has_them(parts: Parts) -> None:
    parts.add_users([silent_user(1)], NOW)
    user = parts.store.get_user("u00001")
    assert user is not None
    held_out = NewEmail("u00001", user.address_key or "", CAMPAIGN, 1, 30.0, "at_risk", 20.0, NOW)
    assert parts.ledger.record_hold_outs([held_out], LATER) == 1
    after = parts.store.get_user("u00001")
    assert after is not None
    assert (after.steps, after.last_touch_at) == (1, NOW)
    assert parts.ledger.taken(CAMPAIGN, {"u00001": 1}) == {"u00001"}


def test_a_report_counts_for_its_user_before_the_index_has_the_row(parts: Parts) -> None:
    queued(parts, 1)
    [entry] = lease(parts, US)
    assert mark(parts, US, entry)
    parts.ledger.advance(US, Outcome(entry.email_id, "sent"), None, NOW, LEASE)
    assert parts.ledger.settle(US, Provider(None), NOW) == 1
    parts.ledger.report([Report(entry.email_id, "failed")], LATER)
    user = parts.store.get_user(entry.user_id)
    assert user is not None
    assert (user.steps, user.last_email_at) == (1, None)


def test_what_was_claimed_a_moment_ago_can_be_given_back(parts: Parts) -> None:
    queued(parts, 2)
    assert len(lease(parts, US)) == 2
    parts.ledger.release(US)
    assert not any(row.claimed_by for row in parts.rows().values())


def test_touches_that_others_have_written_stay_while_the_index_lacks_their_rows(
    parts: Parts, dynamo: Dynamo, dynamodb_tables: DynamoSettings
) -> None:
    parts.add_users([silent_user(1)], NOW)
    user = parts.store.get_user("u00001")
    assert user is not None
    # Another campaign's program holds the user out a moment after ours has, and the index has neither row.
    held_out = [
        NewEmail("u00001", user.address_key or "", campaign, 1, 30.0, "at_risk", 20.0, NOW - timedelta(minutes=age))
        for age, campaign in enumerate(("one", "two"))
    ]
    assert parts.ledger.record_hold_outs(held_out[:1], LATER) == 1
    assert parts.ledger.record_hold_outs(held_out[1:], LATER) == 1
    after = parts.store.get_user("u00001")
    assert after is not None
    assert (after.steps, after.touched_at) == (2, (NOW, NOW - timedelta(minutes=1)))
