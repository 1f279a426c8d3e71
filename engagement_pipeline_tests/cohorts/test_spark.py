"""The gate's SQL is to run on Spark as well, where the orders outgrow one machine."""

import pytest
import sqlglot

from engagement_pipeline.platform.warehouse import read_sql


@pytest.mark.parametrize("name", ["gate", "crowded", "blocked_by_others", "candidates", "affected"])
def test_it_transpiles(name: str) -> None:
    sql = read_sql("engagement_pipeline.cohorts", name)
    statements = sqlglot.transpile(sql, read="duckdb", write="spark", unsupported_level=sqlglot.ErrorLevel.RAISE)
    assert len(statements) == 1
