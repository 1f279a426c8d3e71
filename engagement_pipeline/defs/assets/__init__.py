"""The assets, in the order of the corridor: raw, scores, cohorts, e-mails, effectiveness."""

DATA_TEAM = ["team:data-engineering"]
MARKETING_TEAM = ["team:lifecycle-marketing"]

# Whoever touches the warehouse takes its only slot first.
WAREHOUSE_POOL = "warehouse"
# One sender at a time per instance; further ones would only share the same quota.
SENDING_POOL = "sending"
