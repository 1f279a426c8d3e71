"""What the Dagster UI shows of a table: rows, columns, a count by something. Never a user's row."""

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg
import duckdb
import sqlalchemy as sa

from engagement_pipeline.defs.columns import COLUMNS
from engagement_pipeline.delivery.drafts import DraftReport
from engagement_pipeline.delivery.tables import emails
from engagement_pipeline.platform.sql import Database


def table_metadata(con: duckdb.DuckDBPyConnection, table: str) -> dict[str, Any]:
    """Return row count and column schema of a warehouse table, as Dagster's own metadata keys."""
    columns = con.execute(f"DESCRIBE {table}").fetchall()
    return {
        "dagster/row_count": count(con, table),
        "dagster/table_name": table,
        "dagster/column_schema": dg.TableSchema(
            columns=[dg.TableColumn(name=row[0], type=row[1], description=COLUMNS.get(row[0])) for row in columns]
        ),
    }


def store_metadata(database: Database, table: sa.Table) -> dict[str, Any]:
    """Return row count and column schema of a table of the operational store."""
    with database.read() as connection:
        rows = connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
    return {
        "dagster/row_count": rows,
        "dagster/table_name": table.name,
        "dagster/column_schema": dg.TableSchema(
            columns=[
                dg.TableColumn(name=column.name, type=str(column.type), description=COLUMNS.get(column.name))
                for column in table.columns
            ]
        ),
    }


def ledger_metadata(database: Database) -> dict[str, Any]:
    """Return row count and column schema of the e-mail ledger, which is in the operational store."""
    return store_metadata(database, emails)


def copy_metadata(report: DraftReport, why_template: str | None) -> dict[str, Any]:
    """Return what the copy of a run's drafts cost, and where and why it is the template's."""
    spent = report.spent
    return {
        "replaced_by_template": report.replaced,
        "replaced_because": markdown_bars(report.failures, "failure"),
        "template_copy_because": why_template or spent.stopped or "only where a text failed",
        "answers": spent.answers,
        "input_tokens": spent.input_tokens,
        "output_tokens": spent.output_tokens,
        "texts_reused": spent.reused,
        "texts_awaited_from_batches": spent.awaited,
        "batches": dg.MetadataValue.md("\n".join(f"- {note}" for note in spent.notes) or "none"),
        "cost_usd": round(spent.cost_usd, 6),
        "cost_usd_per_thousand_drafts": round(1_000 * spent.cost_usd / report.written, 6) if report.written else 0.0,
    }


def count(con: duckdb.DuckDBPyConnection, table: str, where: str = "true") -> int:
    """Return the number of rows that satisfy a condition."""
    row = con.execute(f"SELECT count(*) FROM {table} WHERE {where}").fetchone()  # noqa: S608
    return int(row[0]) if row else 0


def markdown_bars(counts: Mapping[str, int], what: str) -> dg.MarkdownMetadataValue:
    """Return counts as a small table with bars: cheaper than a plot and readable in a narrow panel."""
    total = max(sum(counts.values()), 1)
    lines = [f"| {what} | count | share | |", "|---|---:|---:|---|"]
    for name, number in counts.items():
        share = number / total
        lines.append(f"| {name} | {number:,} | {share:.1%} | {'█' * round(30 * share)} |")
    return dg.MetadataValue.md("\n".join(lines))


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> dg.MarkdownMetadataValue:
    """Return rows as a markdown table."""
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    lines += ["| " + " | ".join("" if cell is None else str(cell) for cell in row) + " |" for row in rows]
    return dg.MetadataValue.md("\n".join(lines))
