"""Users made up for orders that carry no personal data.

Name, address, categories, consent and time zone are drawn from a hash of the id: the same on every machine and every
time. The addresses lie in `example.com`, which receives no mail.
"""

import hashlib
import re
from collections.abc import Sequence
from datetime import datetime

from engagement_pipeline.users.models import User

_FIRST_NAMES = """
    Amelia Ava Beatrice Camila Carmen Charlotte Chloe Daniela Elena Eleanor Emma Fatima Grace Hannah Imani Isabel Ivy
    Jasmine Julia Kiara Layla Leah Lucia Maya Mei Naomi Nora Olivia Priya Quinn Rosa Ruth Sadie Sofia Tessa Violet
    Adrian Andre Ben Caleb Carlos Daniel Diego Elias Ethan Felix Gabriel Hugo Isaac Jamal James Jonas Kenji Leo Liam
    Marcus Mateo Miles Nathan Noah Omar Owen Rafael Samuel Theo Victor
"""
_LAST_NAMES = """
    Adams Alvarez Baker Bennett Brooks Campbell Carter Castillo Chen Clark Cohen Cruz Davis Diaz Edwards Ellis Evans
    Fisher Flores Foster Garcia Gomez Gray Green Gupta Hall Harris Hayes Hernandez Hill Howard Hughes Jackson James
    Jenkins Johnson Kelly Khan Kim King Lee Lewis Lopez Martin Miller Mitchell Moore Morgan Murphy Nguyen Okafor Ortiz
    Park Patel Perez Price Ramirez Reed Rivera Roberts Ross Russell Sanchez Scott Silva Singh Smith Stewart Sullivan
    Taylor Thomas Torres Turner Walker Ward Washington Watson White Williams Wilson Wong Wood Wright Young
"""
# Roughly as the population of the United States is spread.
_TIME_ZONES = (
    *["America/New_York"] * 47,
    *["America/Chicago"] * 29,
    *["America/Los_Angeles"] * 16,
    *["America/Denver"] * 5,
    *["America/Phoenix"] * 2,
    "Pacific/Honolulu",
)
_CATEGORIES = ("dresses", "denim", "knitwear", "shoes", "outerwear", "activewear", "accessories")
_MOST_CATEGORIES = 3
_CONSENT_PERCENT = 92
_MAILBOX = 40


def synthetic_user(user_id: str, now: datetime) -> User:
    """Make up the user of an id; the same id always gets the same user.

    Args:
        user_id: the id.
        now: when the account was made.
    """
    draw = _Draw(user_id)
    first, last = draw.one_of(_FIRST_NAMES.split()), draw.one_of(_LAST_NAMES.split())
    wanted = 1 + draw.below(_MOST_CATEGORIES)
    ranked = sorted(_CATEGORIES, key=lambda _: draw.below(1 << 16))
    return User(
        user_id=user_id,
        email=f"{_mailbox(user_id)}@example.com",
        name=f"{first} {last}",
        preferred_categories=tuple(ranked[:wanted]),
        consent=draw.below(100) < _CONSENT_PERCENT,
        time_zone=draw.one_of(_TIME_ZONES),
        created_at=now,
    )


class _Draw:
    """A stream of numbers that depends on nothing but the id."""

    def __init__(self, user_id: str) -> None:
        digest = hashlib.sha512(f"synthetic user {user_id}".encode()).digest()
        self._numbers = iter([int.from_bytes(digest[at : at + 4], "big") for at in range(0, len(digest), 4)])

    def below(self, limit: int) -> int:
        return next(self._numbers) % limit

    def one_of(self, choices: Sequence[str]) -> str:
        return choices[self.below(len(choices))]


def _mailbox(user_id: str) -> str:
    plain = re.sub(r"[^a-z0-9]+", "-", user_id.lower()).strip("-")
    if plain == user_id and len(plain) <= _MAILBOX:
        return plain
    # Different ids must not share an address only because they are spelled alike.
    return f"{plain[:_MAILBOX].strip('-') or 'user'}-{hashlib.sha256(user_id.encode()).hexdigest()[:10]}"
