"""The gate once more, at the moment of sending: the same SQL as in the warehouse, over a few users handed in."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType

import duckdb

from engagement_pipeline.cohorts.reasons import Reason, Verdict
from engagement_pipeline.cohorts.rules import blocked, gate_parameters, gated, utc_naive
from engagement_pipeline.platform.settings_groups import GateSettings, ScoringSettings

# Lists are bound whole: a statement per row would take longer than the gate itself.
_CANDIDATES = """
    SELECT
        UNNEST($user_id::VARCHAR[]) AS user_id,
        UNNEST($address_key::VARCHAR[]) AS address_key,
        UNNEST($score::DOUBLE[]) AS score,
        UNNEST($order_days::INTEGER[]) AS order_days,
        UNNEST($last_order_at::TIMESTAMP[]) AS last_order_at,
        UNNEST($average_order_value::DOUBLE[]) AS average_order_value,
        UNNEST($consent::BOOLEAN[]) AS consent,
        UNNEST($suppressed::BOOLEAN[]) AS suppressed,
        UNNEST($last_touch_at::TIMESTAMP[]) AS last_touch_at,
        UNNEST($touches_since_order::INTEGER[]) AS touches_since_order,
        NULL AS band, 0 AS steps, 0 AS changed_seq
"""


@dataclass(frozen=True)
class Candidate:
    """A user about to be written to, as the operational store knows him now.

    Attributes:
        user_id: unique within a batch.
        address_key: keyed hash of the normalised address; None without an address.
        score: the score at the time of the decision. It is not computed again: an order since then shows as
            `silence_too_short`, and nothing else could have raised it by much.
        order_days: days with an order that counts.
        last_order_at: the newest order that counts.
        average_order_value: of the orders that count, in the shop's currency.
        consent: whether the user agreed to receive e-mails.
        suppressed: whether the address is on the suppression list.
        last_touch_at: the newest touch of any user with this address.
        touches_since_order: this user's touches after the last order.
    """

    user_id: str
    address_key: str | None
    score: float
    order_days: int
    last_order_at: datetime | None
    average_order_value: float
    consent: bool
    suppressed: bool
    last_touch_at: datetime | None
    touches_since_order: int


class GateChecker:
    """Decides on batches of candidates; keeps one in-memory DuckDB between them. Not for use by two threads at once."""

    def __init__(self, gate: GateSettings, scoring: ScoringSettings, hold_out_key: str) -> None:
        self._gate = gate
        self._scoring = scoring
        self._hold_out_key = hold_out_key
        self._con = duckdb.connect(config={"threads": 1})

    def __enter__(self) -> "GateChecker":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._con.close()

    def recheck(self, candidates: Sequence[Candidate], now: datetime) -> dict[str, Verdict]:
        """Return a decision for each candidate, by user_id. Of users with one address in a batch one is chosen.

        Raises:
            ValueError: a user appears twice, or a moment has no time zone.
        """
        if len({candidate.user_id for candidate in candidates}) < len(candidates):
            raise ValueError("a user may appear only once in a batch")
        values = gate_parameters(now, self._gate, self._scoring, self._hold_out_key)
        query = f"CREATE OR REPLACE TABLE decisions AS {gated(_CANDIDATES)}"
        self._con.execute(query, {**values, **_columns(candidates)})
        rows = self._con.execute("SELECT user_id, decision, reason FROM decisions").fetchall()
        verdicts = {user_id: Verdict(decision, Reason(reason)) for user_id, decision, reason in rows}
        touches = {"last_touch_latest": values["last_touch_latest"]}
        giving_way = self._con.execute(blocked("SELECT * FROM decisions"), touches).fetchall()
        return verdicts | {user_id: Verdict("skip", Reason(reason)) for user_id, reason in giving_way}


def recheck(
    candidates: Sequence[Candidate], now: datetime, gate: GateSettings, scoring: ScoringSettings, hold_out_key: str
) -> dict[str, Verdict]:
    """Decide on one batch; see `GateChecker.recheck`, which is quicker for many."""
    with GateChecker(gate, scoring, hold_out_key) as checker:
        return checker.recheck(candidates, now)


def _columns(candidates: Sequence[Candidate]) -> dict[str, list[object]]:
    return {
        "user_id": [c.user_id for c in candidates],
        "address_key": [c.address_key for c in candidates],
        "score": [c.score for c in candidates],
        "order_days": [c.order_days for c in candidates],
        "last_order_at": [_utc(c.last_order_at) for c in candidates],
        "average_order_value": [c.average_order_value for c in candidates],
        "consent": [c.consent for c in candidates],
        "suppressed": [c.suppressed for c in candidates],
        "last_touch_at": [_utc(c.last_touch_at) for c in candidates],
        "touches_since_order": [c.touches_since_order for c in candidates],
    }


def _utc(moment: datetime | None) -> datetime | None:
    return None if moment is None else utc_naive(moment)
