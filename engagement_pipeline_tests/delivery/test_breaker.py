"""Too much bounces, too many complain: sending stops for everybody, and only a person lets it go on."""

import threading
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from engagement_pipeline.delivery import breaker
from engagement_pipeline.delivery.reputation import Counts, counts_since
from engagement_pipeline.platform.facts import store_facts
from engagement_pipeline.platform.sql import Database
from engagement_pipeline_tests.conftest import NOW
from engagement_pipeline_tests.delivery.sent_emails import add_events, add_sent
from engagement_pipeline_tests.plans import plans_of

numbers = st.integers(0, 5_000)


def check(database: Database, now: datetime = NOW) -> str | None:
    with database.write() as connection:
        return breaker.check(connection, now)


@pytest.mark.parametrize(
    ("sent", "hard_bounces", "complaints", "stops"),
    [
        (0, 0, 0, False),
        (199, 199, 199, False),
        (200, 10, 0, False),
        (200, 11, 0, True),
        (999, 0, 999, False),
        (1_000, 0, 1, False),
        (1_000, 0, 2, True),
        (3_000, 150, 3, False),
        (1_000_000, 50_000, 1_000, False),
        (1_000_000, 50_001, 0, True),
        (1_000_000, 0, 1_001, True),
    ],
)
def test_where_it_trips(sent: int, hard_bounces: int, complaints: int, stops: bool) -> None:
    assert (breaker.judge(sent, hard_bounces, complaints) is not None) == stops


@given(numbers, numbers, numbers, numbers, numbers)
def test_worse_news_never_closes_it(sent: int, bounces: int, complaints: int, more: int, further: int) -> None:
    if breaker.judge(sent, bounces, complaints) is not None:
        assert breaker.judge(sent, bounces + more, complaints + further) is not None


@given(numbers, numbers, numbers)
def test_the_reason_names_the_numbers_and_fits_its_column(sent: int, bounces: int, complaints: int) -> None:
    reason = breaker.judge(sent * 1_000, bounces * 1_000, complaints * 1_000)
    if reason is not None:
        assert f"{sent * 1_000:,} e-mails" in reason
        # A sender's words are cut at 200 characters.
        assert len(f"{reason}; {breaker.HOW_TO_GO_ON}") <= 200
        assert f"{bounces * 1_000:,} bounced" in reason or f"{complaints * 1_000:,} drew a complaint" in reason


def test_counts(database: Database) -> None:
    since = NOW - timedelta(days=30)
    add_sent(database, 4, since)
    add_sent(database, 1, since - timedelta(seconds=1), "bounced")
    add_sent(database, 2, NOW, "bounced", "smtp")
    complained = add_sent(database, 3, NOW, "complained")
    add_events(database, complained[:1], "hard_bounce", NOW)
    add_events(database, complained, "complaint", NOW)
    add_sent(database, 9, None, "failed")
    with database.read() as connection:
        assert counts_since(connection, since) == Counts(9, 3, 3)


def test_it_stays_tripped_for_everybody_until_a_person_resets_it(database: Database) -> None:
    add_sent(database, 189, NOW)
    add_sent(database, 10, NOW, "bounced")
    assert check(database) is None
    add_sent(database, 1, NOW, "bounced")
    reason = check(database)
    assert reason == (
        "of 200 e-mails sent, 11 bounced for good (5.50%, the limit is 5%); to go on: engagement deliveries resume"
    )
    with database.read() as connection:
        assert breaker.tripped(connection) == reason.partition("; to go on")[0]
    # Later and healthier, and yet: nobody has looked.
    add_sent(database, 5_000, NOW)
    assert check(database, NOW + timedelta(days=90)) == reason
    other = Database(database.engine.url.render_as_string(hide_password=False))
    assert check(other) == reason
    other.close()


def test_after_a_reset_only_what_is_sent_since_counts(database: Database) -> None:
    add_sent(database, 200, NOW, "bounced")
    assert check(database) is not None
    later = NOW + timedelta(hours=1)
    with database.write() as connection:
        assert breaker.reset(connection, later) == breaker.judge(200, 200, 0)
        assert breaker.reset(connection, later) is None
        assert breaker.tripped(connection) is None
    assert check(database, later) is None
    add_sent(database, 189, later)
    add_sent(database, 11, later, "bounced")
    assert check(database, later) is not None


def test_what_is_older_than_thirty_days_is_forgotten(database: Database) -> None:
    add_sent(database, 200, NOW - timedelta(days=31), "bounced")
    assert check(database) is None


def test_senders_that_check_at_once_agree(database: Database) -> None:
    add_sent(database, 300, NOW, "bounced")
    start = threading.Barrier(4, timeout=30)
    reasons: list[str | None] = []

    def run() -> None:
        start.wait()
        reasons.append(check(database))

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(reasons)) == 1
    assert None not in reasons
    assert len(reasons) == 4
    with database.read() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(store_facts)).scalar_one() == 1


# PostgreSQL, which knows how many events there are, reads all as long as there are hardly any.
@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_checking_never_reads_the_whole_ledger(database: Database) -> None:
    plans = plans_of(database, lambda connection: breaker.check(connection, NOW))
    assert any("COVERING INDEX ix_emails_provider_sent_at" in plan for plan in plans)
    assert not [plan for plan in plans if plan.startswith("SCAN")]
