"""Users: the list, and one user with everything about them."""

from collections.abc import Sequence
from datetime import date
from http import HTTPStatus
from typing import Any, Final, get_args

from fastapi import APIRouter, Response

from engagement_pipeline.platform.settings_groups import ScoringSettings
from engagement_pipeline.scoring.curve import Point, thinned
from engagement_pipeline.scoring.population import published_population
from engagement_pipeline.scoring.shown import shown
from engagement_pipeline.web.dashboard import charts, course, figures
from engagement_pipeline.web.dashboard.lists import PAGE_SIZE, Pager
from engagement_pipeline.web.dashboard.rendering import Said
from engagement_pipeline.web.dashboard.screen import Reader, Screen
from engagement_pipeline.web.dashboard.words import BANDS
from engagement_pipeline.web.queries import emails, orders, scoring, timeline, users
from engagement_pipeline.web.queries.users import Band, Sort, UserFilters

router = APIRouter(include_in_schema=False)

SECTION: Final = "/users"

_SORTS: Final[Sequence[tuple[Sort, str]]] = (
    ("score", "Lowest score first"),
    ("-score", "Highest score first"),
    ("name", "Name"),
    ("-last_order_at", "Newest order first"),
    ("last_order_at", "Oldest order first"),
    ("user_id", "Id"),
)
_LONGEST: Final = 320
_EMAILS: Final = 20
_ORDERS: Final = 10
_ENTRIES: Final = 30
_SCORES: Final = charts.Scale(0, 100, (0, 50, 100))


@router.get("/users")
def show(screen: Reader, q: str = "", band: str = "", sort: str = "") -> Response:
    """Show a page of users."""
    chosen = {"q": q[:_LONGEST].strip(), "band": _one_of(band, get_args(Band)), "sort": _one_of(sort, get_args(Sort))}
    pager = Pager(screen, SECTION, chosen)
    filters = UserFilters(
        q=chosen["q"] or None,
        band=chosen["band"] or None,  # type: ignore[arg-type]  # checked just above
        sort=chosen["sort"] or None,  # type: ignore[arg-type]  # checked just above
    )
    with screen.pipeline.database.read() as connection:
        page = users.list_users(connection, filters, PAGE_SIZE, pager.after, screen.pipeline.secret_key)
    return screen.show(
        "users.html.j2",
        SECTION,
        users=page.users,
        chosen={**chosen, "sort": filters.order},
        sorts=_SORTS,
        first=pager.first,
        next=pager.next(page.following),
    )


@router.get("/user/{user_id:path}")
def show_one(screen: Reader, user_id: str) -> Response:
    """Show everything about a user."""
    return page_of(screen, user_id)


def page_of(screen: Screen, user_id: str, *, said: Said | None = None, status: int = HTTPStatus.OK) -> Response:
    """Return a user's page; `said` is what it says about what was just asked for."""
    settings, today = screen.pipeline.settings.scoring, screen.pipeline.now().date()
    pager = Pager(screen, f"/user/{figures.in_path(user_id)}", {})
    user = screen.pipeline.store.get_user(user_id)
    if user is None:
        return screen.missing(SECTION, "user")
    with screen.pipeline.database.read() as connection:
        detail = users.user_detail(connection, user)
        population = published_population(connection)
        points = [] if population is None else timeline.curve(connection, detail.user, population, settings, today)
        written = emails.list_emails(connection, emails.EmailFilters(user_id=user_id), _EMAILS)
        bought = orders.orders_of(connection, user_id, _ORDERS)
        happened = timeline.timeline(connection, user_id, points, _ENTRIES, pager.after)
        explanation = scoring.explained(connection, detail.user, settings, today)
    return screen.show(
        "user.html.j2",
        SECTION,
        status=status,
        said=said,
        user=detail.user,
        suppression=detail.suppression,
        open_email=detail.open_email,
        explanation=explanation,
        why_no_score=scoring.NO_POPULATION,
        as_of=today,
        threshold=settings.at_risk_below,
        emails=written.emails,
        orders=bought.orders,
        entries=course.of_user(happened.entries),
        more=pager.next(happened.following),
        **_curve(points, settings, [email.sent_at.date() for email in written.emails if email.sent_at]),
    )


def _curve(points: Sequence[Point], settings: ScoringSettings, emailed_on: Sequence[date]) -> dict[str, Any]:
    drawn = thinned(points) if points else []
    values = [(point.day, point.score) for point in drawn]
    ends = (0.0, settings.critical_below, settings.at_risk_below, settings.moderate_below, 100.0)
    label = f"Score from {shown(values[0][1])} to {shown(values[-1][1])} points" if values else ""
    return {
        "curve": charts.curve(values, _SCORES, emailed_on),
        "curve_scale": _SCORES,
        "curve_bands": [(name, low, high) for name, low, high in zip(BANDS, ends, ends[1:], strict=False)],
        "curve_label": label,
        "curve_points": values,
    }


def _one_of(value: str, allowed: Sequence[str]) -> str:
    """Return the value, or nothing where it is not one that there is: an address may have been mistyped."""
    return value if value in allowed else ""
