"""Very many changes, some of which come twice, late, or are poison."""

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from engagement_pipeline_tests.changes.parts import Item, Tables, email_item, order_item, user_item

# How many places late a change may come at most.
_LATE = 3_000


@dataclass(frozen=True)
class Flood:
    """What the tables hold in the end, what is sent on the way there, and what of that is poison."""

    tables: Tables
    messages: Sequence[str]
    poison: frozenset[str]


def flood(changes: int, seed: int = 6) -> Flood:
    """Make so many changes of a twentieth as many users, their orders and e-mails; then disturb them.

    A tenth comes twice, a tenth late, and for every hundred there is one message that is no change.
    """
    chance = random.Random(seed)
    tables = Tables()
    users = max(changes // 20, 1)
    while len(tables.events) < changes:
        number = chance.randrange(users)
        _change(tables, chance, number, chance.random())
    events = tables.events
    messages = [(float(place), event) for place, event in enumerate(events)]
    late = set(chance.sample(range(changes), changes // 10))
    messages = [(place + (chance.random() * _LATE if place in late else 0), event) for place, event in messages]
    messages += [(place + chance.random() * _LATE, event) for place, event in chance.sample(messages, changes // 10)]
    poison = [_poison(chance, events) for _ in range(changes // 100)]
    messages += [(chance.random() * changes, text) for text in poison]
    return Flood(tables, [text for _, text in sorted(messages)], frozenset(poison))


def _change(tables: Tables, chance: random.Random, number: int, kind: float) -> None:
    user_id = f"u{number}"
    if kind < 0.45:
        notes = {"version": len(tables.events), "engagementScore": chance.randrange(100)}
        tables.put("user", user_item(user_id, name=f"Ada {chance.randrange(9)}", **notes))
    elif kind < 0.75:
        # Each order stays with its user.
        order_id = f"o{number}-{chance.randrange(5)}"
        status = chance.choice(["delivered", "delivered", "returned"])
        tables.put(
            "order", order_item(order_id, user_id, chance.randrange(300), chance.randrange(1, 90), status=status)
        )
    elif kind < 0.9:
        tables.put("email", email_item(f"e{number}", user_id, chance.choice(["queued", "sent", "delivered", "opened"])))
    elif kind < 0.94:
        tables.put("address", _address(chance, number))
    elif kind < 0.97:
        tables.remove("user", user_id)
    else:
        tables.remove("order", user_id, f"o{number}-{chance.randrange(5)}")


def _address(chance: random.Random, number: int) -> Item:
    item: Item = {"addressKey": f"{number:064x}", "touchedAt": "2026-03-02T15:00:00Z"}
    if chance.random() < 0.3:
        return item
    return {
        **item,
        "reason": chance.choice(["complaint", "hard_bounce"]),
        "source": "ses",
        "suppressedAt": "2026-03-02",
    }


def _poison(chance: random.Random, events: Sequence[str]) -> str:
    mark = f"poison-{chance.getrandbits(64)}"
    event: dict[str, Any] = json.loads(chance.choice(events))
    match chance.randrange(5):
        case 0:
            return mark
        case 1:
            return json.dumps({**event, "event_id": mark, "version": 2})
        case 2:
            return json.dumps({**event, "event_id": mark, "sequence": mark})
        case 3:
            return json.dumps({**event, "event_id": mark, "operation": "updated", "new": None})
        case _:
            return json.dumps(event)[: chance.randrange(20, 40)] + mark
