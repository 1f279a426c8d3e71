"""An engine in memory for the formula, where there is no warehouse: for a user who is looked at or has just changed."""

from functools import cache

import duckdb


def in_memory() -> duckdb.DuckDBPyConnection:
    """Return a cursor of its own, as the API asks from several threads; close it after use."""
    return _engine().cursor()


@cache
def _engine() -> duckdb.DuckDBPyConnection:
    # A few rows at a time: several threads would spend longer on finding each other than on them.
    return duckdb.connect(config={"threads": 1})
