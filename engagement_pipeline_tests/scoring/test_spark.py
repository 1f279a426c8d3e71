"""The scoring SQL runs on Spark too: it transpiles without loss, and both engines agree."""

import random
import shutil
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any

import duckdb
import pytest

from engagement_pipeline.platform.warehouse import read_sql
from engagement_pipeline.scoring.formula import (
    Parameters,
    estimate_population,
    order_facts,
    parameters,
    scored,
)
from engagement_pipeline_tests.scoring.facts import SETTINGS

FILES = ("order_facts", "population", "score")
AS_OF = date(2026, 3, 2)


def transpiled(name: str) -> str:
    import sqlglot

    text = read_sql("engagement_pipeline.scoring", name)
    (statement,) = sqlglot.transpile(
        text, read="duckdb", write="spark", unsupported_level=sqlglot.ErrorLevel.RAISE, comments=False
    )
    return statement


@pytest.mark.parametrize("name", FILES)
def test_transpiles_to_spark_without_loss(name: str) -> None:
    import sqlglot

    tree = sqlglot.parse_one(transpiled(name), read="spark")
    assert tree.find(sqlglot.exp.Anonymous) is None, "a function that sqlglot does not know is passed through unchecked"


@pytest.fixture(scope="module")
def spark() -> Iterator[Any]:
    pyspark = pytest.importorskip(
        "pyspark.sql", reason="This needs Spark, which is large: pip install --editable '.[spark]' brings it."
    )
    if shutil.which("java") is None:
        pytest.skip("Spark runs on Java, which is not here: apt-get install default-jre-headless brings it.")
    session = (
        pyspark.SparkSession.builder.master("local[1]")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.sql.shuffle.partitions", "1")
        .getOrCreate()
    )
    yield session
    session.stop()


def orders() -> list[tuple[str, datetime, float, str]]:
    draw = random.Random(7)
    start = datetime.fromisoformat("2024-06-01")
    moments = [start + timedelta(minutes=draw.randrange(60 * 24 * 700)) for _ in range(3000)]
    statuses = ["delivered", "delivered", "delivered", "shipped", "cancelled", "returned"]
    return [
        (f"user-{draw.randrange(400):03}", moment, round(draw.expovariate(1 / 40), 2), draw.choice(statuses))
        for moment in moments
    ]


def on_duckdb(rows: list[tuple[str, datetime, float, str]]) -> tuple[dict[str, float], dict[str, Any], Parameters]:
    with duckdb.connect() as con:
        con.execute("CREATE TABLE shop (user_id VARCHAR, ordered_at TIMESTAMP, total_value DOUBLE, status VARCHAR)")
        con.executemany("INSERT INTO shop VALUES (?, ?, ?, ?)", rows)
        con.execute(f"CREATE TABLE facts AS {order_facts('FROM shop')}", {"before_day": AS_OF})
        population = estimate_population(con, "FROM main.facts", SETTINGS)
        values = parameters(AS_OF, population, SETTINGS)
        query = f"SELECT user_id, score, band FROM ({scored('FROM main.facts')})"
        found = con.execute(query, values).fetchall()
    typical = {"mean_gap_days": population.mean_gap_days, "median_order_value": population.median_order_value}
    return typical, {user_id: (score, band) for user_id, score, band in found}, values


@pytest.mark.integration
def test_spark_and_duckdb_agree(spark: Any) -> None:
    rows = orders()
    typical, expected, values = on_duckdb(rows)
    schema = "user_id STRING, ordered_at TIMESTAMP, total_value DOUBLE, status STRING"
    spark.createDataFrame(rows, schema).createOrReplaceTempView("orders")
    spark.sql(transpiled("order_facts"), args={"before_day": AS_OF}).createOrReplaceTempView("facts")
    (population,) = spark.sql(transpiled("population"), args={"default_gap_days": SETTINGS.default_gap_days}).collect()
    assert population.mean_gap_days == pytest.approx(typical["mean_gap_days"], rel=1e-12)
    assert population.median_order_value == pytest.approx(typical["median_order_value"], rel=1e-12)
    found = {row.user_id: (row.score, row.band) for row in spark.sql(transpiled("score"), args=values).collect()}
    assert set(found) == set(expected)
    for user_id, (score, band) in expected.items():
        assert found[user_id][0] == pytest.approx(score, abs=0.0101), user_id
        assert found[user_id][1] == band
