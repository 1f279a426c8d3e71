"""A thousand users through all rooms, with a provider that refuses, fails and cuts answers off."""

from pathlib import Path

import duckdb
import pytest
import sqlalchemy as sa

from engagement_pipeline.cohorts.gate import decide
from engagement_pipeline.copywriting.brief import Brief
from engagement_pipeline.copywriting.copy import Copy
from engagement_pipeline.copywriting.tables import copy_texts
from engagement_pipeline.copywriting.validation import validate
from engagement_pipeline.delivery.drafts import DraftReport, write_drafts
from engagement_pipeline.platform.settings import Settings
from engagement_pipeline.platform.settings_groups import GateSettings, ScoringSettings
from engagement_pipeline.platform.sql import Database
from engagement_pipeline.scoring.scores import rescore
from engagement_pipeline.users.mirror import pull
from engagement_pipeline_tests.batch_endpoints import LINE
from engagement_pipeline_tests.conftest import NOW
from engagement_pipeline_tests.copywriting.openai.parts import BRAND, hobby, writer
from engagement_pipeline_tests.copywriting.samples import brief
from engagement_pipeline_tests.delivery.parts import SECRET, Parts, silent_user
from engagement_pipeline_tests.model_server import ModelServer, failure, reply, running_model_server, truncated

pytestmark = pytest.mark.integration

USERS = 1_000


@pytest.mark.parametrize("database", ["sqlite", pytest.param("postgresql", marks=pytest.mark.soak)], indirect=True)
def test_a_thousand_users_get_a_valid_draft_each_and_every_token_is_counted(
    tmp_path: Path, con: duckdb.DuckDBPyConnection, database: Database
) -> None:
    parts = Parts(database)
    parts.add_users([silent_user(number, preferred_categories=(hobby(number),)) for number in range(USERS)], NOW)
    pull(con, database)
    rescore(con, NOW.date(), ScoringSettings(), full=True, now=NOW)
    decide(con, NOW, GateSettings(hold_out_share=0), ScoringSettings(), SECRET, full=True)

    with running_model_server(tmp_path / "log", error_rates={429: 0.2, 500: 0.1}) as server:
        server.say(*[part for _ in range(150) for part in (reply(times=9), truncated())], reply(times=None))
        copywriter = writer(server.base_url, database, batch_above=None)
        report = write_drafts(con, parts.ledger, copywriter, BRAND, Settings(), NOW, full=True)
        counts = server.counts()

        rows = parts.rows()
        assert (report.written, report.postponed, len(rows)) == (USERS, 0, USERS)
        # The provider did what this test is about.
        assert counts.statuses[429] > 150
        assert counts.statuses[500] > 70
        assert counts.answers > USERS + 50

        for row in rows.values():
            about = _brief_of(row)
            assert validate(Copy.model_validate(row.copy), about, BRAND) == []
            assert row.provenance["fingerprint"] == about.fingerprint
        by_template = [row for row in rows.values() if row.copywriter == "template"]
        assert len(by_template) == report.replaced < USERS / 10
        assert all(row.provenance["failures"] == ["truncated"] for row in by_template)
        assert report.failures == ({"truncated": len(by_template)} if by_template else {})

        # Nothing was generated twice: no question has two answers.
        assert set(counts.answers_by_prompt.values()) == {1}
        with database.read() as connection:
            assert connection.execute(sa.select(sa.func.count()).select_from(copy_texts)).scalar_one() == USERS

        # What the run says it cost is what the server has counted, and what stands with the drafts.
        spent = report.spent
        server_cost = (counts.input_tokens * 0.40 + counts.output_tokens * 1.60) / 1_000_000
        assert (spent.input_tokens, spent.output_tokens) == (counts.input_tokens, counts.output_tokens)
        assert spent.cost_usd == pytest.approx(server_cost)
        assert sum(row.provenance["cost_usd"] for row in rows.values()) == pytest.approx(server_cost)

        # A run that comes again finds everything there.
        again = write_drafts(con, parts.ledger, writer(server.base_url, database), BRAND, Settings(), NOW, full=True)
        assert (again.written, again.existing, again.spent.answers) == (0, USERS, 0)
        assert server.counts().answers == counts.answers


@pytest.mark.parametrize("database", ["sqlite", pytest.param("postgresql", marks=pytest.mark.soak)], indirect=True)
def test_in_batches_everybody_gets_a_valid_draft_as_well_and_every_token_is_counted(
    con: duckdb.DuckDBPyConnection, database: Database, model_server: ModelServer
) -> None:
    parts = Parts(database)
    parts.add_users([silent_user(number, preferred_categories=(hobby(number),)) for number in range(300)], NOW)
    pull(con, database)
    rescore(con, NOW.date(), ScoringSettings(), full=True, now=NOW)
    decide(con, NOW, GateSettings(hold_out_share=0.2), ScoringSettings(), SECRET, full=True)
    faults = (truncated(path=LINE), failure(500, path=LINE), reply("No.", path=LINE))
    model_server.say(*[part for _ in range(10) for part in (reply(times=9, path=LINE), *faults)])
    model_server.say(truncated(3), reply(times=None))
    model_server.batches_go(ends="expired", answered=180)

    def run() -> DraftReport:
        copywriter = writer(model_server.base_url, database, batch_above=100)
        return write_drafts(con, parts.ledger, copywriter, BRAND, Settings(), NOW, full=True)

    first, second, third = run(), run(), run()
    assert first.written == first.spent.answers == 0
    # No two briefs are equal: of those held out, only the first, before whom nobody waits, can be recorded at once.
    assert first.postponed == second.written + second.held_out
    assert (second.postponed, first.held_out + second.held_out + second.written) == (0, 300)
    assert (third.written, third.held_out, third.spent.answers) == (0, 0, 0)

    mailed = [row for row in parts.rows().values() if row.status == "draft"]
    assert len(mailed) == second.written
    for row in mailed:
        assert validate(Copy.model_validate(row.copy), _brief_of(row), BRAND) == []
    counts = model_server.counts()
    assert counts.batch_answers > 150
    assert counts.statuses[200] > 50
    assert set(counts.answers_by_prompt.values()) == {1}
    spent = second.spent
    assert (spent.input_tokens, spent.output_tokens) == (counts.input_tokens, counts.output_tokens)
    assert spent.cost_usd == pytest.approx(counts.cost())
    assert sum(row.provenance["cost_usd"] for row in mailed) == pytest.approx(counts.cost())


def _brief_of(row: "sa.Row[tuple[object, ...]]") -> Brief:
    return brief(
        history="one_order",
        categories=(),
        other_interests=(hobby(int(row.user_id[1:])),),
        variant=row.variant,
    )
