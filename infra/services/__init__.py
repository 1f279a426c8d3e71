"""What runs: network, PostgreSQL, files, Dagster's services, the web, and who is let in."""
