"""The users of `benchmarks.scoring`, what DuckDB needs at the least, and this project's own run."""

import time
from datetime import datetime, timezone
from pathlib import Path

from engagement_pipeline.cohorts import gate
from engagement_pipeline.platform.settings_groups import GateSettings, ScoringSettings
from engagement_pipeline.platform.warehouse import connect, transaction
from engagement_pipeline.scoring import population
from engagement_pipeline.scoring.scores import rescore
from engagement_pipeline.users import mirror

NOW = datetime(2026, 3, 2, 6, 0, tzinfo=timezone.utc)
TODAY = NOW.date()
SCORING = ScoringSettings()
GATE = GateSettings()
KEY = "benchmark"
CHANGED = 100_000

COLUMNS = (
    "user_id, address_key, consent, order_days, average_order_value, first_order_at, last_order_at, last_email_at,"
    " last_touch_at, touches_since_order, steps, changed_seq"
)

# What a shop looks like: half ordered once, few often; some were written to lately; one address in a thousand is
# two users'. As in the real sample (CDNOW: 5,954 of 23,570 users have been silent for 30 to 365 days and are below 50;
# 92 % agreed to be written to), a quarter of the users have been silent for as long as the gate asks for.
_USERS = """
    INSERT INTO raw_users BY NAME
    SELECT
        'user-' || i AS user_id,
        SHA256(CAST(CASE WHEN i % 1000 = 0 THEN i + 1 ELSE i END AS VARCHAR)) AS address_key,
        ['women', 'shoes'] AS preferred_categories,
        r1 % 100 < 92 AS consent,
        'Europe/Berlin' AS time_zone,
        days AS order_count,
        days AS order_days,
        CAST(r2 % 20000 AS DOUBLE) / 100 AS average_order_value,
        CASE WHEN days > 0 THEN last - TO_DAYS(CAST((days - 1) * (r2 % 60) AS INTEGER)) END AS first_order_at,
        CASE WHEN days > 0 THEN last END AS last_order_at,
        CASE WHEN r4 % 10 = 0 THEN TIMESTAMP '2026-03-02' - TO_MINUTES(CAST(r4 % 200000 AS INTEGER)) END
            AS last_email_at,
        last_email_at AS last_touch_at,
        CASE WHEN last_email_at > last THEN 1 ELSE 0 END AS touches_since_order,
        CASE WHEN last_email_at IS NULL THEN 0 ELSE 1 END AS steps,
        TIMESTAMP '2024-01-01' AS created_at,
        TIMESTAMP '2026-03-01' AS updated_at,
        i AS changed_seq
    FROM (
        SELECT
            i, HASH(i + 1) AS r1, HASH(i + 2) AS r2, HASH(i + 4) AS r4,
            CASE
                WHEN HASH(i + 6) % 20 = 0 THEN 0
                ELSE CAST(FLOOR(1 / (0.02 + 0.98 * (HASH(i + 5) % 10000) / 10000)) AS INTEGER)
            END AS days,
            -- Somewhere in the last year, or in the one before.
            TIMESTAMP '2026-03-02' - TO_MINUTES(
                CAST(HASH(i + 3) % 525600 + CASE WHEN HASH(i + 7) % 100 < 30 THEN 0 ELSE 525600 END AS INTEGER)
            ) AS last
        FROM RANGE($users) AS numbers (i)
    )
"""


def prepare(folder: Path, users: int, memory: str, *, parquet: bool) -> None:
    """Write the users: as a warehouse, and for those who cannot read that as Parquet."""
    with connect(folder / "warehouse.duckdb", memory_limit=memory) as con:
        mirror.ensure_tables(con)
        gate.ensure_tables(con)
        con.execute(_USERS, {"users": users})
        if parquet:
            # As wide as what they need, and no wider.
            con.execute(f"COPY (SELECT {COLUMNS} FROM raw_users) TO $path", {"path": str(folder / "users.parquet")})


def ours(folder: Path, memory: str) -> tuple[float, int]:
    """The daily run: everybody scored and decided on, into tables that exist."""
    with connect(folder / "warehouse.duckdb", memory_limit=memory) as con:
        started = time.perf_counter()
        rescore(con, TODAY, SCORING, full=True, now=NOW)
        report = gate.decide(con, NOW, GATE, SCORING, KEY, full=True)
        return time.perf_counter() - started, report.below


def ours_scores(folder: Path, memory: str) -> tuple[float, None]:
    """The first half of it."""
    with connect(folder / "warehouse.duckdb", memory_limit=memory) as con:
        started = time.perf_counter()
        rescore(con, TODAY, SCORING, full=True, now=NOW)
        return time.perf_counter() - started, None


def ours_changed(folder: Path, memory: str) -> tuple[float, None]:
    """Only users who changed, rescored in the table of all."""
    with connect(folder / "warehouse.duckdb", memory_limit=memory) as con:
        rescore(con, TODAY, SCORING, full=False, now=NOW)
        # Anywhere in the table, as it happens: rows are changed by deleting and inserting them.
        con.execute(f"CREATE TEMP TABLE touched AS FROM raw_users USING SAMPLE {CHANGED} ROWS")
        con.execute(
            "UPDATE touched SET last_order_at = $now, changed_seq = 1 + (SELECT MAX(changed_seq) FROM raw_users)",
            {"now": NOW.replace(tzinfo=None)},
        )
        con.execute("DELETE FROM raw_users WHERE user_id IN (SELECT user_id FROM touched)")
        con.execute("INSERT INTO raw_users FROM touched")
        con.execute("DROP TABLE touched")
        # What writing the changed users leaves to be tidied up is not the scoring's to pay.
        con.execute("CHECKPOINT")
        started = time.perf_counter()
        report = rescore(con, TODAY, SCORING, full=False, now=NOW)
        seconds = time.perf_counter() - started
    if report.rescored != CHANGED:
        raise RuntimeError(f"{report.rescored} users were rescored instead of {CHANGED}")
    return seconds, None


def floor(folder: Path, memory: str) -> tuple[float, int]:
    """Nothing but reading the columns of both halves and writing both tables."""
    return _floor(folder, memory, [_SCORES, _COHORTS])


def floor_scores(folder: Path, memory: str) -> tuple[float, None]:
    """Nothing but reading the columns of the first half and writing its table."""
    return _floor(folder, memory, [_SCORES])[0], None


def _floor(folder: Path, memory: str, statements: list[str]) -> tuple[float, int]:
    """Run the statements in a schema with tables like ours; return the seconds and the rows written last."""
    with connect(folder / "warehouse.duckdb", memory_limit=memory) as con:
        con.execute("CREATE SCHEMA floor")
        con.execute("USE floor")
        population.ensure_tables(con)
        gate.ensure_tables(con)
        started = time.perf_counter()
        with transaction(con):
            written = [con.execute(statement).fetchall() for statement in statements]
        seconds = time.perf_counter() - started
        con.execute("USE main")
        con.execute("DROP SCHEMA floor CASCADE")
    return seconds, written[-1][0][0]


# The conditions are true of every row, or of as many as are at risk, but DuckDB has to read the columns to know.
_SCORES = """
    INSERT INTO engagement_scores BY NAME
    SELECT
        user_id, average_order_value AS score, CASE WHEN order_days > 1 THEN 'at_risk' ELSE 'critical' END AS band,
        DATE '2026-03-02' AS as_of, order_days, order_days + 1 AS days_since_last_order, average_order_value,
        changed_seq, 1::BIGINT AS revision
    FROM main.raw_users
    WHERE
        (last_order_at IS NULL OR last_order_at > TIMESTAMP '1900-01-01')
        AND (first_order_at IS NULL OR first_order_at > TIMESTAMP '1900-01-01')
        AND (last_email_at IS NULL OR last_email_at > TIMESTAMP '1900-01-01')
"""

_COHORTS = """
    INSERT INTO at_risk_cohorts BY NAME
    SELECT
        user_id, average_order_value AS score, CASE WHEN order_days > 1 THEN 'at_risk' ELSE 'critical' END AS band,
        CASE WHEN consent THEN 'mail' ELSE 'skip' END AS decision,
        CASE WHEN order_days > 1 THEN 'silence_too_long' ELSE 'no_consent' END AS reason,
        average_order_value AS value_at_risk, steps AS step, DATE '2026-03-02' AS as_of,
        TIMESTAMP '2026-03-02' AS decided_at, changed_seq
    FROM main.raw_users
    WHERE
        order_days < 20 AND address_key > '' AND touches_since_order >= 0
        AND (last_order_at IS NULL OR last_order_at > TIMESTAMP '1900-01-01')
        AND (last_email_at IS NULL OR last_email_at > TIMESTAMP '1900-01-01')
        AND (last_touch_at IS NULL OR last_touch_at > TIMESTAMP '1900-01-01')
"""
