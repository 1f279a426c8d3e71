"""What a run tells of the copy, what waits for a person, and how it goes on from there."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from engagement_pipeline.copywriting.approvals import Approval
from engagement_pipeline.copywriting.text import is_visible
from engagement_pipeline.definitions import build_defs
from engagement_pipeline.defs import schedules
from engagement_pipeline.defs.assets.copy import side_by_side
from engagement_pipeline.delivery import approving
from engagement_pipeline.delivery.copy_report import CopyReport, Sample, VariantReport
from engagement_pipeline.pipeline import Pipeline
from engagement_pipeline.platform.settings_groups import CopywritingSettings
from engagement_pipeline_tests.conftest import NOW
from engagement_pipeline_tests.defs.conftest import RunJob, silent_user
from engagement_pipeline_tests.defs.test_schedules import tick
from engagement_pipeline_tests.delivery.parts import COPY
from engagement_pipeline_tests.model_server import ModelServer, reply, truncated


def changed(pipeline: Pipeline, **changes: object) -> Pipeline:
    return Pipeline(pipeline.settings.model_copy(update=changes), pipeline.now)


def run(pipeline: Pipeline, instance: dg.DagsterInstance, job: str = "refresh_engagement") -> dg.ExecuteInProcessResult:
    defs = build_defs(pipeline.settings, {"pipeline": pipeline})
    return defs.resolve_job_def(job).execute_in_process(instance=instance)


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """An instance in a folder, which schedules can find again."""
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        yield instance


def told(result: dg.ExecuteInProcessResult) -> dict[str, Any]:
    [event] = result.asset_materializations_for_node("copy_report")
    return {name: value.value for name, value in event.metadata.items()}


def fell_back(result: dg.ExecuteInProcessResult) -> dg.AssetCheckEvaluation:
    [evaluation] = [each for each in result.get_asset_check_evaluations() if each.check_name == "little_falls_back"]
    return evaluation


@pytest.fixture
def careful(pipeline: Pipeline) -> Iterator[Pipeline]:
    pipeline = changed(pipeline, needs_approval=True)
    yield pipeline
    pipeline.database.close()


def test_drafts_wait_for_a_person_and_go_once_approved(careful: Pipeline, instance: dg.DagsterInstance) -> None:
    careful.store.put_users([silent_user(number) for number in range(6)], NOW)
    report = told(run(careful, instance))
    assert (report["verdict"], report["unapproved"], report["emails"]) == ("undecided", 6, 6)
    assert "engagement copy approve" in report["how_to_go_on"]
    assert (report["share_fallen_back"], report["cost_usd"]) == (0, 0)
    for job in ("send_emails", "react_to_changes"):
        assert run(careful, instance, job).success
    assert careful.ledger.count_by_status(careful.settings.campaign) == {"draft": 6}
    assert tick(schedules.sending_hours, careful, instance) == (
        0,
        f"no e-mail is due that may be sent; {approving.in_words(6)}",
    )
    careful.ledger.decide(Approval(careful.settings.campaign, careful.edition, "approved", "Ada", "", NOW))
    assert tick(schedules.sending_hours, careful, instance) == (1, None)
    run(careful, instance, "send_emails")
    assert careful.ledger.count_by_status(careful.settings.campaign) == {"delivered": 6}
    report = told(run(careful, instance))
    assert (report["verdict"], report["unapproved"]) == ("approved", 0)


def test_what_was_rejected_is_written_anew_in_other_words(careful: Pipeline, instance: dg.DagsterInstance) -> None:
    careful.store.put_users([silent_user(number) for number in range(3)], NOW)
    run(careful, instance)
    rejected = Approval(careful.settings.campaign, careful.edition, "rejected", "Ada", "too stiff", NOW)
    assert approving.decide(careful.database, careful.ledger, rejected).closed == 3
    report = told(run(careful, instance))
    assert (report["verdict"], report["unapproved"], report["emails"]) == ("rejected", 0, 3)
    assert careful.ledger.count_by_status(careful.settings.campaign) == {"skipped": 3}
    other = changed(careful)
    other.__dict__["brand"] = careful.brand.model_copy(update={"signature": "Your friends"})
    assert other.edition != careful.edition
    report = told(run(other, instance))
    assert (report["verdict"], report["unapproved"]) == ("undecided", 3)
    other.database.close()


def test_nothing_in_the_report_tells_who_is_written_to(pipeline: Pipeline, run_job: RunJob) -> None:
    users = [silent_user(number) for number in range(10)]
    pipeline.store.put_users(users, NOW)
    shown = str(told(run_job("refresh_engagement")))
    assert "{{first_name}}" not in shown
    assert "first&#95;name" in shown
    for user in users:
        assert str(user.email) not in shown
        assert str(user.name) not in shown
        assert user.user_id not in shown


@pytest.mark.integration
def test_too_many_that_fall_back_are_warned_of(
    pipeline: Pipeline, instance: dg.DagsterInstance, model_server: ModelServer
) -> None:
    settings = CopywritingSettings(concurrency=1, texts_per_brief=1)
    with_model = changed(pipeline, openai_base_url=model_server.base_url, copywriting=settings)
    model_server.say(truncated(2), reply(times=None))
    with_model.store.put_users([silent_user(number) for number in range(30)], NOW)
    result = run(with_model, instance)
    report, check = told(result), fell_back(result)
    counts = model_server.counts()
    # One of two briefs was failed at: about half of the users.
    assert 0.2 < report["share_fallen_back"] < 0.8
    assert not check.passed
    assert check.severity == dg.AssetCheckSeverity.WARN
    assert check.metadata["failure_truncated"].value == check.metadata["fallen_back"].value
    cost = (counts.input_tokens * 0.4 + counts.output_tokens * 1.6) / 1e6
    assert report["cost_usd"] == pytest.approx(cost, abs=1e-6)
    assert report["cost_usd_per_thousand_emails"] == pytest.approx(cost / 30 * 1_000, abs=1e-4)
    assert (report["emails"], report["texts"]) == (30, 2)
    with_model.database.close()


def test_few_that_fall_back_pass(pipeline: Pipeline, run_job: RunJob) -> None:
    pipeline.store.put_users([silent_user(1)], NOW)
    assert fell_back(run_job("refresh_engagement")).passed


def test_samples_cannot_break_their_table() -> None:
    hostile = "a | b\\ <img src=x> `c` _d_ *e* [f](g) & # ~h~ {{first_name}}"
    copy = COPY.model_dump(mode="json") | {"subject": hostile, "paragraphs": [hostile, hostile]}
    samples = (Sample(copy, "openai", ("figure",), 2), Sample(copy, "openai", (), 1))
    short = VariantReport("idea", {"openai": 2}, samples[:1])
    table = side_by_side(CopyReport("e", variants=(VariantReport("no_te", {"openai": 3}, samples), short)))
    lines = table.splitlines()
    assert len(lines) == 4
    assert all(line.count("|") == 3 and is_visible(line) for line in lines)
    assert "<img" not in table
    assert "](" not in table
