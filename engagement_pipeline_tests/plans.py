"""How the operational store goes about what is read: told in SQLite's words, whichever database it is."""

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import sqlalchemy as sa

from engagement_pipeline.platform.sql import Database

# PostgreSQL reads a table of a few rows whole, and sorts it. Without these ways, it does so where no index serves.
_WAYS_WITHOUT_AN_INDEX = ("seqscan", "bitmapscan", "sort", "incremental_sort")


def plans_of(database: Database, read: Callable[[sa.Connection], object]) -> list[str]:
    """Return the steps of every statement that `read` sends.

    They begin with SEARCH for a range of a table or an index, with SCAN for the whole of it; whoever sorts what it has
    read needs a TEMP B-TREE.
    """
    said: list[tuple[str, Any]] = []

    def on_execute(_con: object, _cursor: object, statement: str, parameters: object, *_: object) -> None:
        if statement.startswith(("SELECT", "WITH")):
            said.append((statement, parameters))

    sa.event.listen(database.engine, "before_cursor_execute", on_execute)
    with database.read() as connection:
        read(connection)
    sa.event.remove(database.engine, "before_cursor_execute", on_execute)
    explain = _by_sqlite if database.is_sqlite else _by_postgresql
    with database.read() as connection:
        return [step for statement, parameters in said for step in explain(connection, statement, parameters)]


def _by_sqlite(connection: sa.Connection, statement: str, parameters: Any) -> Sequence[str]:
    return [str(row[3]) for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)]


def _by_postgresql(connection: sa.Connection, statement: str, parameters: Any) -> Sequence[str]:
    for way in _WAYS_WITHOUT_AN_INDEX:
        connection.exec_driver_sql(f"SET LOCAL enable_{way} = off")
    told = connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}", parameters).scalar_one()
    (plan,) = json.loads(told) if isinstance(told, str) else told
    return list(_steps(plan["Plan"]))


def _steps(node: dict[str, Any]) -> Iterator[str]:
    if "Relation Name" in node:
        reads = f"{'SEARCH' if 'Index Cond' in node else 'SCAN'} {node['Relation Name']}"
        covering = "COVERING " if node["Node Type"] == "Index Only Scan" else ""
        yield f"{reads} USING {covering}INDEX {node['Index Name']}" if "Index Name" in node else reads
    elif "Sort" in node["Node Type"]:
        yield "USE TEMP B-TREE FOR ORDER BY"
    for part in node.get("Plans", ()):
        yield from _steps(part)
