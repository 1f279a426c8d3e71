"""Checks of delivery: what they let pass, what they complain about, and that they name the numbers."""

from collections.abc import Callable
from datetime import timedelta

import dagster as dg
import pytest
import sqlalchemy as sa

from engagement_pipeline.delivery import breaker
from engagement_pipeline.delivery.tables import emails
from engagement_pipeline.pipeline import Pipeline
from engagement_pipeline_tests.conftest import NOW
from engagement_pipeline_tests.defs.conftest import RunJob, silent_user
from engagement_pipeline_tests.delivery.sent_emails import add_sent

Check = Callable[[str], dg.AssetCheckEvaluation]


@pytest.fixture
def check(pipeline: Pipeline, run_job: RunJob) -> Check:
    """Runs all checks and returns the result of one."""
    run_job("refresh_engagement")
    run_job("collect_feedback")

    def run(name: str) -> dg.AssetCheckEvaluation:
        [evaluation] = [
            each for each in run_job("check_tables").get_asset_check_evaluations() if each.check_name == name
        ]
        return evaluation

    return run


def test_books_that_do_not_balance(pipeline: Pipeline, run_job: RunJob, check: Check) -> None:
    pipeline.store.put_users([silent_user(1), silent_user(2)], NOW)
    assert run_job("react_to_changes").success
    assert check("reconciliation").passed
    with pipeline.warehouse() as con:
        con.execute("DELETE FROM email_deliveries WHERE user_id = 'user-1'")
    result = check("reconciliation")
    assert not result.passed
    assert result.description == "win-back: 2 eligible, 1 accounted for"


def test_a_queue_that_stands_still(pipeline: Pipeline, check: Check) -> None:
    assert check("oldest_queued").passed
    [email_id] = add_sent(pipeline.database, 1, None, "queued")
    with pipeline.database.write() as connection:
        connection.execute(sa.update(emails).values(created_at=NOW - timedelta(hours=30)))
    result = check("oldest_queued")
    assert not result.passed
    assert result.severity == dg.AssetCheckSeverity.WARN
    assert result.description is not None
    assert result.description.startswith("1 e-mails are due for more than a day, the oldest for 30 hours; 0 were sent")
    assert email_id not in result.description


def test_nothing_is_late_in_a_dry_run(pipeline: Pipeline, check: Check) -> None:
    pipeline.settings = pipeline.settings.model_copy(update={"send_mode": "dry_run"})
    add_sent(pipeline.database, 1, None, "queued")
    assert check("oldest_queued").passed


def test_what_has_long_been_unknown(pipeline: Pipeline, check: Check) -> None:
    add_sent(pipeline.database, 1, NOW - timedelta(hours=24), "unknown")
    assert check("oldest_unknown").passed
    add_sent(pipeline.database, 1, NOW - timedelta(hours=26), "unknown")
    result = check("oldest_unknown")
    assert not result.passed
    assert result.severity == dg.AssetCheckSeverity.WARN
    assert "of 2 e-mails" in str(result.description)
    assert "26 hours" in str(result.description)


def test_bounces_and_complaints(pipeline: Pipeline, check: Check) -> None:
    add_sent(pipeline.database, 190, NOW)
    add_sent(pipeline.database, 10, NOW, "bounced")
    result = check("bounces_and_complaints")
    assert result.passed
    assert result.metadata["bounce_rate"].value == 0.05
    add_sent(pipeline.database, 1, NOW, "bounced")
    assert check("bounces_and_complaints").description == breaker.judge(201, 11, 0)
    # Once it has tripped, the check fails until a person has looked, whatever the rates do.
    with pipeline.database.write() as connection:
        breaker.check(connection, NOW)
    add_sent(pipeline.database, 500, NOW)
    assert check("bounces_and_complaints").description == breaker.judge(201, 11, 0)
    with pipeline.database.write() as connection:
        breaker.reset(connection, NOW + timedelta(seconds=1))
    assert check("bounces_and_complaints").passed
