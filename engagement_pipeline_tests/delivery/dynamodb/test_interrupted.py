"""Steps of which each is one write: what was begun by somebody who stopped half-way is finished by somebody else."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import timedelta

import pytest

from engagement_pipeline.copywriting import approvals
from engagement_pipeline.copywriting.approvals import UNNAMED, Approval, Verdict
from engagement_pipeline.delivery.entries import Correction, Outcome
from engagement_pipeline.delivery.ledger import Ledger
from engagement_pipeline.platform.dynamodb import Dynamo, UnavailableError
from engagement_pipeline.platform.dynamodb_tables import USERS
from engagement_pipeline.platform.dynamodb_writes import Delete, Put, Refused, Update
from engagement_pipeline.platform.settings_groups import DynamoSettings
from engagement_pipeline_tests.conftest import NOW
from engagement_pipeline_tests.delivery.parts import CAMPAIGN, Parts
from engagement_pipeline_tests.delivery.steps import LEASE, US, Provider, lease, mark, queued

pytestmark = pytest.mark.integration


class Shaky(Dynamo):
    """Writes nothing to users where `fails`; lets somebody else go first before many are written."""

    def __init__(self, dynamo: Dynamo, names: Mapping[str, str]) -> None:
        super().__init__(dynamo.client, names)
        self.fails = False
        self.first: Callable[[], object] | None = None

    def write_many(self, writes: Iterable[Put | Delete]) -> None:
        first, self.first = self.first, None
        if first is not None:
            first()
        super().write_many(writes)

    def write(self, write: Put | Update | Delete) -> Refused | None:
        if self.fails and write.table is USERS:
            raise UnavailableError
        return super().write(write)


@pytest.fixture
def shaky(dynamo: Dynamo, dynamodb_tables: DynamoSettings) -> Shaky:
    return Shaky(dynamo, dynamodb_tables.tables)


@pytest.fixture
def parts(parts: Parts, shaky: Shaky) -> Parts:
    return replace(parts, dynamo=shaky)


def held_unknown(parts: Parts) -> str:
    queued(parts, 1)
    [entry] = lease(parts, US)
    assert mark(parts, US, entry)
    parts.ledger.advance(US, Outcome(entry.email_id, "unknown"), None, NOW, LEASE)
    parts.ledger.settle(US, Provider(None), NOW)
    return entry.email_id


def last_email(parts: Parts) -> object:
    user = parts.store.get_user("u00000")
    assert user is not None
    return user.last_email_at


def test_a_row_that_was_put_right_counts_for_its_user_though_who_did_it_has_died(parts: Parts, shaky: Shaky) -> None:
    email_id = held_unknown(parts)
    seen = parts.ledger.get_emails([email_id])[email_id]
    shaky.fails = True
    with pytest.raises(UnavailableError):
        parts.ledger.correct([Correction(seen, "failed", [NOW])], NOW)
    shaky.fails = False
    assert last_email(parts) == NOW
    parts.ledger.recover(Provider(None), NOW + timedelta(hours=1))
    assert last_email(parts) is None
    assert parts.ledger.get_emails([email_id])[email_id].claimed_by is None


def test_words_that_were_approved_while_somebody_was_rejecting_them_are_sent(parts: Parts, shaky: Shaky) -> None:
    queued(parts, 1)
    [entry] = lease(parts, US)
    bob = replace(parts)

    def decide(ledger: Ledger, verdict: Verdict) -> None:
        ledger.decide(Approval(CAMPAIGN, UNNAMED, verdict, "Ada", "", NOW))

    shaky.first = lambda: decide(bob.ledger, "approved")
    decide(parts.ledger, "rejected")
    assert not parts.ledger.is_rejected(CAMPAIGN, UNNAMED)
    with parts.database.read() as connection:
        listed = approvals.find(connection, CAMPAIGN, UNNAMED)
    assert listed is not None
    assert listed.verdict == "approved"
    assert mark(parts, US, entry)
