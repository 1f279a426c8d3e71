"""E-mails: the list, one message as its recipient sees it, and what became of it."""

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta, timezone
from typing import Any, Final, Literal, get_args

from fastapi import APIRouter, Response
from fastapi.responses import HTMLResponse

from engagement_pipeline.delivery import unknowns
from engagement_pipeline.delivery.statuses import Status
from engagement_pipeline.web.dashboard import course
from engagement_pipeline.web.dashboard.lists import PAGE_SIZE, Pager
from engagement_pipeline.web.dashboard.screen import Fields, Reader, Writer, go, text
from engagement_pipeline.web.queries import emails
from engagement_pipeline.web.queries.emails import EmailDetail, EmailFilters

router = APIRouter(include_in_schema=False)

_SECTION: Final = "/emails"
_LOOKS: Final = ("desktop", "phone", "text")
_LONGEST_NAME: Final = 64
_LONGEST_NOTE: Final = 200

# The e-mail's own styles stand in it; it may run nothing, load nothing and lead nowhere, and only we may frame it.
_PREVIEW_POLICY: Final = (
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'self'"
)


@router.get("/emails")
def show(
    screen: Reader, status: str = "", campaign: str = "", variant: str = "", since: str = "", until: str = ""
) -> Response:
    """Show a page of e-mails, the newest first."""
    chosen = {
        "status": status if status in get_args(Status) else "",
        "campaign": campaign.strip()[:_LONGEST_NAME],
        "variant": variant.strip()[:_LONGEST_NAME],
        "since": since,
        "until": until,
    }
    pager = Pager(screen, _SECTION, chosen)
    campaigns = [screen.pipeline.settings.campaign]
    common: dict[str, Any] = {"chosen": chosen, "filtered": any(chosen.values()), "campaigns": campaigns}
    try:
        filters = EmailFilters(
            status=chosen["status"] or None,  # type: ignore[arg-type]  # checked just above
            campaign=chosen["campaign"] or None,
            variant=chosen["variant"] or None,
            created_from=_midnight(since),
            created_to=_midnight(until, days_later=1),
        )
    except (ValueError, OverflowError):
        wrong = "A date is not one: write it as 2026-03-31."
        return screen.show(
            "emails.html.j2", _SECTION, status=422, wrong=wrong, emails=[], first=None, next=None, **common
        )
    with screen.pipeline.database.read() as connection:
        page = emails.list_emails(connection, filters, PAGE_SIZE, pager.after)
    return screen.show(
        "emails.html.j2",
        _SECTION,
        wrong=None,
        emails=page.emails,
        first=pager.first,
        next=pager.next(page.following),
        **common,
    )


@router.get("/email/{email_id}")
def show_one(screen: Reader, email_id: str, look: str = "desktop") -> Response:
    """Show an e-mail: what it says, why, and what became of it."""
    detail = emails.email_detail(screen.pipeline, email_id)
    if detail is None:
        return screen.missing(_SECTION, "e-mail")
    rendered = emails.render(screen.pipeline, detail)
    return screen.show(
        "email.html.j2",
        _SECTION,
        email={**vars(detail.row), **{name: getattr(detail, name) for name in _FURTHER}},
        subject=None if rendered is None else rendered.subject,
        preheader=None if rendered is None else rendered.preheader,
        text=None if rendered is None else rendered.text,
        why_no_copy="It is empty, or no longer fits what an e-mail of this brand may be.",
        recipient=detail.recipient,
        look=look if look in _LOOKS else "desktop",
        entries=course.of_email(detail),
        unreliable_opens=any(event.kind in ("open", "machine_open") for event in detail.events),
        brief=None if (brief := detail.kept.known()) is None else brief.in_words(),
        origin=_origin(detail),
    )


@router.get("/emails/preview/{email_id}")
def preview(screen: Reader, email_id: str) -> Response:
    """Answer with the e-mail itself, for the page's frame; its open is not counted."""
    detail = emails.email_detail(screen.pipeline, email_id)
    rendered = None if detail is None else emails.render(screen.pipeline, detail)
    if rendered is None:
        return screen.missing(_SECTION, "e-mail")
    return HTMLResponse(rendered.html, headers={"Content-Security-Policy": _PREVIEW_POLICY})


@router.post("/emails/resolve/{email_id}")
def resolve(screen: Writer, fields: Fields, email_id: str) -> Response:
    """Take a person's word for what became of an unknown e-mail."""
    became: Literal["sent", "failed"] = "sent" if text(fields, "became") == "sent" else "failed"
    note = text(fields, "note")[:_LONGEST_NOTE]
    pipeline, entry = screen.pipeline, screen.by.entry("email.resolved", "email", email_id, {"became": became})
    resolved = unknowns.resolve(pipeline.stores, email_id, became, note, pipeline.now(), entry)
    return go(f"/email/{email_id}", "resolved" if resolved else "not_unknown")


_FURTHER: Final = ("attempts", "not_before", "provider", "provider_message_id", "overrides")


def _origin(detail: EmailDetail) -> Sequence[tuple[str, str]]:
    """Return what the copy rests on, and where it comes from."""
    found: list[tuple[str, object]] = [("Variant", detail.row.variant), ("Written by", detail.row.copywriter)]
    if reasons := (detail.copy or {}).get("reasons"):
        found.append(("Rests on", ", ".join(reasons)))
    if origin := detail.kept.record:
        found.append(("Model", origin.get("model")))
        found.append(("Prompt", origin.get("prompt_version")))
        if failures := origin.get("failures"):
            found.append(("Given up before", ", ".join(failures)))
    if detail.row.edition:
        found.append(("Edition", detail.row.edition))
    return [(name, str(value)) for name, value in found if value]


def _midnight(text: str, days_later: int = 0) -> datetime | None:
    """Return the beginning of a day (UTC)."""
    if not text:
        return None
    return datetime.combine(date.fromisoformat(text) + timedelta(days=days_later), time(), timezone.utc)
