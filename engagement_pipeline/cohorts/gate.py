"""Decisions on everybody below the threshold, kept in `at_risk_cohorts`: all of them anew, or only those affected.

The rules are in `gate.sql` and `blocked_by_others.sql`; `recheck.py` applies the same files at the moment of sending.
"""

import re
from dataclasses import dataclass
from datetime import datetime

import duckdb

from engagement_pipeline.cohorts.rules import Parameters, blocked, crowded, gate_parameters, gated, utc_naive
from engagement_pipeline.platform.settings_groups import GateSettings, ScoringSettings
from engagement_pipeline.platform.warehouse import get_offset, read_sql, set_offset, transaction
from engagement_pipeline.scoring.formula import parameters as score_parameters
from engagement_pipeline.scoring.formula import scored
from engagement_pipeline.scoring.population import newest_population
from engagement_pipeline.users import mirror as users_mirror

CONSUMER = "at_risk_cohorts"


class ScoresMissingError(RuntimeError):
    """Nobody has been scored yet, so nobody can be decided on."""


@dataclass(frozen=True)
class CohortReport:
    """What stands in at_risk_cohorts after a run.

    Attributes:
        below: users below the threshold, each with exactly one decision.
        decided: how many of these this run decided.
        by_decision: users by decision: mail, hold_out or skip.
        by_reason: users by reason code; see `reasons.Reason`.
    """

    below: int
    decided: int
    by_decision: dict[str, int]
    by_reason: dict[str, int]


def ensure_tables(con: duckdb.DuckDBPyConnection) -> None:
    """Create the warehouse tables that the gate reads and writes, where they do not exist."""
    con.execute(read_sql(__package__, "schema"))


def decide(
    con: duckdb.DuckDBPyConnection,
    now: datetime,
    gate: GateSettings,
    scoring: ScoringSettings,
    hold_out_key: str,
    *,
    full: bool,
) -> CohortReport:
    """Bring at_risk_cohorts up to date with raw_users and suppressions, in one transaction.

    Users are scored again while they are read, by the same formula and population as engagement_scores: joining ten
    million scores to their users would take several times as long.

    Args:
        con: the warehouse.
        now: the moment of decision; its UTC day is the day that scores and silences are counted up to.
        gate: the rules' limits.
        scoring: the formula's settings.
        hold_out_key: keys the assignment to the hold-out; another key draws another hold-out.
        full: decide on everybody, as the passing days and changed settings require; otherwise only on users whose
            decision a change since the last run can have touched. The first run is always full.

    Raises:
        ScoresMissingError: there are no population parameters, as no scores were ever computed.
    """
    population = newest_population(con)
    if population is None:
        raise ScoresMissingError("nobody has been scored yet: compute engagement_scores first")
    ensure_tables(con)
    values = gate_parameters(now, gate, scoring, hold_out_key)
    values |= score_parameters(utc_naive(now).date(), population, scoring)
    values["decided_at"] = utc_naive(now)
    with transaction(con):
        offset = get_offset(con, CONSUMER)
        # Suppressions may have been read further than the users: counting them would pass users over.
        users_seq = max(
            get_offset(con, users_mirror.OFFSET) or 0, _number(con, "SELECT MAX(changed_seq) FROM raw_users")
        )
        seq = max(offset or 0, users_seq)
        if full or offset is None:
            decided = _decide_everybody(con, values)
        else:
            decided = _decide_affected(con, values, offset, seq)
        con.execute("CREATE OR REPLACE TABLE judged_suppressions AS SELECT address_key FROM suppressions")
        set_offset(con, CONSUMER, seq)
        return _report(con, decided)


def _decide_everybody(con: duckdb.DuckDBPyConnection, values: Parameters) -> int:
    candidates = read_sql(__package__, "candidates")
    _find_giving_way(con, candidates, values)
    # A new table is written several times as fast as rows are replaced.
    con.execute("DROP TABLE at_risk_cohorts")
    ensure_tables(con)
    return _write_decisions(con, candidates, values, "changed_seq")


def _decide_affected(con: duckdb.DuckDBPyConnection, values: Parameters, offset: int, seq: int) -> int:
    affected = read_sql(__package__, "affected")
    con.execute(f"CREATE OR REPLACE TEMP TABLE affected AS {affected}", {"offset": offset})
    candidates = f"{read_sql(__package__, 'candidates')} WHERE user_id IN (SELECT user_id FROM affected)"  # noqa: S608
    _find_giving_way(con, candidates, values)
    con.execute(
        "DELETE FROM at_risk_cohorts WHERE user_id IN (SELECT user_id FROM affected"
        " UNION ALL SELECT user_id FROM at_risk_cohorts ANTI JOIN raw_users USING (user_id))"
    )
    decided = _write_decisions(con, candidates, {**values, "seq": seq}, "CAST($seq AS BIGINT)")
    con.execute("DROP TABLE affected")
    return decided


def _find_giving_way(con: duckdb.DuckDBPyConnection, candidates: str, values: Parameters) -> None:
    """Put who must give way to another user of his address into the table `giving_way`.

    Known before anything is written: changing rows that were just written costs as much as writing them. Few addresses
    have several users, so these are found first, without scores, as if everybody were at risk.
    """
    unscored = f"SELECT *, 0 AS score, CAST(NULL AS VARCHAR) AS band FROM ({candidates})"  # noqa: S608
    _execute(con, f"CREATE OR REPLACE TEMP TABLE crowded AS {crowded(gated(unscored))}", values)
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE rivals AS SELECT * FROM ({candidates})"  # noqa: S608
        " WHERE HASH(address_key) IN (SELECT bucket FROM crowded)"
    )
    decisions = gated(scored("SELECT * FROM rivals"))
    _execute(con, f"CREATE OR REPLACE TEMP TABLE giving_way AS {blocked(decisions)}", values)
    con.execute("DROP TABLE crowded")
    con.execute("DROP TABLE rivals")


def _write_decisions(con: duckdb.DuckDBPyConnection, candidates: str, values: Parameters, changed_seq: str) -> int:
    """Add the gate's decisions on the candidates below the threshold to at_risk_cohorts; return how many there are."""
    query = f"""
        INSERT INTO at_risk_cohorts BY NAME
        SELECT
            user_id, score, band, decision, reason, value_at_risk, step,
            CAST($as_of AS DATE) AS as_of, CAST($decided_at AS TIMESTAMP) AS decided_at, {changed_seq} AS changed_seq
        FROM ({gated(scored(candidates), "SELECT * FROM giving_way")})
        WHERE score < $at_risk_below
    """  # noqa: S608
    decided = _number(con, query, values)
    con.execute("DROP TABLE giving_way")
    return decided


def _report(con: duckdb.DuckDBPyConnection, decided: int) -> CohortReport:
    rows = con.execute("SELECT decision, reason, COUNT(*) FROM at_risk_cohorts GROUP BY ALL ORDER BY ALL").fetchall()
    by_decision: dict[str, int] = {}
    for decision, _, users in rows:
        by_decision[decision] = by_decision.get(decision, 0) + users
    return CohortReport(
        below=sum(by_decision.values()),
        decided=decided,
        by_decision=by_decision,
        by_reason={reason: users for _, reason, users in rows},
    )


def _execute(con: duckdb.DuckDBPyConnection, query: str, values: Parameters) -> duckdb.DuckDBPyConnection:
    # DuckDB refuses values that a statement does not name.
    names = set(re.findall(r"\$(\w+)", query))
    return con.execute(query, {name: value for name, value in values.items() if name in names})


def _number(con: duckdb.DuckDBPyConnection, query: str, values: Parameters | None = None) -> int:
    row = _execute(con, query, values or {}).fetchone()
    return 0 if row is None or row[0] is None else int(row[0])
