"""E-mails: find, read as their recipients see them, and say what became of those of which nobody can tell."""

from typing import Annotated

from fastapi import APIRouter, Query

from engagement_pipeline.delivery import unknowns
from engagement_pipeline.web.api.calls import Call, EmailId, NoParameters, Reader, Writer
from engagement_pipeline.web.api.described import problems
from engagement_pipeline.web.api.lists import Pager
from engagement_pipeline.web.api.models.common import Page
from engagement_pipeline.web.api.models.emails import (
    EmailAnswer,
    EmailEvent,
    EmailQuery,
    EmailSummary,
    Rendered,
    Resolution,
)
from engagement_pipeline.web.api.problems import ProblemError, not_found
from engagement_pipeline.web.queries.emails import EmailDetail, EmailFilters, email_detail, list_emails, render

router = APIRouter(prefix="/api/emails", tags=["E-mails"])

_FURTHER = ("attempts", "not_before", "provider", "provider_message_id", "overrides")


@router.get(
    "",
    operation_id="list_emails",
    responses=problems(400),
)
def list_(call: Reader, query: Annotated[EmailQuery, Query()]) -> Page[EmailSummary]:
    """List e-mails by status, campaign, variant and date, the newest first."""
    pager = Pager(call, query)
    filters = EmailFilters(query.status, query.campaign, query.variant, query.created_from, query.created_to)
    with call.pipeline.database.read() as connection:
        page = list_emails(connection, filters, query.limit, pager.after)
    items = [EmailSummary.model_validate(email) for email in page.emails]
    return Page(items=items, next=pager.next(page.following))


@router.get("/{email_id}", operation_id="get_email", responses=problems(404))
def get(call: Reader, _: NoParameters, email_id: EmailId) -> EmailAnswer:
    """Read an e-mail with what was reported of it, and as its recipient sees it."""
    return _answer(call, email_id)


@router.post("/{email_id}/resolve", operation_id="resolve_email", responses=problems(404, 409))
def resolve(call: Writer, _: NoParameters, email_id: EmailId, resolution: Resolution) -> EmailAnswer:
    """Say what became of an e-mail of which nobody could tell whether it was sent.

    The provider's own word still counts for more.
    """
    stores = call.pipeline.stores
    entry = call.by.entry("email.resolved", "email", email_id, {"became": resolution.became})
    if not stores.ledger.get_emails([email_id]):
        raise not_found("e-mail")
    if not unknowns.resolve(stores, email_id, resolution.became, resolution.note, call.now, entry):
        raise ProblemError(409, "It is known by now what became of this e-mail.")
    return _answer(call, email_id)


def _answer(call: Call, email_id: str) -> EmailAnswer:
    detail = email_detail(call.pipeline, email_id)
    if detail is None:
        raise not_found("e-mail")
    return EmailAnswer.model_validate(
        {
            **vars(detail.row),
            **{name: getattr(detail, name) for name in _FURTHER},
            "rendered": _rendered(call, detail),
            "brief": detail.kept.brief,
            "provenance": detail.kept.record,
            "events": [EmailEvent.model_validate(event) for event in detail.events],
        }
    )


def _rendered(call: Call, detail: EmailDetail) -> Rendered | None:
    rendered = render(call.pipeline, detail)
    return None if rendered is None else Rendered.model_validate(rendered)
