"""E-mails: what was written, what became of it, and what came back."""

from typing import Any

import dagster as dg
import duckdb

from engagement_pipeline.defs.assets import DAILY, MARKETING_TEAM, REACTION, SENDING_POOL, WAREHOUSE_POOL
from engagement_pipeline.defs.assets.scores import Extent
from engagement_pipeline.defs.metadata import ledger_metadata, markdown_bars, table_metadata
from engagement_pipeline.defs.resources import WarehouseResource
from engagement_pipeline.delivery import mirror
from engagement_pipeline.delivery.drafts import write_drafts
from engagement_pipeline.pipeline import Pipeline
from engagement_pipeline.platform import change_claims
from engagement_pipeline.platform.warehouse import get_offset
from engagement_pipeline.users.mirror import OFFSET


@dg.asset(
    deps=["at_risk_cohorts", "raw_users"],
    group_name="emails",
    kinds={"sqlalchemy", "jinja"},
    owners=MARKETING_TEAM,
    code_version="1",
    pool=WAREHOUSE_POOL,
    freshness_policy=DAILY,
)
def generated_emails(
    config: Extent, warehouse: WarehouseResource, pipeline: dg.ResourceParam[Pipeline]
) -> dg.MaterializeResult[None]:
    """A draft in the ledger for each user to be mailed, and a row for each held out; each is created once."""
    with warehouse.get_connection() as con:
        report = write_drafts(
            con,
            pipeline.ledger,
            pipeline.copywriter,
            pipeline.brand,
            pipeline.settings,
            pipeline.now(),
            full=config.full,
        )
    return dg.MaterializeResult(
        metadata={
            **ledger_metadata(pipeline.database),
            "drafts_written": report.written,
            "held_out": report.held_out,
            "existing": report.existing,
            "replaced_by_template": report.replaced,
            "copywriter": pipeline.copywriter.name,
            "by_variant": markdown_bars(report.by_variant, "variant"),
        }
    )


@dg.op(ins={"generated_emails": dg.In(dg.Nothing)}, out=dg.Out(dg.Nothing), pool=SENDING_POOL)
def send(context: dg.OpExecutionContext, pipeline: dg.ResourceParam[Pipeline]) -> None:
    """Hand over what is queued, by the rules of the moment. Holds no warehouse: sending may take hours."""
    report = pipeline.send()
    context.log.info(
        f"sent {report.sent}, skipped {report.skipped_by_reason}, waiting {report.waiting}, failed {report.failed}, "
        f"unknown {report.unknown}"
    )
    if report.stopped:
        raise dg.Failure(description=f"the campaign stopped before its end: {report.stopped}", allow_retries=False)


@dg.op(ins={"sent": dg.In(dg.Nothing)}, pool=WAREHOUSE_POOL)
def mirror_ledger(
    context: dg.OpExecutionContext,
    warehouse: WarehouseResource,
    pipeline: dg.ResourceParam[Pipeline],
) -> None:
    """Bring the changed ledger rows over to the warehouse."""
    with warehouse.get_connection() as con:
        answer_claims(con, pipeline)
        changed = mirror.pull_deliveries(con, pipeline.database)
        by_status = con.execute("SELECT status, count(*) FROM email_deliveries GROUP BY 1 ORDER BY 2 DESC").fetchall()
        skipped = con.execute(
            "SELECT reason, count(*) FROM email_deliveries WHERE status = 'skipped' GROUP BY 1 ORDER BY 2 DESC"
        ).fetchall()
        context.add_output_metadata(
            {
                **table_metadata(con, "email_deliveries"),
                "changed_rows": changed,
                "by_status": markdown_bars(dict(by_status), "status"),
                "skipped_when_sending": markdown_bars(dict(skipped), "reason"),
            }
        )


def answer_claims(con: duckdb.DuckDBPyConnection, pipeline: Pipeline) -> None:
    """Tell the waiting sensors how far changes have been dealt with: drafted, and offered for sending."""
    with pipeline.database.write() as connection:
        change_claims.answer(connection, REACTION, get_offset(con, OFFSET) or 0)


@dg.graph_asset(
    ins={"generated_emails": dg.AssetIn(dagster_type=dg.Nothing)},
    description="What became of each e-mail: sent, delivered, skipped with a reason, failed or unknown. "
    "Materialising it sends what is queued. Running it again never repeats a send: the ledger remembers.",
    group_name="emails",
    kinds={"sqlalchemy", "duckdb"},
    owners=MARKETING_TEAM,
    code_version="1",
)
def email_deliveries(generated_emails: None) -> Any:
    return mirror_ledger(send(generated_emails))


@dg.asset(
    deps=["email_deliveries"],
    group_name="emails",
    kinds={"sqlalchemy", "duckdb"},
    owners=MARKETING_TEAM,
    code_version="1",
    pool=WAREHOUSE_POOL,
)
def email_events(warehouse: WarehouseResource, pipeline: dg.ResourceParam[Pipeline]) -> dg.MaterializeResult[None]:
    """What came back about each e-mail: deliveries, bounces, complaints, opens, clicks. Append-only."""
    with warehouse.get_connection() as con:
        new = mirror.pull_events(con, pipeline.database)
        by_kind = con.execute("SELECT kind, count(*) FROM email_events GROUP BY 1 ORDER BY 2 DESC").fetchall()
        return dg.MaterializeResult(
            metadata={
                **table_metadata(con, "email_events"),
                "new_events": new,
                "by_kind": markdown_bars(dict(by_kind), "kind"),
            }
        )
