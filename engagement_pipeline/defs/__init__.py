"""Dagster's words for what the rooms do: assets, checks, jobs, schedules, sensors, resources. No rules live here."""

import warnings

import dagster as dg

# One run for a whole back-fill is worth a parameter that Dagster may still rename, but not a warning at every start;
# it also warns of a parameter of sensors that only Dagster itself sets.
warnings.filterwarnings("ignore", message="Parameter `(backfill_policy|owners)`", category=dg.BetaWarning)
