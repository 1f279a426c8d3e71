"""Who may be written to, and why everybody else may not: the eligibility gate and the hold-out."""
