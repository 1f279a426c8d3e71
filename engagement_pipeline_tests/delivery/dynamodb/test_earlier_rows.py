"""Rows of an earlier deployment, which take part in what is reported, and in what is forgotten."""

import pytest

from engagement_pipeline.delivery.anonymous import Pseudonyms
from engagement_pipeline.delivery.entries import Correction, Report
from engagement_pipeline.delivery.statuses import Status
from engagement_pipeline.platform.dynamodb import Dynamo
from engagement_pipeline.platform.dynamodb_tables import EMAILS
from engagement_pipeline.platform.dynamodb_writes import Put
from engagement_pipeline_tests.conftest import NOW
from engagement_pipeline_tests.delivery.dynamodb.test_items import EARLIER
from engagement_pipeline_tests.delivery.parts import Parts

pytestmark = pytest.mark.integration


@pytest.mark.parametrize("status", ["delivered", "clicked", "bounced", "complained"])
def test_an_earlier_row_can_be_read_whatever_was_reported_of_it(parts: Parts, dynamo: Dynamo, status: Status) -> None:
    dynamo.write(Put(EMAILS, EARLIER))
    email_id = EARLIER["emailId"]
    parts.ledger.report([Report(email_id, status)], NOW)
    parts.ledger.report([Report(email_id, "sent")], NOW)
    row = parts.ledger.get_emails([email_id])[email_id]
    assert (row.status, row.campaign) == (status, "earlier")
    assert [row.status for row in parts.ledger.emails_of("u1")] == [status]


def test_no_replay_takes_from_an_earlier_row_what_no_event_says(parts: Parts, dynamo: Dynamo) -> None:
    dynamo.write(Put(EMAILS, EARLIER | {"status": "OPENED"}))
    email_id = EARLIER["emailId"]
    row = parts.ledger.get_emails([email_id])[email_id]
    assert parts.ledger.correct([Correction(row, "sent", [])], NOW) == 0
    assert dynamo.get(EMAILS, email_id) == EARLIER | {"status": "OPENED"}


def test_of_who_is_erased_an_earlier_row_says_only_what_counts(parts: Parts, dynamo: Dynamo) -> None:
    dynamo.write(Put(EMAILS, EARLIER | {"recipient": "Ada <ada@example.com>"}))
    before = parts.ledger.get_emails([EARLIER["emailId"]])[EARLIER["emailId"]]
    names = Pseudonyms("seed")
    assert parts.ledger.anonymise("u1", names, NOW) == 1
    [item] = dynamo.scan(EMAILS, 0, 1)
    assert item == {
        "emailId": names.email_id(EARLIER["emailId"]),
        "userId": names.user_id,
        **{name: EARLIER[name] for name in ("status", "generatedAt", "engagementScoreAtTime")},
    }
    [row] = parts.ledger.emails_of(names.user_id)
    assert (row.status, row.sent_at, row.score) == (before.status, before.sent_at, before.score)


def test_what_cannot_be_read_of_who_is_erased_goes(parts: Parts, dynamo: Dynamo) -> None:
    dynamo.write(Put(EMAILS, EARLIER | {"status": "LOST"}))
    dynamo.write(Put(EMAILS, EARLIER | {"emailId": "another", "userId": "u2", "status": "LOST"}))
    assert parts.ledger.anonymise("u1", Pseudonyms("seed"), NOW) == 0
    assert [item["emailId"] for item in dynamo.scan(EMAILS, 0, 1)] == ["another"]
