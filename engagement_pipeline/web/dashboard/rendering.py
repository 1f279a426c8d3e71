"""Renders the dashboard's pages: one environment, one frame, one policy of what a browser may load and do."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from engagement_pipeline.scoring.shown import shown
from engagement_pipeline.web.dashboard import figures, words
from engagement_pipeline.web.dashboard.static_files import static_url

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; frame-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

NAVIGATION: Final = (
    ("/", "Overview"),
    ("/users", "Users"),
    ("/emails", "E-mails"),
    ("/approvals", "Approvals"),
    ("/campaigns", "Campaigns"),
    ("/suppressions", "Suppressions"),
    ("/system", "System"),
)

_THOUSAND: Final = 1_000
_MILLION: Final = 1_000_000
_COMPACT_FROM: Final = 10_000


@dataclass(frozen=True)
class Said:
    """What a page says about what was just done."""

    words: str
    tone: str = "good"


class Templates:
    """The templates, filled in."""

    def __init__(self, brand_name: str) -> None:
        """Prepare what is the same on every page."""
        environment = Environment(
            loader=PackageLoader(__package__),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.filters.update(
            number=figures.number,
            money=figures.money,
            points=figures.points,
            score=shown,
            day=figures.day,
            moment=figures.moment,
            short=figures.short,
            in_path=figures.in_path,
            readable=words.readable,
            reason_meaning=words.reason_meaning,
        )
        environment.globals.update(
            brand_name=brand_name,
            navigation=NAVIGATION,
            static_url=static_url,
            compact=compact,
            share=figures.share,
            ago=figures.ago,
            BANDS=words.BANDS,
            STATUSES=words.STATUSES,
            STATUS_MEANINGS=words.STATUS_MEANINGS,
            EVENTS=words.EVENTS,
            SUPPRESSION_REASONS=words.SUPPRESSION_REASONS,
            ORDER_STATUSES=words.ORDER_STATUSES,
        )
        self._environment = environment

    def answer(self, template: str, status: int = HTTPStatus.OK, **facts: Any) -> HTMLResponse:
        """Return a whole page."""
        html = self._environment.get_template(template).render(**facts)
        return HTMLResponse(html, status, {"Content-Security-Policy": POLICY})

    def login(self, next: str, *, wrong: bool) -> HTMLResponse:  # noqa: A002 - the field's name
        """Ask for a token, and lead on to `next`; `wrong`: the last one was not good."""
        status = HTTPStatus.UNAUTHORIZED if wrong else HTTPStatus.OK
        return self.answer("login.html.j2", status, next=next, wrong=wrong)

    def problem(self, status: int, title: str, sentence: str) -> HTMLResponse:
        """Say in a sentence what is wrong, and what helps."""
        return self.answer("problem.html.j2", status, title=title, sentence=sentence)


def compact(value: float) -> str:
    """Return a figure short enough for an axis: 250, 1,200, 25k, 1.5M."""
    if value >= _MILLION:
        return f"{value / _MILLION:.1f}".removesuffix(".0") + "M"
    if value >= _COMPACT_FROM:
        return f"{value / _THOUSAND:.1f}".removesuffix(".0") + "k"
    return f"{value:,g}"
