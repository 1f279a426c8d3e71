"""The hold-out: a random, persistent share of addresses."""

from collections.abc import Iterator

import duckdb
import pytest

from engagement_pipeline.cohorts.gate import decide
from engagement_pipeline.platform import warehouse
from engagement_pipeline.platform.settings_groups import GateSettings, ScoringSettings
from engagement_pipeline_tests.cohorts.builders import NOW, ago, eligible, put

USERS = [eligible(f"u{number:05}") for number in range(20_000)]


@pytest.fixture(scope="module")
def many() -> Iterator[duckdb.DuckDBPyConnection]:
    with warehouse.connect(":memory:") as con:
        put(con, USERS)
        yield con


def held_out(con: duckdb.DuckDBPyConnection, share: float, key: str = "a key") -> set[str]:
    decide(con, NOW, GateSettings(hold_out_share=share), ScoringSettings(), key, full=True)
    rows = con.execute("SELECT user_id FROM at_risk_cohorts WHERE decision = 'hold_out'").fetchall()
    return {row[0] for row in rows}


def test_the_share_is_the_one_set(many: duckdb.DuckDBPyConnection) -> None:
    shares = {share: len(held_out(many, share)) / len(USERS) for share in (0, 0.02, 0.1, 0.5)}
    # Four standard errors of a share of 20,000 draws.
    assert all(abs(measured - share) <= 4 * (share * (1 - share) / 20_000) ** 0.5 for share, measured in shares.items())


def test_a_larger_share_keeps_who_is_held_out(many: duckdb.DuckDBPyConnection) -> None:
    assert held_out(many, 0.05) < held_out(many, 0.1)


def test_it_is_the_same_every_time_and_another_with_another_key(many: duckdb.DuckDBPyConnection) -> None:
    first = held_out(many, 0.1)
    assert held_out(many, 0.1) == first
    other = held_out(many, 0.1, "another key")
    # Two independent tenths share a hundredth of the users.
    assert len(first & other) == pytest.approx(200, abs=60)


def test_users_with_one_address_land_together(con: duckdb.DuckDBPyConnection) -> None:
    def arms(day: float) -> dict[str, str]:
        # The better-placed of each pair is silent for too long on the second day, so that the other is chosen.
        rows = []
        for number in range(300):
            address = f"shared-{number}"
            rows.append(eligible(f"a{number}", address_key=address, last_order_at=ago(day), average_order_value=90.0))
            rows.append(eligible(f"b{number}", address_key=address))
        put(con, rows)
        decide(con, NOW, GateSettings(hold_out_share=0.3), ScoringSettings(), "a key", full=True)
        chosen = con.execute(
            "SELECT address_key, decision FROM at_risk_cohorts JOIN raw_users USING (user_id) WHERE decision <> 'skip'"
        ).fetchall()
        assert len(chosen) == 300
        return dict(chosen)

    first = arms(90)
    assert set(first.values()) == {"mail", "hold_out"}
    assert arms(400) == first
