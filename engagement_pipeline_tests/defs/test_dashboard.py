"""What the jobs leave for the API and the dashboard to read."""

from datetime import timedelta

import dagster as dg

from engagement_pipeline.pipeline import Pipeline
from engagement_pipeline.web.queries import metrics
from engagement_pipeline.web.queries.metrics import Overview
from engagement_pipeline_tests.conftest import NOW
from engagement_pipeline_tests.defs.conftest import Clock, RunJob, silent_user


def overview(pipeline: Pipeline) -> Overview:
    with pipeline.database.read() as connection:
        return metrics.overview(connection)


def steps(found: Overview) -> list[int]:
    return [step.users for step in found.funnel.steps]


def test_the_daily_run_and_sending_publish_everything(pipeline: Pipeline, run_job: RunJob, clock: Clock) -> None:
    pipeline.store.put_users([silent_user(1), silent_user(2), silent_user(3, days=3, orders=20)], NOW)
    result = run_job("refresh_engagement")
    assert result.success
    found = overview(pipeline)
    assert found.computed_at == NOW
    assert found.users_by_band.as_of == NOW.date()
    assert sum(found.users_by_band.today.model_dump().values()) == sum(found.score_distribution.bins) == 3
    assert steps(found) == [2, 2, 0, 0, 0, 0]
    assert [(each.after, each.reason, each.users) for each in found.funnel.left_out] == [("eligible", "waiting", 2)]
    clock.moment += timedelta(minutes=1)
    assert run_job("send_emails").success
    found = overview(pipeline)
    assert found.computed_at == clock.moment
    assert steps(found) == [2, 2, 2, 2, 0, 0]
    assert [(each.status, each.emails) for each in found.email_status.counts] == [("delivered", 2)]
    effect = found.effectiveness.of_campaign(pipeline.settings.campaign)
    assert effect is not None
    assert (effect.sent, effect.status) == (2, "not_enough_data")
    [event] = [
        event
        for event in result.get_asset_materialization_events()
        if event.asset_key == dg.AssetKey("published_metrics")
    ]
    assert "| below | 2 |" in str(event.materialization.metadata["from_risk_to_order"].value)


def test_a_reaction_publishes_what_is_cheap(pipeline: Pipeline, run_job: RunJob, clock: Clock) -> None:
    pipeline.store.put_users([silent_user(1)], NOW)
    run_job("refresh_engagement")
    clock.moment += timedelta(minutes=1)
    pipeline.store.put_users([silent_user(2)], clock.moment)
    assert run_job("react_to_changes").success
    found = overview(pipeline)
    assert found.users_by_band.computed_at == clock.moment
    assert found.users_by_band.today.at_risk + found.users_by_band.today.critical == 2
    assert [(each.status, each.emails) for each in found.email_status.counts] == [("delivered", 2)]
    assert found.funnel.computed_at == NOW


def test_feedback_shows_at_once(pipeline: Pipeline, run_job: RunJob, clock: Clock) -> None:
    pipeline.store.put_users([silent_user(1)], NOW)
    run_job("react_to_changes")
    clock.moment += timedelta(minutes=1)
    assert run_job("collect_feedback").success
    assert overview(pipeline).email_status.computed_at == clock.moment
