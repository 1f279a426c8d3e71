"""Entries by reason are right at every moment, and counted only where something has changed."""

from datetime import timedelta

import pytest

from engagement_pipeline.delivery import suppressions
from engagement_pipeline.delivery.suppressions import SqlSuppressions
from engagement_pipeline.platform.change_log import prune_change_log
from engagement_pipeline.platform.sql import Database
from engagement_pipeline.web.queries import suppressions as queries
from engagement_pipeline.web.queries.suppressions import Reasons
from engagement_pipeline_tests.conftest import NOW


def test_reasons_are_counted_once_the_list_has_changed(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    counted = 0

    def count(*arguments: object) -> dict[str, int]:
        nonlocal counted
        counted += 1
        return suppressions.count_by_reason(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(queries, "count_by_reason", count)
    reasons = Reasons()

    def read() -> dict[str, int]:
        with database.read() as connection:
            return dict(reasons.read(connection))

    def add(key: str, reason: str) -> None:
        with database.write() as connection:
            suppressions.add(connection, key * 64, reason, "person", NOW)

    assert (read(), read(), counted) == ({}, {}, 1)
    add("a", "manual")
    assert (read(), read(), counted) == ({"manual": 1}, {"manual": 1}, 2)
    for key in "bc":
        add(key, "complaint")
    assert (read(), counted) == ({"complaint": 2, "manual": 1}, 3)
    listed = SqlSuppressions(database)
    assert listed.remove(listed.find(["a" * 64])["a" * 64], NOW)
    assert listed.add_erased("b" * 64, NOW)
    assert (read(), read(), counted) == ({"complaint": 1, "erased": 1}, {"complaint": 1, "erased": 1}, 4)


def test_what_changed_and_was_pruned_from_the_log_is_not_missed(database: Database) -> None:
    reasons = Reasons()
    with database.read() as connection:
        assert reasons.read(connection) == {}
    with database.write() as connection:
        suppressions.add(connection, "a" * 64, "manual", "person", NOW)
        suppressions.add(connection, "b" * 64, "manual", "person", NOW)
        prune_change_log(connection, NOW + timedelta(days=30), 1_000)
    with database.read() as connection:
        assert reasons.read(connection) == {"manual": 2}
