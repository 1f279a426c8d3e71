"""Tables that throttle, fail, hang up and take their time: nothing is lost, nobody gets two e-mails."""

import threading
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from engagement_pipeline.platform.settings_groups import DynamoSettings
from engagement_pipeline_tests.conftest import NOW
from engagement_pipeline_tests.delivery.parts import Counting, Parts, outbox_ids, silent_user
from engagement_pipeline_tests.dynamodb import dynamo_of
from engagement_pipeline_tests.microburst import Microburst

pytestmark = pytest.mark.integration


@pytest.fixture
def rough(parts: Parts, microburst: Microburst, dynamodb_tables: DynamoSettings) -> Parts:
    """Stores whose tables are reached through the proxy."""
    return replace(parts, dynamo=dynamo_of(microburst.url, dynamodb_tables))


@pytest.mark.parametrize("senders", [1, 3])
def test_in_rough_weather_everybody_gets_one_email(
    rough: Parts, microburst: Microburst, tmp_path: Path, senders: int
) -> None:
    # Each address twice: the two must not both be written to.
    users = [silent_user(number, f"shared{number // 2}@example.com") for number in range(60)]
    rough.add_users(users, NOW)
    outbox, counts = tmp_path / "outbox", Counter[str]()
    microburst.begin("dynamodb")
    rough.add_drafts([user.user_id for user in users], NOW)

    def send() -> None:
        replace(rough).sender(Counting(outbox, counts), lanes=2).run(lambda: NOW)

    threads = [threading.Thread(target=send) for _ in range(senders)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    went_wrong = microburst.end()
    assert {"error", "reset", "latency"} <= set(went_wrong)
    # Whoever has come too late for a row that another was just giving back.
    send()
    rows = list(rough.rows().values())
    assert Counter(row.status for row in rows) == {"delivered": 30, "skipped": 30}
    assert set(counts.values()) == {1}
    assert outbox_ids(outbox) == sorted(row.email_id for row in rows if row.status == "delivered")
    assert len({row.address_key for row in rows if row.status == "delivered"}) == 30
    assert not any(row.claimed_by for row in rows)
    for row in rows:
        user = rough.store.get_user(row.user_id)
        assert user is not None
        assert (user.steps, user.last_email_at) == (1, NOW if row.status == "delivered" else None)
