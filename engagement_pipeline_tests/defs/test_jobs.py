"""The jobs, run whole against real stores: what they bring, write and send, and what they do not do twice."""

import json
from datetime import timedelta

import dagster as dg
import pytest

from engagement_pipeline.definitions import build_defs
from engagement_pipeline.defs.assets import emails
from engagement_pipeline.defs.jobs import ALL_JOBS
from engagement_pipeline.delivery import breaker
from engagement_pipeline.delivery.workers import new_worker
from engagement_pipeline.pipeline import Pipeline
from engagement_pipeline.users.models import Order
from engagement_pipeline_tests.conftest import NOW
from engagement_pipeline_tests.defs.conftest import Clock, RunJob, silent_user
from engagement_pipeline_tests.delivery.sent_emails import add_sent


def outbox(pipeline: Pipeline) -> set[str]:
    return {path.name for path in pipeline.settings.outbox_dir.glob("*.eml")}


def score_of(pipeline: Pipeline, user_id: str) -> float:
    with pipeline.warehouse(read_only=True) as con:
        row = con.execute("SELECT score FROM engagement_scores WHERE user_id = ?", [user_id]).fetchone()
    assert row is not None
    return float(row[0])


def test_a_silent_user_is_written_to_once(pipeline: Pipeline, run_job: RunJob) -> None:
    pipeline.store.put_users([silent_user(1), silent_user(2, days=3, orders=20)], NOW)
    assert run_job("react_to_changes").success
    sent = outbox(pipeline)
    assert len(sent) == 1
    for job in ("react_to_changes", "refresh_engagement", "send_emails", "react_to_changes"):
        assert run_job(job).success
    assert outbox(pipeline) == sent


def test_an_order_raises_the_score(pipeline: Pipeline, run_job: RunJob) -> None:
    pipeline.store.put_users([silent_user(1)], NOW)
    run_job("react_to_changes")
    before = score_of(pipeline, "user-1")
    order = Order(order_id="o-1", user_id="user-1", ordered_at=NOW, total_value=80.0, item_count=1)
    pipeline.store.put_orders([order], NOW)
    run_job("react_to_changes")
    assert before < score_of(pipeline, "user-1")


def test_reacting_and_refreshing_give_the_same_scores(pipeline: Pipeline, run_job: RunJob) -> None:
    pipeline.store.put_users([silent_user(number, days=20 * number) for number in range(1, 12)], NOW)
    run_job("refresh_engagement")
    pipeline.store.put_users([silent_user(number, days=7 * number) for number in range(1, 5)], NOW)
    run_job("react_to_changes")
    # Once more, as the e-mails of the first reaction are themselves part of what is decided on.
    run_job("react_to_changes")
    with pipeline.warehouse(read_only=True) as con:
        reacted = con.execute("SELECT user_id, band FROM engagement_scores ORDER BY 1").fetchall()
        decided = con.execute("SELECT user_id, decision, reason FROM at_risk_cohorts ORDER BY 1").fetchall()
    run_job("refresh_engagement")
    with pipeline.warehouse(read_only=True) as con:
        assert con.execute("SELECT user_id, band FROM engagement_scores ORDER BY 1").fetchall() == reacted
        again = con.execute("SELECT user_id, decision, reason FROM at_risk_cohorts ORDER BY 1").fetchall()
    assert again == decided


def test_a_run_that_fails_half_way_is_made_good_by_the_next(
    pipeline: Pipeline, run_job: RunJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline.store.put_users([silent_user(1)], NOW)
    with monkeypatch.context() as patch:
        patch.setattr(pipeline, "send", lambda _listener: (_ for _ in ()).throw(OSError("the disk is full")))
        assert not run_job("react_to_changes").success
    assert outbox(pipeline) == set()
    assert run_job("react_to_changes").success
    assert len(outbox(pipeline)) == 1


def test_a_sending_run_says_how_it_gets_on_and_what_it_did(
    pipeline: Pipeline, run_job: RunJob, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(emails, "LOG_EVERY_SECONDS", 0.0)
    pipeline.store.put_users([silent_user(number) for number in range(1, 31)], NOW)
    run_job("refresh_engagement")
    result = run_job("send_emails")
    lines = [
        record.user_message for record in instance.all_logs(result.run_id) if record.step_key == "email_deliveries.send"
    ]
    assert [line for line in lines if line.startswith("sent 30, skipped 0, failed 0, unknown 0, waiting 0")]
    [event] = [
        event
        for event in result.get_asset_materialization_events()
        if event.asset_key == dg.AssetKey("email_deliveries")
    ]
    metadata = event.materialization.metadata
    assert (metadata["this_run_sent"].value, metadata["this_run_waiting"].value) == (30, 0)


def test_when_too_much_bounces_the_run_that_notices_fails_and_later_ones_pass_over_sending(
    pipeline: Pipeline, run_job: RunJob
) -> None:
    add_sent(pipeline.database, 200, NOW, "bounced")
    pipeline.store.put_users([silent_user(1)], NOW)
    result = run_job("react_to_changes")
    assert not result.success
    assert "200 bounced for good" in str(result.failure_data_for_node("email_deliveries"))
    # Scoring and deciding go on; the e-mail waits.
    pipeline.store.put_users([silent_user(2)], NOW)
    assert run_job("react_to_changes").success
    assert outbox(pipeline) == set()
    with pipeline.database.write() as connection:
        breaker.reset(connection, NOW + timedelta(seconds=1))
    assert run_job("react_to_changes").success
    assert len(outbox(pipeline)) == 2


def test_the_next_email_comes_after_the_cool_down(pipeline: Pipeline, run_job: RunJob, clock: Clock) -> None:
    pipeline.store.put_users([silent_user(1)], NOW)
    sent_on = []
    for day in range(0, 120, 14):
        clock.moment = NOW + timedelta(days=day)
        before = outbox(pipeline)
        run_job("refresh_engagement")
        run_job("send_emails")
        if outbox(pipeline) != before:
            sent_on.append(day)
    assert sent_on == [0, 28, 56]


def test_checks_hold_on_a_refresh(pipeline: Pipeline, run_job: RunJob) -> None:
    pipeline.store.put_users([silent_user(number, days=5 * number) for number in range(1, 40)], NOW)
    evaluations = [
        evaluation
        for job in ("refresh_engagement", "send_emails")
        for evaluation in run_job(job).get_asset_check_evaluations()
    ]
    assert len(evaluations) >= 15
    assert [evaluation.check_name for evaluation in evaluations if not evaluation.passed] == []


def test_a_broken_table_fails_its_check(pipeline: Pipeline, run_job: RunJob) -> None:
    pipeline.store.put_users([silent_user(1)], NOW)
    run_job("refresh_engagement")
    with pipeline.warehouse() as con:
        con.execute("INSERT INTO raw_users SELECT * FROM raw_users")
    failed = {
        (evaluation.asset_key.to_user_string(), evaluation.check_name)
        for evaluation in run_job("refresh_engagement").get_asset_check_evaluations()
        if not evaluation.passed
    }
    assert ("raw_users", "unique_ids") in failed


def test_no_address_or_name_in_metadata_or_logs(
    pipeline: Pipeline, run_job: RunJob, instance: dg.DagsterInstance, capfd: pytest.CaptureFixture[str]
) -> None:
    pipeline.store.put_users([silent_user(number) for number in range(3)], NOW)
    texts = []
    for job in ("refresh_engagement", "send_emails"):
        result = run_job(job)
        texts += [str(record) for record in instance.all_logs(result.run_id)]
    shown = json.dumps(texts) + "".join(capfd.readouterr())
    with pipeline.database.read() as connection:
        copies = connection.exec_driver_sql("SELECT copy FROM emails").fetchall()
    for text in (shown, str(copies), pipeline.settings.warehouse_path.read_bytes().decode("latin-1")):
        assert "@example.com" not in text
        assert "Userson" not in text
        assert "Silent1" not in text


def test_every_asset_says_what_it_is(pipeline: Pipeline) -> None:
    for spec in build_defs(pipeline.settings).resolve_all_asset_specs():
        name = spec.key.to_user_string()
        assert spec.description, name
        assert spec.group_name != "default", name
        assert spec.owners, name
        assert spec.kinds, name
        assert spec.code_version or name == "change_log", name


# Texts for people to read, no table.
REPORT = dg.AssetKey("copy_report")


def test_every_table_shows_rows_and_columns(pipeline: Pipeline, run_job: RunJob) -> None:
    pipeline.store.put_users([silent_user(1)], NOW)
    for job in ("refresh_engagement", "send_emails"):
        for event in run_job(job).get_asset_materialization_events():
            if event.asset_key == REPORT:
                continue
            metadata = event.materialization.metadata
            assert "dagster/row_count" in metadata, event.asset_key
            schema = metadata["dagster/column_schema"].value
            assert isinstance(schema, dg.TableSchema)
            assert [column.name for column in schema.columns if not column.description] == [], event.asset_key


def test_jobs_have_descriptions() -> None:
    assert [job.name for job in ALL_JOBS if not job.description] == []


def claim_all(pipeline: Pipeline, worker: str) -> None:
    campaign = pipeline.settings.campaign
    pipeline.ledger.queue(campaign, NOW)
    assert pipeline.ledger.lease(campaign, NOW, 10, None, worker, timedelta(minutes=5))


def test_a_reaction_does_not_wait_for_a_campaign_that_is_being_sent(pipeline: Pipeline, run_job: RunJob) -> None:
    pipeline.store.put_users([silent_user(1)], NOW)
    assert run_job("refresh_engagement").success
    claim_all(pipeline, new_worker())
    pipeline.store.put_users([silent_user(2)], NOW)
    assert run_job("react_to_changes").success
    assert outbox(pipeline) == set()
    assert pipeline.ledger.count_by_status(pipeline.settings.campaign) == {"queued": 2}, "for the run that sends"
