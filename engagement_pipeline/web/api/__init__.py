"""The REST API: what the dashboard's people see, for programs. Handlers are thin, and decide nothing."""
