"""Campaigns and experiments: what each brought against its hold-out, by variant and band, with samples."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from fastapi import APIRouter, Response

from engagement_pipeline.metrics.models import Effectiveness, Segment
from engagement_pipeline.web.dashboard import charts, overview
from engagement_pipeline.web.dashboard.charts import Interval
from engagement_pipeline.web.dashboard.screen import Reader
from engagement_pipeline.web.dashboard.words import BANDS
from engagement_pipeline.web.queries import metrics
from engagement_pipeline.web.queries.samples import Sample, newest_samples

router = APIRouter(include_in_schema=False)

_SECTION: Final = "/campaigns"
_KINDS: Final[Sequence[tuple[Literal["variant", "band"], str]]] = (("variant", "By variant"), ("band", "By band"))


@dataclass(frozen=True)
class Campaign:
    """One campaign: as a whole (None before it was measured), its segments on one axis, and a sample per variant."""

    name: str
    whole: Segment | None
    drawn: Interval | None
    segments: Sequence[tuple[str, str, Sequence[tuple[Segment, Interval | None]]]]
    samples: Sequence[tuple[str, Sample | None]]


@router.get("/campaigns")
def show(screen: Reader) -> Response:
    """Show every campaign that was measured, and the present one."""
    settings = screen.pipeline.settings
    with screen.pipeline.database.read() as connection:
        published = metrics.effectiveness(connection)
        samples = newest_samples(connection)
    measured = [each.campaign for each in published.segments if each.segment_kind == "campaign"]
    names = dict.fromkeys((*measured, settings.campaign))
    return screen.show(
        "campaigns.html.j2",
        _SECTION,
        computed_at=published.computed_at,
        campaigns=[_campaign(name, published, samples.get(name, {})) for name in names],
        hold_out_share=settings.gate.hold_out_share,
        attribution_days=settings.attribution_days,
    )


def _campaign(name: str, published: Effectiveness, samples: Mapping[str, Sample]) -> Campaign:
    mine = [each for each in published.segments if each.campaign == name]
    whole = published.of_campaign(name)
    by_kind = []
    for kind, title in _KINDS:
        rows = sorted((each for each in mine if each.segment_kind == kind), key=_place)
        if rows:
            by_kind.append((kind, title, _on_one_axis(rows)))
    variants = sorted({*samples, *(each.segment for each in mine if each.segment_kind == "variant")})
    return Campaign(
        name, whole, overview.drawn(whole), by_kind, [(variant, samples.get(variant)) for variant in variants]
    )


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
