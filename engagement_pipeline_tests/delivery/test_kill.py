"""kill -9 of the sender, at random and at the worst moments: nobody gets two e-mails, nobody is forgotten."""

import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from engagement_pipeline.platform.sql import Database
from engagement_pipeline_tests.conftest import NOW
from engagement_pipeline_tests.delivery.mortal_sender import POINTS, LoggingMailer, log_of
from engagement_pipeline_tests.delivery.parts import Parts, outbox_ids, silent_user

SHARED = 10


def kill_senders(database: Database, outbox: Path, kills: int, seed: int) -> Parts:
    """Queue e-mails, kill as many senders at their work, and finish with a sender that lives.

    The clock stands still throughout: a successor must not depend on waiting for a lease to run out.
    """
    chance = random.Random(seed)
    parts = Parts(database)
    users = [silent_user(number) for number in range(kills * 30)]
    users += [silent_user(len(users) + number, f"u{number}@example.com") for number in range(SHARED)]
    parts.add_users(users, NOW)
    parts.add_drafts([user.user_id for user in users], NOW)
    url = database.engine.url.render_as_string(hide_password=False)
    for _ in range(kills):
        _kill_one(url, outbox, chance)
    parts.sender(LoggingMailer(outbox)).run(lambda: NOW)
    return parts


def _kill_one(url: str, outbox: Path, chance: random.Random) -> None:
    point = chance.choice([*POINTS, "any_moment"])
    # Killed from outside at any moment, the process would not by itself die at any message.
    message = chance.randint(1, 40) if point != "any_moment" else 1_000_000
    arguments = [url, str(outbox), point, str(message)]
    module = "engagement_pipeline_tests.delivery.mortal_sender"
    process = subprocess.Popen([sys.executable, "-m", module, *arguments], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    if point == "any_moment":
        time.sleep(chance.uniform(0, 0.3))
        process.kill()
    process.wait(timeout=60)
    process.stdout.close()
    assert process.returncode in (-9, 0)


def check_everybody_got_one(parts: Parts, outbox: Path) -> None:
    rows = list(parts.rows().values())
    sent = [row for row in rows if row.status in ("sent", "delivered")]
    assert {row.status for row in rows} <= {"sent", "delivered", "skipped"}
    assert outbox_ids(outbox) == sorted(row.email_id for row in sent)
    assert set(Counter(log_of(outbox).read_text().split()).values()) == {1}
    # The second user of each shared address, and nobody else, went without.
    assert len(rows) - len(sent) == SHARED
    assert len({row.address_key for row in sent}) == len(sent)
    for row in sent:
        user = parts.store.get_user(row.user_id)
        assert user is not None
        assert (user.steps, user.last_email_at) == (1, NOW)
    assert not list(outbox.glob(".*.tmp"))


@pytest.mark.integration
@pytest.mark.parametrize("kills", [6, pytest.param(50, marks=[pytest.mark.soak, pytest.mark.timeout(900)])])
def test_killed_senders_neither_repeat_nor_forget(database: Database, tmp_path: Path, kills: int) -> None:
    outbox = tmp_path / "outbox"
    parts = kill_senders(database, outbox, kills, seed=kills)
    check_everybody_got_one(parts, outbox)
