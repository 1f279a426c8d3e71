"""What a campaign says: look at samples, approve or reject it, see what was decided."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engagement_pipeline.cli.output import Json, bars, emit, progress, table
from engagement_pipeline.platform.errors import BadInputError

if TYPE_CHECKING:
    from engagement_pipeline.copywriting.approvals import Verdict
    from engagement_pipeline.delivery.approving import Decided
    from engagement_pipeline.delivery.copy_report import CopyReport
    from engagement_pipeline.pipeline import Pipeline

Edition = Annotated[
    str | None, typer.Argument(help="As `engagement copy status` shows it; default: the one that e-mails wait with.")
]
By = Annotated[str | None, typer.Option(help="Who decides; default: the account that runs the command.")]
Note = Annotated[str, typer.Option(help="Why; kept with the verdict. No address or name of a client.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    copy = typer.Typer(help="See what a campaign says, and decide whether it may.", no_args_is_help=True)
    copy.command("sample")(sample)
    copy.command("approve")(approve)
    copy.command("reject")(reject)
    copy.command("status")(status)
    app.add_typer(copy, name="copy")


def sample(
    edition: Edition = None,
    texts: Annotated[int, typer.Option(help="How many to show of each copywriter in each variant.", min=1)] = 2,
    as_json: Json = False,
) -> None:
    """Show what the campaign's e-mails say, variant beside variant, how often a model failed, and what it cost.

    `{{first_name}}` stands where the name will be.
    """
    from engagement_pipeline.delivery.copy_report import copy_report

    pipeline = _pipeline()
    chosen = _chosen(pipeline, edition)
    with pipeline.database.read() as connection:
        report = copy_report(connection, pipeline.settings.campaign, chosen, texts)
    figures = {
        "share_fallen_back": report.share_fallen_back,
        "cost_usd_per_thousand": report.cost_usd_per_thousand,
    }
    emit({**asdict(report), **figures}, as_json, lambda: _show_sample(pipeline, report))


def approve(
    edition: Annotated[str, typer.Argument(help="As `engagement copy sample` shows it: what you have read.")],
    by: By = None,
    note: Note = "",
    as_json: Json = False,
) -> None:
    """Let e-mails with these words go. Repeating it changes nothing; a rejection is taken back.

    E-mails that a rejection has closed stay closed: the next daily run decides on their users again.
    """
    _decide("approved", edition, by, note, as_json)


def reject(edition: Edition = None, by: By = None, note: Note = "", as_json: Json = False) -> None:
    """Let no e-mail with these words go from now on, also where they were approved; close those that wait.

    Nobody is written to until the copy says something else: another prompt, template, brand or offer is another
    edition.
    """
    _decide("rejected", edition, by, note, as_json)


def status(as_json: Json = False) -> None:
    """List the campaign's editions: what was decided about each, by whom, and what became of its e-mails."""
    from engagement_pipeline.copywriting import approvals
    from engagement_pipeline.delivery.approving import count_by_edition

    pipeline = _pipeline()
    campaign = pipeline.settings.campaign
    with pipeline.database.read() as connection:
        verdicts = approvals.find_all(connection, campaign)
        counts = count_by_edition(connection, campaign)
    current = pipeline.edition
    editions = [
        {
            "edition": edition,
            "is_current": edition == current,
            **_verdict(verdicts[edition].record() if edition in verdicts else {}),
            "emails_by_status": dict(counts.get(edition, {})),
        }
        for edition in dict.fromkeys((current, *counts, *verdicts))
    ]
    unapproved = pipeline.ledger.count_unapproved(campaign)
    result = {
        "campaign": campaign,
        "needs_approval": pipeline.settings.needs_approval,
        "unapproved": unapproved,
        "editions": editions,
    }
    emit(result, as_json, lambda: _show_status(pipeline, editions, unapproved))


def _pipeline() -> "Pipeline":
    from engagement_pipeline.pipeline import Pipeline
    from engagement_pipeline.platform.settings import get_settings

    return Pipeline(get_settings())


def _chosen(pipeline: "Pipeline", edition: str | None) -> str:
    """Return the edition that a command speaks of.

    Raises:
        BadInputError: there is none of that name, or several could be meant.
    """
    from engagement_pipeline.copywriting import approvals
    from engagement_pipeline.delivery.approving import count_by_edition
    from engagement_pipeline.delivery.statuses import WAITING

    current = pipeline.edition
    with pipeline.database.read() as connection:
        counts = count_by_edition(connection, pipeline.settings.campaign)
        known = {current, *counts, *approvals.find_all(connection, pipeline.settings.campaign)}
    if edition is not None:
        if edition not in known:
            raise BadInputError(f"there is no edition {edition!r}: engagement copy status lists them")
        return edition
    waiting = [name for name, rows in counts.items() if any(rows.get(status, 0) for status in WAITING)]
    if len(waiting) > 1:
        raise BadInputError(f"e-mails of several editions wait, name one: {', '.join(waiting)}")
    return waiting[0] if waiting else current


def _decide(verdict: "Verdict", edition: str | None, by: str | None, note: str, as_json: bool) -> None:
    from engagement_pipeline.copywriting.approvals import Approval
    from engagement_pipeline.delivery.approving import decide
    from engagement_pipeline.platform.account import account_name

    pipeline = _pipeline()
    chosen = _chosen(pipeline, edition)
    who = account_name() if by is None else " ".join(by.split())
    note = " ".join(note.split())
    approval = Approval(pipeline.settings.campaign, chosen, verdict, who, note, pipeline.now())
    if verdict == "approved":
        decided = decide(pipeline.database, pipeline.ledger, approval)
    else:
        with progress("Closing", "e-mails", quiet=as_json) as advance:
            decided = decide(pipeline.database, pipeline.ledger, approval, advance)
    result = {
        **decided.approval.record(),
        "is_new": decided.is_new,
        "before": None if decided.before is None else decided.before.verdict,
        "closed": decided.closed,
        "waiting": decided.waiting,
        "emailed": decided.emailed,
    }
    emit(result, as_json, lambda: _show_decided(decided, pipeline))


def _show_decided(decided: "Decided", pipeline: "Pipeline") -> None:
    approval = decided.approval
    already = "" if decided.is_new else f" already, since {approval.decided_at:%Y-%m-%d %H:%M} UTC"
    typer.echo(f"Edition {approval.edition} is {approval.verdict}{already}, by {approval.decided_by}.")
    if approval.verdict == "approved":
        typer.echo(f"{_emails(decided.waiting)} with these words may go now, within sending hours.")
        if not pipeline.settings.needs_approval:
            typer.echo("They could before: ENGAGEMENT_NEEDS_APPROVAL is off, so that only a rejection holds any back.")
        if decided.before is not None and decided.before.verdict == "rejected":
            typer.echo("What the rejection closed stays closed; the next daily run decides on those users again.")
        return
    typer.echo(f"{_emails(decided.closed)} closed that waited; {_emails(decided.emailed)} had gone out before.")
    if decided.waiting:
        typer.echo(f"{_emails(decided.waiting)} that a sender holds will be closed when it gives them back.")
    if approval.edition == pipeline.edition:
        typer.echo("Nobody is written to until the copy says something else.")


def _show_sample(pipeline: "Pipeline", report: "CopyReport") -> None:
    if not report.emails:
        typer.echo(f"Nothing is written yet in edition {report.edition}: the daily run does that (`make dev`).")
        return
    typer.echo(
        f"Edition {report.edition} of {pipeline.settings.campaign}: {_emails(report.emails)} that share"
        f" {report.texts:,} texts.\n"
    )
    _side_by_side({each.variant: [_in_words(sample) for sample in each.samples] for each in report.variants})
    bars("Whose words", "copywriter", report.by_copywriter)
    if report.fallen_back:
        typer.echo(f"In {report.share_fallen_back:.1%} of the e-mails a template stands in for a model's text.")
        bars("What was wrong with that", "failure", report.failures)
    typer.echo(
        f"The texts cost ${report.cost_usd:,.4f}: ${report.cost_usd_per_thousand:,.4f} for a thousand e-mails.\n"
        f"To decide: engagement copy approve {report.edition}, or engagement copy reject {report.edition}"
    )


def _in_words(sample: Any) -> str:
    copy = sample.copy
    stands_in = f", stands in: {', '.join(sample.failures)}" if sample.failures else ""
    said = (copy["subject"], copy["preheader"], copy["greeting"], *copy["paragraphs"], f"[ {copy['call_to_action']} ]")
    return "\n\n".join((f"({sample.copywriter}, {_emails(sample.emails)}{stands_in})", *said))


def _side_by_side(columns: Mapping[str, Sequence[str]]) -> None:
    from itertools import zip_longest

    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    view = Table(*columns, show_lines=True, header_style="bold")
    for row in zip_longest(*columns.values(), fillvalue=""):
        # Not as markup: it is shown as it is written.
        view.add_row(*map(Text, row))
    Console().print(view)


def _verdict(record: Mapping[str, Any]) -> dict[str, Any]:
    return {name: record.get(name) for name in ("verdict", "decided_by", "decided_at", "note")}


def _show_status(pipeline: "Pipeline", editions: Sequence[Mapping[str, Any]], unapproved: int) -> None:
    from engagement_pipeline.delivery.approving import in_words

    rows = [
        (
            f"{each['edition']}{' (now)' if each['is_current'] else ''}",
            each["verdict"] or "undecided",
            each["decided_by"] or "",
            f"{each['decided_at']:%Y-%m-%d %H:%M}" if each["decided_at"] else "",
            each["note"] or "",
            ", ".join(f"{status} {number:,}" for status, number in sorted(each["emails_by_status"].items())) or "none",
        )
        for each in editions
    ]
    header = ["edition", "verdict", "by", "when (UTC)", "note", "e-mails"]
    table(f"What {pipeline.settings.campaign} says", header, rows, whole=["edition"])
    if pipeline.settings.needs_approval:
        typer.echo("E-mails wait until their edition is approved (ENGAGEMENT_NEEDS_APPROVAL).")
    else:
        typer.echo(
            "The campaign runs on trust: everything goes that was not rejected (ENGAGEMENT_NEEDS_APPROVAL is off)."
        )
    if unapproved:
        typer.echo(f"{in_words(unapproved)}.")


def _emails(number: int) -> str:
    return "1 e-mail" if number == 1 else f"{number:,} e-mails"
