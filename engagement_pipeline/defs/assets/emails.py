"""E-mails: what was written, what became of it, and what came back."""

from dataclasses import asdict
from typing import Any, Final

import dagster as dg
import duckdb

from engagement_pipeline.defs.assets import DAILY, MARKETING_TEAM, REACTION, WAREHOUSE_POOL
from engagement_pipeline.defs.assets.scores import Extent
from engagement_pipeline.defs.metadata import copy_metadata, ledger_metadata, markdown_bars, table_metadata
from engagement_pipeline.defs.resources import WarehouseResource
from engagement_pipeline.delivery import approving, breaker, mirror
from engagement_pipeline.delivery.drafts import write_drafts
from engagement_pipeline.delivery.send_report import Progress, SendReport
from engagement_pipeline.pipeline import Pipeline
from engagement_pipeline.platform import change_claims, clock
from engagement_pipeline.platform.warehouse import get_offset
from engagement_pipeline.users.mirror import OFFSET

LOG_EVERY_SECONDS: Final = 10.0


@dg.asset(
    deps=["at_risk_cohorts", "raw_users", "raw_orders"],
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
    copywriter = pipeline.copywriter
    with warehouse.get_connection() as con:
        report = write_drafts(
            con,
            pipeline.ledger,
            copywriter,
            pipeline.brand,
            pipeline.settings,
            pipeline.now(),
            full=config.full,
            catalogue=pipeline.catalogue,
        )
    return dg.MaterializeResult(
        metadata={
            **ledger_metadata(pipeline.database),
            "drafts_written": report.written,
            "held_out": report.held_out,
            "existing": report.existing,
            "waiting_for_their_text": report.postponed,
            "copywriter": copywriter.name,
            "edition": report.edition,
            "edition_is_rejected": report.is_rejected,
            "by_variant": markdown_bars(report.by_variant, "variant"),
            **copy_metadata(report, pipeline.why_template),
        }
    )


@dg.op(ins={"generated_emails": dg.In(dg.Nothing)}, out=dg.Out(dict))
def send(context: dg.OpExecutionContext, pipeline: dg.ResourceParam[Pipeline]) -> dict[str, int]:
    """Hand over what is queued, by the rules of the moment. Holds no warehouse: sending may take hours.

    Where another run sends already, this one leaves its e-mails to it and goes on: a reaction must not wait for hours.
    Fails where sending has to stop: when the circuit breaker trips, and later runs pass over sending, as that is known;
    and where the provider takes nothing, but for a reaction, which has scored and decided and would only be repeated.
    """
    if reason := _why_not_now(pipeline):
        context.log.warning(f"nothing is sent by this run: {reason}")
        return {}
    report = pipeline.send(_logging(context.log))
    context.log.info(_in_words(report))
    if report.stopped and context.job_name == REACTION and not _tripped(pipeline):
        context.log.error(f"the campaign stopped before its end: {report.stopped}")
    elif report.stopped:
        raise dg.Failure(
            description=f"the campaign stopped before its end: {report.stopped}",
            metadata={name: dg.MetadataValue.int(number) for name, number in _counts(report).items()},
            allow_retries=False,
        )
    return _counts(report)


def _why_not_now(pipeline: Pipeline) -> str | None:
    if tripped := _tripped(pipeline):
        return f"{tripped}; {breaker.HOW_TO_GO_ON}"
    if pipeline.settings.send_mode != "dry_run" and pipeline.ledger.is_being_sent(pipeline.now()):
        # Queued, so that whoever sends finds them in the next round.
        pipeline.ledger.queue(pipeline.settings.campaign, pipeline.now())
        return "another run sends, and takes what is due"
    return None


def _tripped(pipeline: Pipeline) -> str | None:
    with pipeline.database.read() as connection:
        return breaker.tripped(connection)


def _logging(log: dg.DagsterLogManager) -> Progress:
    """Return a listener that writes a line every few seconds."""
    told_at = clock.monotonic()

    def on_progress(report: SendReport) -> None:
        nonlocal told_at
        if clock.monotonic() - told_at >= LOG_EVERY_SECONDS:
            told_at = clock.monotonic()
            log.info(_in_words(report))

    return on_progress


def _counts(report: SendReport) -> dict[str, int]:
    return {
        "sent": report.sent,
        "skipped": sum(report.skipped_by_reason.values()),
        "failed": report.failed,
        "unknown": report.unknown,
        "waiting": report.waiting,
        "throttled": report.throttled,
    }


def _in_words(report: SendReport) -> str:
    counts = ", ".join(f"{name} {number:,}" for name, number in _counts(report).items())
    if report.unapproved:
        counts += f"; {approving.in_words(report.unapproved)}"
    return f"{counts}; the rest goes another day: {report.held_back}" if report.held_back else counts


@dg.op(pool=WAREHOUSE_POOL)
def mirror_ledger(
    context: dg.OpExecutionContext,
    warehouse: WarehouseResource,
    pipeline: dg.ResourceParam[Pipeline],
    sent: dict[str, int],
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
                **{f"this_run_{name}": number for name, number in sent.items()},
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


@dg.op(ins={"email_deliveries": dg.In(dg.Nothing)}, out=dg.Out(dict))
def collect(context: dg.OpExecutionContext, pipeline: dg.ResourceParam[Pipeline]) -> dict[str, int]:
    """Take in what waits in the provider's queue, where one is set. Holds no warehouse: it may take a while."""
    if not pipeline.settings.ses.feedback_queue_url:
        return {}
    from engagement_pipeline.delivery.feedback.consumer import consume

    report = consume(pipeline.settings, pipeline.stores, pipeline.now)
    if report.set_aside:
        context.log.warning(f"{report.set_aside:,} messages could not be read and are set aside: `engagement rejected`")
    if report.left:
        context.log.warning(f"{report.left:,} messages stay queued, since nobody can tell who sent them")
    return asdict(report)


@dg.op(pool=WAREHOUSE_POOL)
def mirror_events(
    context: dg.OpExecutionContext,
    warehouse: WarehouseResource,
    pipeline: dg.ResourceParam[Pipeline],
    collected: dict[str, int],
) -> None:
    """Bring new events over to the warehouse, and the statuses of the e-mails that they speak of."""
    with warehouse.get_connection() as con:
        new = mirror.pull_events(con, pipeline.database)
        changed = mirror.pull_deliveries(con, pipeline.database)
        by_kind = con.execute("SELECT kind, count(*) FROM email_events GROUP BY 1 ORDER BY 2 DESC").fetchall()
        context.add_output_metadata(
            {
                **table_metadata(con, "email_events"),
                **{f"from_the_queue_{name}": number for name, number in collected.items()},
                "new_events": new,
                "changed_deliveries": changed,
                "by_kind": markdown_bars(dict(by_kind), "kind"),
            }
        )


@dg.graph_asset(
    ins={"email_deliveries": dg.AssetIn(dagster_type=dg.Nothing)},
    description="What came back about each e-mail: deliveries, bounces, complaints, opens, clicks. Append-only. "
    "Materialising it takes in what the provider's queue holds, and keeps the statuses in `email_deliveries` in line.",
    group_name="emails",
    kinds={"sqlalchemy", "duckdb"},
    owners=MARKETING_TEAM,
    code_version="1",
)
def email_events(email_deliveries: None) -> Any:
    return mirror_events(collect(email_deliveries))
