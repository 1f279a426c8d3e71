"""AWS's example events of every kind, in both dialects, shuffled and duplicated a thousand ways: one final state."""

import random
from datetime import datetime
from typing import Any

import pytest

from engagement_pipeline.delivery.events import Event
from engagement_pipeline.platform.sql import Database
from engagement_pipeline_tests.delivery.feedback.examples import NAMES, example, parse, text
from engagement_pipeline_tests.delivery.feedback.parts import (
    BASES,
    add_emails,
    clear,
    key,
    put_back,
    state,
    take,
    take_in_batches,
)
from engagement_pipeline_tests.users.builders import scratch_database

SOFT = ["event_bounce_transient", "event_bounce_undetermined", "notification_bounce_transient"]


def everything(email_ids: list[str]) -> list[Event]:
    """Return examples about five e-mails, in mixes of which not all end as complaints."""
    mixes = [
        NAMES,
        [name for name in NAMES if "complaint" not in name and "subscription" not in name],
        [name for name in NAMES if not any(word in name for word in ("complaint", "subscription", "bounce"))],
        [name for name in NAMES if "reject" in name or "failure" in name or "send" in name or "delay" in name],
        SOFT,
    ]
    found = []
    waiting = [list(BASES).index(base) for base in ("sent", "sending", "unknown", "failed", "queued")]
    for place, names in zip(waiting, mixes, strict=True):
        for name in names:
            recipient = f"u{place}@example.com" if name not in SOFT else "full@example.com"
            found += parse(text(name, email_ids[place], f"m{place}", recipient))
    return found


def one_way(database: Database, email_ids: list[str], events: list[Event], rng: random.Random) -> dict[str, Any]:
    clear(database)
    put_back(database, email_ids)
    take_in_batches(database, events, rng)
    return state(database)


def test_a_thousand_ways_end_the_same() -> None:
    with scratch_database() as database:
        every_way_ends_the_same(database, 1_000)


def test_each_store_ends_the_same(database: Database) -> None:
    every_way_ends_the_same(database, 40)


def every_way_ends_the_same(database: Database, ways: int) -> None:
    email_ids = add_emails(database, len(BASES))
    events = everything(email_ids)
    put_back(database, email_ids)
    take(database, sorted(events, key=lambda event: (event.occurred_at, event.event_id)))
    in_order = state(database)
    for seed in range(ways):
        assert one_way(database, email_ids, events, random.Random(seed)) == in_order, f"seed {seed}"
    assert set(in_order["suppressions"].values()) == {"complaint", "hard_bounce", "soft_bounces"}
    assert {row[0] for row in in_order["rows"].values()} >= {"complained", "bounced", "clicked", "failed", "sent"}


@pytest.mark.parametrize("late", ["2017-08-05T02:00:00.000Z", "2017-08-05T04:00:00.000Z"])
def test_when_a_delivery_was_decides_and_not_when_it_is_reported(database: Database, late: str) -> None:
    email_ids = add_emails(database, 4)
    bounces = [
        one
        for place, name in enumerate(SOFT)
        for one in parse(text(name, email_ids[place], f"m{place}", "full@example.com"))
    ]
    delivered = example("event_delivery")
    delivered["mail"]["tags"]["email_id"] = [email_ids[3]]
    delivered["mail"]["messageId"] = "m3"
    delivered["delivery"] |= {"timestamp": late, "recipients": ["full@example.com"]}
    events = bounces + parse(delivered)
    habit = max(one.occurred_at for one in bounces) < datetime.fromisoformat(late.replace("Z", "+00:00"))
    for seed in range(24):
        ended = one_way(database, [], events, random.Random(seed))
        assert ended["suppressions"] == ({key("full@example.com"): "soft_bounces"} if habit else {})
