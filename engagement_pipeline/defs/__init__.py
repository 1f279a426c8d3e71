"""Dagster's words for what the rooms do: assets, checks, jobs, schedules, sensors, resources. No rules live here."""
