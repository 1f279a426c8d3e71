"""The daily history of scores, one partition per day, built from nothing but the orders before that day."""

from datetime import date

import duckdb

from engagement_pipeline.platform.settings_groups import ScoringSettings
from engagement_pipeline.platform.warehouse import transaction
from engagement_pipeline.scoring.formula import estimate_population, order_facts, parameters, scored
from engagement_pipeline.scoring.population import ensure_tables

RAW_ORDERS = "SELECT user_id, ordered_at, total_value, status FROM raw_orders"


def write_day(con: duckdb.DuckDBPyConnection, as_of: date, settings: ScoringSettings) -> int:
    """Replace the history's partition `as_of`, with the population as it was known on that day.

    Only orders of earlier days count, so that a day written late is equal to one written in time. For the same reason
    e-mails do not: the score in the history is the one that orders alone give.

    Returns:
        How many users had ordered before that day.
    """
    ensure_tables(con)
    con.execute(f"CREATE OR REPLACE TEMP TABLE day_facts AS {order_facts(RAW_ORDERS)}", {"before_day": as_of})
    facts = "SELECT * FROM day_facts"
    values = parameters(as_of, estimate_population(con, facts, settings), settings)
    with transaction(con):
        con.execute("DELETE FROM engagement_score_history WHERE as_of = ?", [as_of])
        query = f"SELECT CAST($as_of AS DATE), user_id, score, band FROM ({scored(facts)})"  # noqa: S608
        written = con.execute(f"INSERT INTO engagement_score_history {query}", values).fetchone()
        con.execute("DELETE FROM score_bands_by_day WHERE as_of = ?", [as_of])
        con.execute(
            "INSERT INTO score_bands_by_day SELECT as_of, band, COUNT(*) FROM engagement_score_history"
            " WHERE as_of = ? GROUP BY as_of, band",
            [as_of],
        )
    con.execute("DROP TABLE day_facts")
    return 0 if written is None else int(written[0])
