"""Campaigns and experiments: what each brought against its hold-out, by variant and band, with samples."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import sqlalchemy as sa
from fastapi import APIRouter, Response

from engagement_pipeline.metrics.models import Segment
from engagement_pipeline.web.dashboard import charts, overview
from engagement_pipeline.web.dashboard.charts import Interval
from engagement_pipeline.web.dashboard.screen import Reader
from engagement_pipeline.web.dashboard.words import BANDS
from engagement_pipeline.web.queries import metrics
from engagement_pipeline.web.queries.emails import EmailFilters, EmailRow, list_emails

router = APIRouter(include_in_schema=False)

_SECTION: Final = "/campaigns"
_SAMPLES_OF_VARIANT: Final = 2
_VARIANTS_SAMPLED: Final = 6
_KINDS: Final[Sequence[tuple[Literal["variant", "band"], str]]] = (("variant", "By variant"), ("band", "By band"))


@dataclass(frozen=True)
class Campaign:
    """One campaign: as a whole, its segments with their lifts on one axis, and samples."""

    name: str
    whole: Segment
    drawn: Interval | None
    segments: Sequence[tuple[str, str, Sequence[tuple[Segment, Interval | None]]]]
    samples: Sequence[EmailRow]


@router.get("/campaigns")
def show(screen: Reader) -> Response:
    """Show every campaign that was measured."""
    settings = screen.pipeline.settings
    with screen.pipeline.database.read() as connection:
        published = metrics.effectiveness(connection)
        campaigns = [
            _campaign(connection, whole, published.segments)
            for whole in published.segments
            if whole.segment_kind == "campaign"
        ]
    return screen.show(
        "campaigns.html.j2",
        _SECTION,
        computed_at=published.computed_at,
        campaigns=campaigns,
        hold_out_share=settings.gate.hold_out_share,
        attribution_days=settings.attribution_days,
    )


def _campaign(connection: sa.Connection, whole: Segment, segments: Sequence[Segment]) -> Campaign:
    mine = [each for each in segments if each.campaign == whole.campaign]
    by_kind = []
    for kind, title in _KINDS:
        rows = sorted((each for each in mine if each.segment_kind == kind), key=_place)
        if rows:
            by_kind.append((kind, title, _on_one_axis(rows)))
    variants = [each.segment for each in mine if each.segment_kind == "variant"][:_VARIANTS_SAMPLED]
    samples = [
        email
        for variant in variants
        for email in list_emails(
            connection, EmailFilters(campaign=whole.campaign, variant=variant), _SAMPLES_OF_VARIANT
        ).emails
    ]
    return Campaign(whole.campaign, whole, overview.drawn(whole), by_kind, samples)


def _on_one_axis(rows: Sequence[Segment]) -> Sequence[tuple[Segment, Interval | None]]:
    measured = [(row, found) for row in rows if (found := overview.interval_of(row)) is not None]
    drawn = dict(
        zip((row.segment for row, _ in measured), charts.intervals([each for _, each in measured]), strict=True)
    )
    return [(row, drawn.get(row.segment)) for row in rows]


def _place(segment: Segment) -> tuple[int, str]:
    """Return the place of a segment: bands from the worst to the best, variants by name."""
    bands = list(BANDS)
    return (bands.index(segment.segment) if segment.segment in bands else 0, segment.segment)
