"""kill -9 of the sender, at random and at the worst moments: nobody gets two e-mails, nobody is forgotten."""

import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from engagement_pipeline_tests.aws_server import REGION, sent_through_ses
from engagement_pipeline_tests.conftest import NOW
from engagement_pipeline_tests.delivery.mortal_sender import (
    LIVE_POINTS,
    OUTBOX_POINTS,
    MortalMailer,
    Point,
    log_of,
    mailer_at,
    where,
)
from engagement_pipeline_tests.delivery.parts import Parts, outbox_ids, silent_user
from engagement_pipeline_tests.smtp_server import SmtpServer

SHARED = 10
# How long a sender that is to die at any moment may live: it sends some hundred messages in that time.
LONGEST_LIFE_SECONDS = 0.3
LONGEST_LIFE_ON_DYNAMODB_SECONDS = 6

soak = [pytest.mark.soak, pytest.mark.timeout(1800)]


def kill_senders(parts: Parts, place: str, emails: int, kills: int, points: Sequence[Point], lanes: int = 1) -> int:
    """Queue e-mails, kill as many senders at their work, and finish with a sender that lives; return how many e-mails.

    They are half as many on DynamoDB: an emulator takes its time for each write.

    The clock stands still throughout: a successor must not depend on waiting for a lease to run out.
    """
    chance = random.Random(kills)
    emails = emails if parts.dynamo is None else emails // 2
    users = [silent_user(number) for number in range(emails - SHARED)]
    users += [silent_user(len(users) + number, f"u{number}@example.com") for number in range(SHARED)]
    parts.add_users(users, NOW)
    parts.add_drafts([user.user_id for user in users], NOW)
    longest_life = LONGEST_LIFE_SECONDS if parts.dynamo is None else LONGEST_LIFE_ON_DYNAMODB_SECONDS
    for _ in range(kills):
        _kill_one([where(parts), place], chance, points, lanes, longest_life)
    mailer, folder = mailer_at(place)
    parts.sender(MortalMailer(mailer, "before_sending", -1, folder)).run(lambda: NOW)
    return emails


def _kill_one(
    place: list[str], chance: random.Random, points: Sequence[Point], lanes: int, longest_life: float
) -> None:
    point = chance.choice([*points, "any_moment"])
    # Killed from outside at any moment, the process would not by itself die at any message.
    message = chance.randint(1, 40) if point != "any_moment" else 1_000_000
    arguments = [*place, point, str(message), str(lanes)]
    module = "engagement_pipeline_tests.delivery.mortal_sender"
    process = subprocess.Popen([sys.executable, "-m", module, *arguments], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    if point == "any_moment":
        time.sleep(chance.uniform(0, longest_life))
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
@pytest.mark.parametrize("kills", [3, pytest.param(50, marks=soak)])
def test_killed_senders_neither_repeat_nor_forget(parts: Parts, tmp_path: Path, kills: int) -> None:
    outbox = tmp_path / "outbox"
    kill_senders(parts, f"outbox:{outbox}", kills * 40, kills, OUTBOX_POINTS)
    check_everybody_got_one(parts, outbox)


def check_the_books(parts: Parts, emails: int, taken: list[str], in_doubt: int) -> None:
    """Hold the ledger against the addresses whose mail the provider has taken."""
    rows = list(parts.rows().values())
    counts = Counter(row.status for row in rows)
    assert max(Counter(taken).values()) == 1, "no address got two"
    assert sum(counts.get(status, 0) for status in ("sent", "skipped", "failed", "unknown", "queued")) == emails
    assert counts.get("queued", 0) == counts.get("failed", 0) == 0, "the sender that lived has finished"
    assert counts.get("unknown", 0) <= in_doubt
    addresses = {user.user_id: user.email for user in parts.store.get_users(row.user_id for row in rows)}
    sent = {addresses[row.user_id] for row in rows if row.status == "sent"}
    unknown = {addresses[row.user_id] for row in rows if row.status == "unknown"}
    assert sent <= set(taken) <= sent | unknown, "what was taken is sent, or nobody can tell"
    for row in rows:
        user = parts.store.get_user(row.user_id)
        assert user is not None
        assert user.last_email_at == (None if row.status == "skipped" else NOW)
        assert row.claimed_by is None


@pytest.mark.integration
@pytest.mark.parametrize(
    ("emails", "kills", "lanes"), [(150, 3, 1), (150, 3, 4), pytest.param(10_000, 100, 1, marks=soak)]
)
def test_killed_while_sending_by_smtp(
    parts: Parts, smtp_server: SmtpServer, emails: int, kills: int, lanes: int
) -> None:
    emails = kill_senders(parts, f"smtp:{smtp_server.port}", emails, kills, LIVE_POINTS, lanes)
    taken = [recipient for message in smtp_server.received for recipient in message.recipients]
    check_the_books(parts, emails, taken, in_doubt=kills * lanes)


@pytest.mark.integration
@pytest.mark.parametrize(("emails", "kills"), [(150, 3), pytest.param(10_000, 100, marks=soak)])
def test_killed_while_sending_by_ses(ministack: str, parts: Parts, emails: int, kills: int) -> None:
    import boto3

    boto3.client("sesv2", endpoint_url=ministack, region_name=REGION).create_email_identity(EmailIdentity="example.com")
    emails = kill_senders(parts, f"ses:{ministack}", emails, kills, LIVE_POINTS)
    taken = [recipient for message in sent_through_ses(ministack) for recipient in message["To"]]
    check_the_books(parts, emails, taken, in_doubt=kills)
