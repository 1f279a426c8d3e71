"""Rows as items and back; rows of an earlier deployment; the order in which rows wait."""

from dataclasses import replace
from datetime import date, datetime, timedelta, timezone
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from engagement_pipeline.delivery.dynamodb import addresses
from engagement_pipeline.delivery.dynamodb.addresses import Touch
from engagement_pipeline.delivery.dynamodb.items import (
    BadEmailError,
    columns_of,
    entry_of,
    is_email,
    item_of,
    rank_of,
    stored_email,
)
from engagement_pipeline.delivery.entries import StoredEmail
from engagement_pipeline.delivery.statuses import ALL, WAITING
from engagement_pipeline.delivery.tables import emails
from engagement_pipeline.platform.dynamodb_tables import EMAILS
from engagement_pipeline.platform.dynamodb_values import attributes_of
from engagement_pipeline.platform.dynamodb_values import item_of as plain
from engagement_pipeline.platform.sql import Database
from engagement_pipeline_tests.conftest import NOW

ROW = StoredEmail(
    email_id="0123456789abcdef0123456789abcdef",
    user_id="u1",
    address_key="k" * 64,
    campaign="win-back",
    step=1,
    status="queued",
    reason=None,
    score=31.5,
    band="at_risk",
    value_at_risk=20.0,
    variant=None,
    copy={"subject": "Hello"},
    copywriter="template",
    provenance=None,
    edition=None,
    last_day=None,
    attempts=0,
    claimed_by=None,
    claimed_until=None,
    not_before=None,
    provider=None,
    provider_message_id=None,
    decided_at=NOW,
    created_at=NOW,
    sent_at=None,
    updated_at=NOW,
    requested_by=None,
    overrides=None,
)
EARLIER: dict[str, Any] = {
    "emailId": "3f2504e0-4f89-11d3-9a0c-0305e82c3301",
    "userId": "u1",
    "subject": "We miss you, Ada",
    "content": "Dear Ada, ...",
    "generatedAt": "2025-11-02T08:30:00Z",
    "engagementScoreAtTime": 42,
    "status": "SENT",
}

moments = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(timezone.utc))  # noqa: DTZ001
texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
# As far as a table can tell them from nothing.
amounts = st.floats(0, 1e12).map(lambda amount: amount if amount >= 1e-130 else 0.0)
rows = st.builds(
    StoredEmail,
    email_id=st.uuids().map(lambda each: each.hex),
    user_id=texts,
    address_key=texts,
    campaign=texts,
    step=st.integers(1, 2**31 - 1),
    status=st.sampled_from(ALL),
    reason=st.none() | texts,
    score=amounts,
    band=texts,
    value_at_risk=amounts,
    variant=st.none() | texts,
    copy=st.none() | st.dictionaries(texts, texts | st.lists(texts)),
    copywriter=st.none() | texts,
    provenance=st.none() | st.dictionaries(texts, st.integers() | texts),
    edition=st.none() | texts,
    last_day=st.none() | st.dates(date(2000, 1, 1)),
    attempts=st.integers(0, 99),
    claimed_by=st.none() | texts,
    claimed_until=st.none() | moments,
    not_before=st.none() | moments,
    provider=st.none() | texts,
    provider_message_id=st.none() | texts,
    decided_at=moments,
    created_at=moments,
    sent_at=st.none() | moments,
    updated_at=moments,
    requested_by=st.none() | texts,
    overrides=st.none() | st.lists(texts, max_size=3),
)


@given(rows)
def test_a_row_comes_back_from_its_item(row: StoredEmail) -> None:
    item = plain(attributes_of(item_of(row)))
    assert stored_email(item) == row
    assert is_email(item)
    assert columns_of(item) == vars(row) | {"claimed_by": None, "claimed_until": None}


@given(rows)
def test_every_key_of_an_index_is_a_text_or_missing(row: StoredEmail) -> None:
    item = item_of(row)
    assert all(isinstance(item.get(name, ""), str) for name in EMAILS.key_attributes)
    assert ("rank" in item) == ("campaignStatus" in item)
    assert ("claimShard" in item) == ("claimedBy" in item) == (row.claimed_by is not None)
    if row.status in WAITING:
        assert item["campaignStatus"] == f"{row.campaign}#{row.status}"


@given(st.lists(st.tuples(st.floats(allow_nan=False), st.uuids().map(lambda each: each.hex)), unique=True))
def test_rows_wait_in_the_order_of_sql(waiting: list[tuple[float, str]]) -> None:
    by_rank = sorted(waiting, key=lambda pair: rank_of(*pair))
    assert by_rank == sorted(waiting, key=lambda pair: (-pair[0], pair[1]))


def test_what_nobody_can_tell_waits_to_be_asked_about_until_it_expires() -> None:
    unknown = replace(ROW, status="unknown", sent_at=NOW)
    assert item_of(unknown)["campaignStatus"] == "#unknown"
    assert "campaignStatus" not in item_of(replace(unknown, reason="expired"))


def test_an_item_of_ours_that_is_broken_is_named_without_what_it_holds() -> None:
    item = item_of(ROW) | {"copy": "{Ada", "decidedAt": "yesterday"}
    with pytest.raises(BadEmailError) as error:
        stored_email(item)
    assert "Ada" not in str(error.value)


def test_what_is_no_email_is_no_row() -> None:
    assert columns_of({"emailId": "verdicts#win-back", "verdicts": {}}) is None
    assert not is_email({"emailId": "rejected#win-back#x#1"})


def test_a_row_that_waits_has_what_a_sender_needs() -> None:
    entry = entry_of(replace(ROW, overrides=["cool_down"], last_day=date(2026, 3, 9)))
    assert (entry.email_id, entry.copy, entry.overrides) == (ROW.email_id, {"subject": "Hello"}, ["cool_down"])


@pytest.mark.parametrize(
    ("stated", "status", "sent_at"),
    [
        ("GENERATED", "skipped", None),
        ("SENT", "sent", datetime(2025, 11, 2, 8, 30, tzinfo=timezone.utc)),
        ("OPENED", "opened", datetime(2025, 11, 2, 8, 30, tzinfo=timezone.utc)),
        ("CLICKED", "clicked", datetime(2025, 11, 2, 8, 30, tzinfo=timezone.utc)),
        ("FAILED", "failed", None),
    ],
)
def test_an_earlier_row_is_read_as_it_is(stated: str, status: str, sent_at: datetime | None) -> None:
    row = stored_email(EARLIER | {"status": stated})
    assert (row.status, row.sent_at, row.campaign, row.step) == (status, sent_at, "earlier", 0)
    assert (row.score, row.copy, row.claimed_by) == (42.0, None, None)
    assert row.created_at == row.decided_at == datetime(2025, 11, 2, 8, 30, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    "changes",
    [
        {"generatedAt": 1762072200, "engagementScoreAtTime": "42"},
        {"generatedAt": "1762072200000"},
        {"generatedAt": "2025-11-02T09:30:00+01:00", "status": "sent"},
    ],
)
def test_an_earlier_row_may_write_moments_and_numbers_as_it_likes(changes: dict[str, Any]) -> None:
    row = stored_email(EARLIER | changes)
    assert row.created_at == datetime(2025, 11, 2, 8, 30, tzinfo=timezone.utc)
    assert row.score == 42.0


@pytest.mark.parametrize("changes", [{"generatedAt": None}, {"status": "LOST"}, {"userId": 7}])
def test_an_earlier_row_without_what_it_takes_is_none(changes: dict[str, Any]) -> None:
    with pytest.raises(BadEmailError):
        stored_email(EARLIER | changes)


def test_earlier_rows_fit_into_the_read_model(database: Database) -> None:
    items = [EARLIER | {"emailId": f"{number}f2504e0-4f89-11d3-9a0c-0305e82c3301"} for number in range(1, 4)]
    items.append(EARLIER | {"emailId": "an id of another form, and a long one at that"})
    rows = [columns for item in items if (columns := columns_of(item)) is not None]
    with database.write() as connection:
        connection.execute(sa.insert(emails), rows)
    with database.read() as connection:
        stored = connection.execute(sa.select(emails.c.email_id, emails.c.status)).all()
    assert len(stored) == 4
    assert "1f2504e04f8911d39a0c0305e82c3301" in {row.email_id for row in stored}


def test_few_touches_are_kept_and_the_newest_of_them() -> None:
    touches = {Touch("k", NOW + timedelta(days=day), f"{day:032}").text for day in range(11)}
    item = {"addressKey": "k", "touches": touches, "touchedAt": max(touches).partition("#")[0]}
    update = addresses.pruning(item)
    assert update is not None
    assert update.sets["touches"] == set(sorted(touches)[-5:])
    assert update.sets["touchedAt"] == item["touchedAt"]
    assert addresses.pruning({"addressKey": "k", "touches": set(sorted(touches)[1:])}) is None


def test_an_address_of_which_nothing_is_left_is_forgotten() -> None:
    item = {"addressKey": "k", "touches": {f"{NOW:%Y}#one"}, "touchedAt": f"{NOW:%Y}"}
    assert type(addresses.forgetting(item, {"one"})).__name__ == "Delete"
    assert type(addresses.forgetting(item | {"reason": "wish"}, {"one"})).__name__ == "Update"
    assert addresses.forgetting(item, {"two"}) is None
