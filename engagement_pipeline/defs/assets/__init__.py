"""The assets, in the order of the corridor: raw, scores, cohorts, e-mails, effectiveness, dashboard."""

from datetime import timedelta

import dagster as dg

DATA_TEAM = ["team:data-engineering"]
MARKETING_TEAM = ["team:lifecycle-marketing"]

# Whoever touches the warehouse takes its only slot first.
WAREHOUSE_POOL = "warehouse"

# The job that reacts, and the name under which its sensors claim changes and its last asset answers them.
REACTION = "react_to_changes"

# The daily refresh may be late by an hour before anybody is told, and miss a day before it counts as failed.
DAILY = dg.FreshnessPolicy.time_window(fail_window=timedelta(hours=49), warn_window=timedelta(hours=25))
