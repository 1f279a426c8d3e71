"""The published figures as they are read: whole, with their age, and as nothing where there is nothing."""

from collections.abc import Callable
from datetime import timedelta

import duckdb
import pytest
import sqlalchemy as sa

from engagement_pipeline.effectiveness import measure
from engagement_pipeline.metrics.compute import publish_metrics
from engagement_pipeline.metrics.models import (
    BandCounts,
    Effectiveness,
    EmailStatus,
    Figures,
    Funnel,
    ScoreDistribution,
    UsersByBand,
)
from engagement_pipeline.platform import published
from engagement_pipeline.platform.settings import Settings
from engagement_pipeline.platform.sql import Database
from engagement_pipeline.platform.warehouse import insert_rows
from engagement_pipeline.web.queries import metrics
from engagement_pipeline_tests.conftest import NOW

SETTINGS = Settings()
LATER = NOW + timedelta(minutes=5)
READERS: dict[type[Figures], Callable[[sa.Connection], Figures]] = {
    UsersByBand: metrics.users_by_band,
    ScoreDistribution: metrics.score_distribution,
    Funnel: metrics.funnel,
    EmailStatus: metrics.email_status,
    Effectiveness: metrics.effectiveness,
}


def publish(con: duckdb.DuckDBPyConnection, database: Database) -> None:
    """Publish everything, and a little later, as a reaction does, what is cheap."""
    measure.ensure_tables(con)
    decided_at = (NOW - timedelta(days=40)).replace(tzinfo=None)
    row = {"campaign": "win-back", "status": "sent", "variant": "plain", "band": "critical", "decided_at": decided_at}
    insert_rows(con, "email_deliveries", [{**row, "email_id": "e1", "user_id": "a", "address_key": "k"}])
    measure.measure(con, NOW, 28)
    publish_metrics(con, database, SETTINGS, NOW, full=True)
    insert_rows(con, "engagement_scores", [{"user_id": "a", "score": 12.0, "band": "critical", "as_of": NOW.date()}])
    publish_metrics(con, database, SETTINGS, LATER, full=False)


def test_all_that_is_published_can_be_read(con: duckdb.DuckDBPyConnection, database: Database) -> None:
    publish(con, database)
    with database.read() as connection:
        found = {kind: read(connection) for kind, read in READERS.items()}
        whole = metrics.overview(connection)
    assert whole.users_by_band == found[UsersByBand]
    assert whole.users_by_band.computed_at == LATER
    assert whole.users_by_band.today == BandCounts(critical=1)
    assert whole.score_distribution == found[ScoreDistribution]
    assert whole.score_distribution.bins[6] == 1
    assert whole.funnel == found[Funnel]
    assert (whole.funnel.computed_at, whole.funnel.steps[0].users) == (NOW, 1)
    assert whole.email_status == found[EmailStatus]
    effects = found[Effectiveness]
    assert isinstance(effects, Effectiveness)
    assert whole.effectiveness == effects
    of_campaign = effects.of_campaign("win-back")
    assert of_campaign is not None
    assert of_campaign.sentence.startswith("Not enough data yet")
    assert effects.of_campaign("another") is None
    assert whole.computed_at == NOW, "the oldest part"


def test_before_the_first_run_there_is_an_answer_too(database: Database) -> None:
    with database.read() as connection:
        assert metrics.overview(connection) == metrics.Overview()
        for kind, read in READERS.items():
            assert read(connection) == kind()


@pytest.mark.parametrize("payload", [[], None, "text", {"today": {"critical": "many"}}])
def test_what_another_version_published_counts_as_not_computed(database: Database, payload: object) -> None:
    with database.write() as connection:
        published.put(connection, {"users_by_band": payload}, NOW)
    with database.read() as connection:
        assert metrics.users_by_band(connection) == UsersByBand()
