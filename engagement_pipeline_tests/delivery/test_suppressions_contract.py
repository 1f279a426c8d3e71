"""What every suppression list keeps, on SQLite, PostgreSQL and DynamoDB."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from engagement_pipeline.delivery.dynamodb.suppressions import DynamoSuppressions
from engagement_pipeline.delivery.suppressions import (
    ERASED,
    HABIT,
    RULE,
    SqlSuppressions,
    Suppression,
    Suppressions,
)
from engagement_pipeline.platform.audit import AuditEntry, audit_log
from engagement_pipeline.platform.dynamodb_tables import AUDIT
from engagement_pipeline_tests.conftest import NOW
from engagement_pipeline_tests.delivery.parts import Parts
from engagement_pipeline_tests.delivery.steps import LATER, US, lease, mark, queued, record

KEY, OTHER = "a" * 64, "b" * 64
BY_HAND = Suppression(KEY, "wish", "person", NOW)
BY_HABIT = Suppression(KEY, HABIT, RULE, NOW)
AUDITED = AuditEntry("ada", "suppression.created", "suppression", KEY, {}, NOW)


@pytest.fixture
def listed(parts: Parts) -> Suppressions:
    return SqlSuppressions(parts.database) if parts.dynamo is None else DynamoSuppressions(parts.dynamo)


def audited(parts: Parts) -> int:
    if parts.dynamo is not None:
        return len(list(parts.dynamo.scan(AUDIT, 0, 1)))
    with parts.database.read() as connection:
        number: int = connection.execute(sa.select(sa.func.count()).select_from(audit_log)).scalar_one()
    return number


def test_an_address_is_listed_once_and_its_first_reason_stays(parts: Parts, listed: Suppressions) -> None:
    assert listed.find([KEY, OTHER]) == {}
    assert listed.add([BY_HAND, Suppression(OTHER, "hard_bounce", "ses", NOW)], NOW, AUDITED) == 2
    assert listed.add([Suppression(KEY, "complaint", "ses", LATER)], LATER, AUDITED) == 0
    assert listed.find([KEY, KEY]) == {KEY: BY_HAND}
    assert listed.find([]) == {}
    assert audited(parts) == 1


def test_of_two_entries_for_an_address_the_first_counts(listed: Suppressions) -> None:
    assert listed.add([BY_HAND, Suppression(KEY, "complaint", "ses", NOW)], NOW) == 1
    assert listed.find([KEY]) == {KEY: BY_HAND}


def test_a_habit_gives_way_to_anything_else_and_to_nothing_of_its_kind(listed: Suppressions) -> None:
    assert listed.add([BY_HABIT], NOW) == 1
    assert listed.add([Suppression(KEY, HABIT, RULE, LATER)], LATER) == 0
    assert listed.find([KEY]) == {KEY: BY_HABIT}
    assert listed.add([BY_HAND], LATER) == 0
    assert listed.find([KEY]) == {KEY: BY_HAND}
    assert listed.add([BY_HABIT, Suppression(OTHER, HABIT, RULE, NOW)], LATER) == 1
    assert listed.find([KEY]) == {KEY: BY_HAND}


def test_a_graver_reason_replaces_only_the_milder_ones_named(listed: Suppressions) -> None:
    complaint = Suppression(KEY, "complaint", "ses", LATER)
    assert not listed.worsen(complaint, ["hard_bounce"], LATER), "it is not on the list"
    listed.add([Suppression(KEY, "hard_bounce", "ses", NOW)], NOW)
    assert not listed.worsen(complaint, [HABIT], LATER)
    assert not listed.worsen(complaint, [], LATER)
    assert listed.worsen(complaint, [HABIT, "hard_bounce"], LATER)
    assert listed.find([KEY]) == {KEY: Suppression(KEY, "complaint", "ses", NOW)}


@pytest.mark.parametrize("before", [None, BY_HAND, BY_HABIT])
def test_who_is_erased_stays_on_the_list_for_that(listed: Suppressions, before: Suppression | None) -> None:
    listed.add([] if before is None else [before], NOW)
    assert listed.add_erased(KEY, LATER)
    assert not listed.add_erased(KEY, LATER)
    assert listed.add([BY_HAND], LATER) == 0
    assert listed.find([KEY]) == {KEY: Suppression(KEY, ERASED, ERASED, LATER if before is None else NOW)}


def test_only_what_was_seen_is_taken_off(parts: Parts, listed: Suppressions) -> None:
    listed.add([BY_HAND], NOW)
    assert not listed.remove(Suppression(KEY, "complaint", "ses", NOW), LATER, AUDITED)
    assert audited(parts) == 0
    assert listed.remove(BY_HAND, LATER, AUDITED)
    assert (listed.find([KEY]), audited(parts)) == ({}, 1)
    assert not listed.remove(BY_HAND, LATER, AUDITED)
    assert listed.add([BY_HABIT], LATER) == 1


def test_what_touched_an_address_has_nothing_to_do_with_the_list(parts: Parts, listed: Suppressions) -> None:
    queued(parts, 1)
    [entry] = lease(parts, US)
    assert mark(parts, US, entry)
    record(parts, US, entry, "sent")
    key = parts.rows()[entry.user_id].address_key
    assert listed.find([key]) == {}
    wish = Suppression(key, "wish", "person", NOW + timedelta(seconds=1))
    assert listed.add([wish], NOW) == 1
    facts = parts.ledger.address_facts([key])[key]
    assert (facts.suppressed, facts.last_touch_at) == (True, NOW)
    assert listed.remove(wish, LATER)
    facts = parts.ledger.address_facts([key])[key]
    assert (facts.suppressed, facts.last_touch_at) == (False, NOW)
