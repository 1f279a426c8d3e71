"""What the campaign's e-mails say: samples and figures for whoever answers for them. Never a user's row."""

from collections.abc import Mapping
from typing import Any, Final

import dagster as dg

from engagement_pipeline.copywriting import approvals
from engagement_pipeline.defs.assets import DAILY, MARKETING_TEAM
from engagement_pipeline.defs.metadata import markdown_bars
from engagement_pipeline.delivery import approving
from engagement_pipeline.delivery.copy_report import CopyReport, Sample
from engagement_pipeline.delivery.copy_report import copy_report as read_copy
from engagement_pipeline.pipeline import Pipeline

# Above this share of e-mails in which a template stands in for a model's text, somebody should look why.
MOST_FALLEN_BACK: Final = 0.2

# What markdown, or the HTML that it may hold, would not show as it is written.
_ESCAPED: Final = str.maketrans({sign: f"&#{ord(sign)};" for sign in "\\`*_{}[]<>#+|&~"})


@dg.asset(
    deps=["generated_emails"],
    group_name="emails",
    kinds={"sqlalchemy"},
    owners=MARKETING_TEAM,
    code_version="1",
    freshness_policy=DAILY,
)
def copy_report(pipeline: dg.ResourceParam[Pipeline]) -> dg.MaterializeResult[None]:
    """What the campaign says now: samples side by side, how often a model failed at it, and what it cost."""
    report, verdict = _read(pipeline)
    unapproved = pipeline.ledger.count_unapproved(pipeline.settings.campaign)
    return dg.MaterializeResult(
        metadata={
            "edition": report.edition,
            "verdict": verdict,
            "unapproved": unapproved,
            "how_to_go_on": approving.in_words(unapproved) if unapproved else "no e-mail waits for approval",
            "emails": report.emails,
            "texts": report.texts,
            "emails_by_copywriter": markdown_bars(report.by_copywriter, "copywriter"),
            "share_fallen_back": report.share_fallen_back,
            "fallen_back_because": markdown_bars(report.failures, "failure"),
            "cost_usd": round(report.cost_usd, 6),
            "cost_usd_per_thousand_emails": round(report.cost_usd_per_thousand, 6),
            "samples": dg.MetadataValue.md(side_by_side(report)),
        }
    )


@dg.asset_check(asset=copy_report)
def little_falls_back(pipeline: dg.ResourceParam[Pipeline]) -> dg.AssetCheckResult:
    """At most a fifth of the e-mails have a template standing in for a model's text: more costs and brings nothing."""
    report, _ = _read(pipeline)
    return dg.AssetCheckResult(
        passed=report.share_fallen_back <= MOST_FALLEN_BACK,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{report.fallen_back:,} of {report.emails:,} e-mails ({report.share_fallen_back:.1%}) fell back",
        metadata={"fallen_back": report.fallen_back, "emails": report.emails, **_prefixed(report.failures)},
    )


def _read(pipeline: Pipeline) -> tuple[CopyReport, str]:
    campaign, edition = pipeline.settings.campaign, pipeline.edition
    with pipeline.database.read() as connection:
        approval = approvals.find(connection, campaign, edition)
        return read_copy(connection, campaign, edition), "undecided" if approval is None else approval.verdict


def _prefixed(failures: Mapping[str, int]) -> dict[str, Any]:
    return {f"failure_{code}": number for code, number in failures.items()}


def side_by_side(report: CopyReport) -> str:
    """Return the samples as a markdown table with a column for each variant."""
    if not report.variants:
        return "Nothing is written yet."
    columns = [[_cell(sample) for sample in variant.samples] for variant in report.variants]
    deepest = max(len(column) for column in columns)
    lines = [
        "| " + " | ".join(_shown(variant.variant) for variant in report.variants) + " |",
        "|" + "---|" * len(report.variants),
    ]
    for place in range(deepest):
        lines.append("| " + " | ".join(column[place] if place < len(column) else "" for column in columns) + " |")
    return "\n".join(lines)


def _cell(sample: Sample) -> str:
    copy = sample.copy
    about = f"{sample.copywriter}, {sample.emails:,} e-mails"
    if sample.failures:
        about += f", stands in: {', '.join(sample.failures)}"
    said = (copy["subject"], copy["preheader"], copy["greeting"], *copy["paragraphs"], f"→ {copy['call_to_action']}")
    return f"_{_shown(about)}_<br>**{_shown(said[0])}**<br>" + "<br>".join(map(_shown, said[1:]))


def _shown(text: str) -> str:
    return text.translate(_ESCAPED)
