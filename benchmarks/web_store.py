"""A store as large as a shop's after years, written at once: users with scores, and three e-mails for each."""

import json
import random
import sqlite3
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

from engagement_pipeline.migrations import upgrade
from engagement_pipeline.platform.sql import Database

EMAILS_PER_USER = 3

_FIRST = ("Ada", "Ben", "Cleo", "Dan", "Eva", "Finn", "Gus", "Hal", "Ida", "Jon")
_LAST = ("Smith", "Jones", "Brown", "Lovelace", "Hopper", "Curie", "Noether", "Turing", "Gauss", "Euler")
# As they stand after a while; few are unknown.
_STATUSES = (*["sent"] * 30, *["delivered"] * 40, *["opened"] * 15, *["clicked"] * 10, *["skipped"] * 5)
_COPY = {
    "subject": "It has been a while, {{first_name}}",
    "preheader": "A few pieces that our stylists kept aside for you.",
    "greeting": "Hi {{first_name}},",
    "paragraphs": ["It has been a while since your last visit.", "Our stylists would love to help you."],
    "call_to_action": "Have a look",
    "reasons": [],
}


def fill(path: Path, users: int) -> None:
    """Write a store; quickly rather than durably."""
    database = Database(f"sqlite:///{path}")
    upgrade(database)
    database.close()
    now = datetime.now(timezone.utc).replace(tzinfo=None)
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA synchronous=OFF")
    random.seed(1)
    _insert(connection, "users", _users(users, now))
    _insert(connection, "scores", _scores(users, now))
    _insert(connection, "emails", _emails(users * EMAILS_PER_USER, users, now))
    population = json.dumps({"mean_gap_days": 45.0, "median_order_value": 20.0, "users": users})
    _insert(connection, "published", [{"name": "population", "payload": population, "computed_at": _text(now)}])
    connection.commit()
    connection.close()


def _insert(connection: sqlite3.Connection, table: str, rows: Iterable[dict[str, object]]) -> None:
    numbered = iter(rows)
    first = next(numbered)
    statement = f"INSERT INTO {table} ({', '.join(first)}) VALUES ({', '.join('?' * len(first))})"
    connection.execute(statement, tuple(first.values()))
    connection.executemany(statement, (tuple(row.values()) for row in numbered))


def _users(number: int, now: datetime) -> Iterator[dict[str, object]]:
    for n in range(number):
        first, last = f"{_FIRST[n % 10]}{n % 997}", f"{_LAST[n // 10 % 10]}{n % 9_973}"
        at = _text(now - timedelta(days=random.randrange(400), seconds=n % 86_400))
        yield {
            "user_id": user_id(n),
            "email": f"c{n}@example.com",
            "address_key": f"{n:064x}",
            "name": f"{first} {last}",
            "search_name": f"{first} {last}".lower(),
            "search_surname": last.lower(),
            "preferred_categories": "[]",
            "consent": 1,
            "time_zone": "UTC",
            "order_count": 1,
            "order_days": 1,
            "average_order_value": 20.0,
            "first_order_at": at,
            "last_order_at": at,
            "touched_at": "[]",
            "steps": 0,
            "touches_since_order": 0,
            "version": 1,
            "created_at": at,
            "updated_at": at,
        }


def _scores(number: int, now: datetime) -> Iterator[dict[str, object]]:
    for n in range(number):
        score = round(random.uniform(0, 100), 2)
        band = "critical" if score < 30 else "at_risk" if score < 50 else "moderate" if score < 70 else "good"
        yield {
            "user_id": user_id(n),
            "score": score,
            "band": band,
            "as_of": now.date().isoformat(),
            "published_at": _text(now),
        }


def _emails(number: int, users: int, now: datetime) -> Iterator[dict[str, object]]:
    copy = json.dumps(_COPY)
    for n in range(number):
        at = _text(now - timedelta(seconds=10 * n))
        yield {
            "email_id": f"{n:032x}",
            "user_id": user_id(n % users),
            "address_key": f"{n % users:064x}",
            "campaign": "win-back",
            "step": n // users + 1,
            "status": random.choice(_STATUSES),
            "score": 30.0,
            "band": "at_risk",
            "value_at_risk": random.uniform(0, 100),
            "copy": copy,
            "copywriter": "template",
            "variant": random.choice(("plain", "warm", "short")),
            "attempts": 1,
            "decided_at": at,
            "created_at": at,
            "sent_at": at,
            "updated_at": at,
        }


def user_id(number: int) -> str:
    return f"c{number:07}"


def _text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S.%f")
