"""What a run says about the copy that it wrote: by whom, why, and what it cost."""

from typing import Any

import dagster as dg
import pytest

from engagement_pipeline.definitions import build_defs
from engagement_pipeline.pipeline import Pipeline
from engagement_pipeline.platform.settings_groups import CopywritingSettings
from engagement_pipeline_tests.conftest import NOW
from engagement_pipeline_tests.defs.conftest import RunJob, silent_user
from engagement_pipeline_tests.model_server import ModelServer, reply, truncated


def metadata(result: dg.ExecuteInProcessResult) -> dict[str, Any]:
    assert result.success
    [event] = result.asset_materializations_for_node("generated_emails")
    return {name: value.value for name, value in event.metadata.items()}


def test_without_a_key_templates_write_and_the_run_says_so(pipeline: Pipeline, run_job: RunJob) -> None:
    pipeline.store.put_users([silent_user(1)], NOW)
    told = metadata(run_job("react_to_changes"))
    assert (told["drafts_written"], told["copywriter"]) == (1, "template")
    assert told["template_copy_because"].startswith("no key")
    assert (told["answers"], told["cost_usd"], told["cost_usd_per_thousand_drafts"]) == (0, 0.0, 0.0)


@pytest.mark.integration
def test_with_a_model_the_run_tells_what_it_cost_and_what_failed(
    pipeline: Pipeline, instance: dg.DagsterInstance, model_server: ModelServer
) -> None:
    # One in flight, so that it is known who is answered how.
    changes = {
        "openai_base_url": model_server.base_url,
        "copywriting": CopywritingSettings(concurrency=1, texts_per_brief=1),
    }
    with_model = Pipeline(pipeline.settings.model_copy(update=changes), pipeline.now)
    model_server.say(truncated(2), reply(times=None))
    with_model.store.put_users([silent_user(number) for number in range(30)], NOW)

    def run() -> dict[str, Any]:
        defs = build_defs(with_model.settings, {"pipeline": with_model})
        return metadata(defs.resolve_job_def("react_to_changes").execute_in_process(instance=instance))

    told = run()
    counts = model_server.counts()
    assert (told["drafts_written"], told["copywriter"], told["replaced_by_template"]) == (30, "openai", 1)
    assert "truncated" in told["replaced_because"]
    assert told["template_copy_because"] == "only where a text failed"
    assert told["answers"] == counts.answers == 3
    assert (told["input_tokens"], told["output_tokens"]) == (counts.input_tokens, counts.output_tokens)
    assert told["cost_usd"] == pytest.approx((counts.input_tokens * 0.4 + counts.output_tokens * 1.6) / 1e6, abs=1e-6)
    assert told["cost_usd_per_thousand_drafts"] == pytest.approx(told["cost_usd"] / 30 * 1_000, abs=1e-4)
    with_model.store.put_users([silent_user(number) for number in range(30, 40)], NOW)
    later = run()
    assert (later["drafts_written"], later["answers"], later["cost_usd"]) == (10, 0, 0.0)
    assert later["texts_reused"] == 2
    with_model.database.close()
