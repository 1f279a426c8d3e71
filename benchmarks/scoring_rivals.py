"""The same scores and decisions as somebody would write them in polars and in pandas, vectorised throughout.

They get their columns from Parquet and write their two tables to Parquet. Their hold-out is drawn by their own hash,
which is quicker than MD5, and nobody is suppressed: both are in their favour.
"""

import time
from datetime import timedelta
from pathlib import Path

from benchmarks.scoring_contestants import GATE, NOW, SCORING, TODAY

_TOUCHED_SINCE = NOW.replace(tzinfo=None) - timedelta(days=GATE.cool_down_days)


def polars(folder: Path, _memory: str) -> tuple[float, int]:
    """Polars' lazy engine, as few passes as the population's parameters allow."""
    import polars as pl

    started = time.perf_counter()
    users = pl.scan_parquet(folder / "users.parquet")
    ordered = users.filter(pl.col("order_days") > 0)
    gap, median = (
        ordered.select(
            (pl.col("last_order_at").dt.date() - pl.col("first_order_at").dt.date()).dt.total_days().sum()
            / (pl.col("order_days") - 1).sum(),
            pl.col("average_order_value").median().alias("median"),
        )
        .collect(engine="streaming")
        .row(0)
    )
    silent = (pl.lit(TODAY) - pl.col("last_order_at").dt.date()).dt.total_days().clip(lower_bound=0)
    emailed = (pl.lit(TODAY) - pl.col("last_email_at").dt.date()).dt.total_days()
    is_recent = (
        pl.col("last_email_at").is_not_null()
        & (pl.col("last_email_at") > pl.col("last_order_at"))
        & emailed.is_between(0, SCORING.email_factor_days - 1)
    )
    factor = pl.when(is_recent).then(SCORING.email_factor).otherwise(1.0)
    value = ((1 + pl.col("average_order_value") / median) / 2).sqrt()
    strength = SCORING.horizon_days / 3 * pl.col("order_days").clip(lower_bound=0).cast(pl.Float64).pow(0.75)
    odds = (strength * value * factor / (gap + pl.col("silent"))).fill_null(0)
    score = pl.col("score")
    users = (
        users.with_columns(silent=silent)
        .with_columns(odds=odds)
        .with_columns(score=(100 * pl.col("odds") / (1 + pl.col("odds"))).round(2))
        .with_columns(
            band=pl.when(score < SCORING.critical_below)
            .then(pl.lit("critical"))
            .when(score < SCORING.at_risk_below)
            .then(pl.lit("at_risk"))
            .when(score < SCORING.moderate_below)
            .then(pl.lit("moderate"))
            .otherwise(pl.lit("good")),
            as_of=pl.lit(TODAY),
        )
    )
    scores = users.select(
        "user_id",
        "score",
        "band",
        "as_of",
        "order_days",
        "silent",
        "average_order_value",
        "changed_seq",
        revision=pl.lit(1, pl.Int64),
    )
    scores.sink_parquet(folder / "polars-scores.parquet")
    reason = (
        pl.when(~pl.col("consent"))
        .then(pl.lit("no_consent"))
        .when((pl.col("order_days") == 0) | pl.col("last_order_at").is_null())
        .then(pl.lit("no_orders"))
        .when(pl.col("silent") < GATE.min_silence_days)
        .then(pl.lit("silence_too_short"))
        .when(pl.col("silent") > GATE.max_silence_days)
        .then(pl.lit("silence_too_long"))
        .when(pl.col("touches_since_order") >= GATE.max_emails_per_silence)
        .then(pl.lit("max_emails_reached"))
        .when(pl.col("last_touch_at") > _TOUCHED_SINCE)
        .then(pl.lit("cool_down"))
        .otherwise(pl.lit("eligible"))
    )
    held_out = pl.col("address_key").hash(seed=7) % 1000 < 1000 * GATE.hold_out_share
    judged = (
        users.filter(score < SCORING.at_risk_below)
        .with_columns(
            reason=reason,
            value_at_risk=(pl.col("average_order_value") * (1 - score / 100)).round(2),
            step=pl.col("steps") + 1,
            decided_at=pl.lit(NOW),
        )
        .select(
            "user_id",
            "address_key",
            "score",
            "band",
            "reason",
            "value_at_risk",
            "step",
            "as_of",
            "decided_at",
            "changed_seq",
        )
    )
    touched = users.filter(pl.col("last_touch_at") > _TOUCHED_SINCE).select("address_key").collect()["address_key"]
    cohort = judged.collect()
    eligible = cohort.lazy().filter(pl.col("reason") == "eligible")
    duplicates = (
        eligible.filter(pl.col("value_at_risk").rank("ordinal", descending=True).over("address_key") > 1)
        .select("user_id")
        .collect()["user_id"]
    )
    is_eligible = pl.col("reason") == "eligible"
    cohort = (
        cohort.with_columns(
            reason=pl.when(is_eligible & pl.col("address_key").is_in(touched.implode()))
            .then(pl.lit("address_cool_down"))
            .when(pl.col("user_id").is_in(duplicates.implode()))
            .then(pl.lit("duplicate_address"))
            .otherwise(pl.col("reason"))
        )
        .with_columns(
            decision=pl.when(~is_eligible)
            .then(pl.lit("skip"))
            .when(held_out)
            .then(pl.lit("hold_out"))
            .otherwise(pl.lit("mail"))
        )
        .drop("address_key")
    )
    cohort.write_parquet(folder / "polars-cohorts.parquet")
    return time.perf_counter() - started, cohort.height


def pandas(folder: Path, _memory: str) -> tuple[float, int]:
    """Pandas and numpy, with Arrow-backed strings, whole columns at a time."""
    import numpy as np
    import pandas as pd

    started = time.perf_counter()
    users = pd.read_parquet(folder / "users.parquet")
    ordered = users[users["order_days"] > 0]
    spans = (ordered["last_order_at"].dt.normalize() - ordered["first_order_at"].dt.normalize()).dt.days
    gap = spans.sum() / (ordered["order_days"] - 1).sum()
    median = ordered["average_order_value"].median()
    today = pd.Timestamp(TODAY)
    silent = (today - users["last_order_at"].dt.normalize()).dt.days.clip(lower=0)
    emailed = (today - users["last_email_at"].dt.normalize()).dt.days
    is_recent = (users["last_email_at"] > users["last_order_at"]) & emailed.between(0, SCORING.email_factor_days - 1)
    factor = np.where(is_recent, SCORING.email_factor, 1.0)
    value = np.sqrt((1 + users["average_order_value"] / median) / 2)
    strength = SCORING.horizon_days / 3 * users["order_days"].clip(lower=0) ** 0.75
    odds = (strength * value * factor / (gap + silent)).fillna(0)
    users["score"] = (100 * odds / (1 + odds)).round(2)
    score = users["score"]
    limits = [SCORING.critical_below, SCORING.at_risk_below, SCORING.moderate_below]
    users["band"] = np.select([score < limit for limit in limits], ["critical", "at_risk", "moderate"], "good")
    users["as_of"] = today
    users["silent"] = silent
    users["revision"] = 1
    users[
        [
            "user_id",
            "score",
            "band",
            "as_of",
            "order_days",
            "silent",
            "average_order_value",
            "changed_seq",
            "revision",
        ]
    ].to_parquet(folder / "pandas-scores.parquet", index=False)
    touched = users.loc[users["last_touch_at"] > _TOUCHED_SINCE, "address_key"]
    cohort = users[score < SCORING.at_risk_below].copy()
    cohort["reason"] = np.select(
        [
            ~cohort["consent"],
            (cohort["order_days"] == 0) | cohort["last_order_at"].isna(),
            cohort["silent"] < GATE.min_silence_days,
            cohort["silent"] > GATE.max_silence_days,
            cohort["touches_since_order"] >= GATE.max_emails_per_silence,
            cohort["last_touch_at"] > _TOUCHED_SINCE,
        ],
        ["no_consent", "no_orders", "silence_too_short", "silence_too_long", "max_emails_reached", "cool_down"],
        "eligible",
    )
    cohort["value_at_risk"] = (cohort["average_order_value"] * (1 - cohort["score"] / 100)).round(2)
    cohort["step"] = cohort["steps"] + 1
    cohort["decided_at"] = pd.Timestamp(NOW)
    eligible = cohort.loc[cohort["reason"] == "eligible", ["address_key", "value_at_risk"]]
    eligible = eligible.sort_values("value_at_risk", ascending=False)
    cohort.loc[eligible.index[eligible["address_key"].duplicated()], "reason"] = "duplicate_address"
    cohort.loc[eligible.index[eligible["address_key"].isin(touched)], "reason"] = "address_cool_down"
    is_eligible = cohort["reason"] == "eligible"
    drawn = pd.util.hash_pandas_object(cohort["address_key"], index=False) % 1000 < 1000 * GATE.hold_out_share
    cohort["decision"] = np.select([~is_eligible, drawn], ["skip", "hold_out"], "mail")
    cohort[
        [
            "user_id",
            "score",
            "band",
            "decision",
            "reason",
            "value_at_risk",
            "step",
            "as_of",
            "decided_at",
            "changed_seq",
        ]
    ].to_parquet(folder / "pandas-cohorts.parquet", index=False)
    return time.perf_counter() - started, len(cohort)
