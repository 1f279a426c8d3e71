"""Events that overtake the sender: the provider reports a message before we have recorded that it took it."""

import random
from datetime import timedelta

import pytest

from engagement_pipeline.delivery.events import Event, Kind
from engagement_pipeline.delivery.feedback.replay import replay
from engagement_pipeline.delivery.mailer import Allowance, Receipt, TransientError, UncertainError
from engagement_pipeline.delivery.message import Message
from engagement_pipeline.platform.sql import Database
from engagement_pipeline_tests.conftest import NOW
from engagement_pipeline_tests.delivery.feedback.parts import event, take
from engagement_pipeline_tests.delivery.parts import Parts, silent_user
from engagement_pipeline_tests.delivery.sql_stores import sql_stores

COUNT = 60


class Hasty:
    """Reports what becomes of a message before it says that it has taken it, and sometimes never says so."""

    name = "hasty"
    delivers = False

    def __init__(self, database: Database) -> None:
        self._database = database
        self.taken: list[str] = []
        self.reported: dict[str, Kind] = {}

    def allowance(self) -> Allowance:
        return Allowance()

    def send(self, message: Message) -> Receipt:
        rng = random.Random(message.email_id)
        kinds: list[Kind] = ["send", "delivery", "click", "hard_bounce", "complaint"]
        self.reported[message.email_id] = rng.choice(kinds)
        self.taken.append(message.email_id)
        take(self._database, [self._report(message.email_id)], NOW)
        if (answer := rng.random()) < 0.2:
            raise UncertainError("no answer")
        if answer < 0.3:
            # A lie, but one that must not have it sent twice.
            raise TransientError("not taken")
        return Receipt(f"m-{message.email_id}")

    def _report(self, email_id: str) -> Event:
        number = int(email_id[:8], 16)
        return event(number, self.reported[email_id], email_id, message_id=f"m-{email_id}")

    def was_accepted(self, email_id: str) -> bool | None:
        return None

    def close(self) -> None:
        """Nothing is kept open."""


@pytest.mark.parametrize("lanes", [1, 4])
def test_an_early_report_wins_over_what_the_sender_makes_of_its_call(database: Database, lanes: int) -> None:
    parts = Parts(database)
    users = [silent_user(number) for number in range(COUNT)]
    parts.add_users(users, NOW)
    parts.add_drafts([user.user_id for user in users], NOW)
    mailer = Hasty(database)
    parts.sender(mailer, lanes=lanes).run(lambda: NOW)
    parts.sender(mailer, lanes=lanes).run(lambda: NOW + timedelta(days=1))
    assert len(mailer.taken) == len(set(mailer.taken)) == COUNT
    said = {
        "send": "sent",
        "delivery": "delivered",
        "click": "clicked",
        "hard_bounce": "bounced",
        "complaint": "complained",
    }
    rows = parts.rows().values()
    assert {row.email_id: row.status for row in rows} == {key: said[kind] for key, kind in mailer.reported.items()}
    assert not [row for row in rows if row.claimed_by]
    people = parts.store.get_users([user.user_id for user in users])
    assert {user.last_touch_at for user in people} == {NOW}
    assert replay(database, sql_stores(database).ledger, NOW).changed == 0
