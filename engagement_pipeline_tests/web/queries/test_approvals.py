"""What waits for approval is found without reading all that waits."""

from collections.abc import Callable
from datetime import timedelta

import pytest
import sqlalchemy as sa

from engagement_pipeline.copywriting import approvals
from engagement_pipeline.copywriting.approvals import UNNAMED, Approval
from engagement_pipeline.delivery.tables import emails
from engagement_pipeline.platform.sql import Database
from engagement_pipeline.web.queries import approvals as queries
from engagement_pipeline.web.queries.approvals import WaitingEdition, waiting_editions
from engagement_pipeline.web.queries.samples import newest_samples
from engagement_pipeline_tests.conftest import NOW
from engagement_pipeline_tests.plans import plans_of
from engagement_pipeline_tests.web.queries.test_emails import SENT_AT, row


def write(database: Database, *rows: dict[str, object]) -> None:
    with database.write() as connection:
        for each in rows:
            connection.execute(sa.insert(emails), [each])


def waiting(database: Database) -> list[WaitingEdition]:
    with database.read() as connection:
        return waiting_editions(connection, "win-back")


def test_what_waits_is_counted_by_edition_the_oldest_first_with_a_sample_of_each_variant(database: Database) -> None:
    write(
        database,
        row("1", status="draft", edition="b", hours=1),
        row("2", status="queued", edition="b", hours=0),
        row("3", status="draft", edition="b", hours=2, variant="warm"),
        row("4", status="draft", edition=None, hours=3),
        row("5", status="draft", edition="a", hours=1),
        row("6", status="sent", edition="sent"),
        row("7", status="draft", edition="other", campaign="spring"),
        row("8", status="draft", edition="decided"),
    )
    with database.write() as connection:
        approvals.put(connection, Approval("win-back", "decided", "approved", "Ada", "", NOW))
    found = waiting(database)
    assert [(each.edition, each.number, each.oldest - SENT_AT) for each in found] == [
        ("b", 3, timedelta(0)),
        ("a", 1, timedelta(hours=1)),
        (UNNAMED, 1, timedelta(hours=3)),
    ]
    assert [sample.variant for sample in found[0].samples] == ["plain", "warm"]
    assert found[0].samples[1].email_id == "3" * 32
    assert found[0].samples[0].paragraphs[0] == "It has been a while since your last visit."
    assert not any(each.is_more for each in found)


def test_of_very_many_the_oldest_and_the_newest_are_looked_at(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "LOOKED_AT", 2)
    numbers = "123456"
    write(
        database,
        *(row(n, status="draft", edition=edition, hours=int(n)) for n, edition in zip(numbers, "aabbcc", strict=True)),
    )
    assert [(each.edition, each.number, each.is_more) for each in waiting(database)] == [("a", 2, True), ("c", 2, True)]
    with database.write() as connection:
        connection.execute(sa.update(emails).where(emails.c.edition == "a").values(status="sent"))
    assert [(each.edition, each.number) for each in waiting(database)] == [("b", 2), ("c", 2)]


@pytest.mark.parametrize(
    ("read", "index"),
    [
        (lambda connection: waiting_editions(connection, "win-back"), "ix_emails_status_created_at_email_id"),
        (newest_samples, "ix_emails_created_at_email_id"),
    ],
)
def test_the_ledger_is_never_read_whole(
    database: Database, read: Callable[[sa.Connection], object], index: str
) -> None:
    plans = [plan for plan in plans_of(database, read) if "emails" in plan]
    assert any(index in plan for plan in plans), plans
    assert all("USING" in plan for plan in plans), plans


def test_samples_are_of_each_campaigns_variants_and_not_of_the_hold_out(database: Database) -> None:
    write(
        database,
        row("1"),
        row("2", variant="warm", hours=1),
        row("3", variant="silent", status="held_out", copy=None, sent_at=None),
        row("4", campaign="spring", variant=None),
    )
    with database.read() as connection:
        found = newest_samples(connection)
    assert {name: list(samples) for name, samples in found.items()} == {"win-back": ["plain", "warm"], "spring": [""]}
    assert found["win-back"]["warm"].subject == "It has been a while, {{first_name}}"
