"""What belongs to one user: e-mails, orders, everything in one list; and what can be done with a person."""

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Query

from engagement_pipeline.delivery.erasure import erase
from engagement_pipeline.delivery.export import export_person
from engagement_pipeline.delivery.on_request import NoSuchUserError, request_email
from engagement_pipeline.scoring.population import published_population
from engagement_pipeline.users.rows import StoredUser
from engagement_pipeline.web.api.calls import Call, NoParameters, Reader, UserId, Writer
from engagement_pipeline.web.api.described import LOCATION, answers, link, problems
from engagement_pipeline.web.api.idempotency import Done, IdempotencyKey, Once
from engagement_pipeline.web.api.lists import Pager
from engagement_pipeline.web.api.models.common import Listed, Page
from engagement_pipeline.web.api.models.emails import EmailSummary
from engagement_pipeline.web.api.models.orders import OrderAnswer
from engagement_pipeline.web.api.models.users import Erasure, Requested, TimelineEntry, WriteNow
from engagement_pipeline.web.api.problems import ProblemError, not_found
from engagement_pipeline.web.queries import emails, orders, timeline

router = APIRouter(prefix="/api/users/{user_id}", tags=["Users"])

Listing = Annotated[Listed, Query()]


@router.get("/emails", operation_id="list_emails_of_user", responses=problems(400, 404))
def list_emails(call: Reader, user_id: UserId, query: Listing) -> Page[EmailSummary]:
    """List a user's e-mails, the newest first; hold-outs and those that the gate stopped among them."""
    pager = Pager(call, query)
    _user(call, user_id)
    with call.pipeline.database.read() as connection:
        page = emails.list_emails(connection, emails.EmailFilters(user_id=user_id), query.limit, pager.after)
    items = [EmailSummary.model_validate(email) for email in page.emails]
    return Page(items=items, next=pager.next(page.following))


@router.post(
    "/emails",
    operation_id="write_to_user",
    responses=answers(
        200,
        "The gate refused: nothing was written, and `reason` says why.",
    )
    | answers(
        201,
        "An e-mail is written and waits for the sender.",
        Requested,
        headers=LOCATION,
        links={"get_email": link("get_email", email_id="$response.body#/email_id")},
    )
    | problems(404, 409, 410),
)
def write(
    call: Writer, _: NoParameters, user_id: UserId, wish: WriteNow, idempotency_key: IdempotencyKey = None
) -> Requested:
    """Write to this person now: a draft and a place in the queue, through the same gate as every other e-mail.

    Only the cool-down can be set aside, and it is recorded who wanted that. Consent, suppressions, the hold-out and
    sending hours always hold.
    """

    def do() -> Done:
        try:
            requested = request_email(
                call.pipeline.writing,
                user_id,
                call.by.actor,
                wish.override_cool_down,
                call.now,
                request_id=call.by.request_id,
            )
        except NoSuchUserError:
            raise not_found("user") from None
        if requested.status == "open":
            raise ProblemError(HTTPStatus.CONFLICT, requested.meaning, email_id=requested.email_id)
        answer = Requested.model_validate({**vars(requested), "overridden": list(requested.overridden)})
        if requested.status == "refused":
            return Done(answer, user_id=user_id)
        return Done(answer, HTTPStatus.CREATED, {"Location": f"/api/emails/{requested.email_id}"}, user_id)

    # FastAPI documents the answer, and takes this one as it is.
    return Once(call, idempotency_key, wish).around(do)  # type: ignore[return-value]


@router.get("/orders", operation_id="list_orders_of_user", responses=problems(400, 404))
def list_orders(call: Reader, user_id: UserId, query: Listing) -> Page[OrderAnswer]:
    """List a user's orders of every status, the newest first."""
    pager = Pager(call, query)
    _user(call, user_id)
    with call.pipeline.database.read() as connection:
        page = orders.orders_of(connection, user_id, query.limit, pager.after)
    items = [OrderAnswer.model_validate(order.model_dump(mode="json")) for order in page.orders]
    return Page(items=items, next=pager.next(page.following))


@router.get("/timeline", operation_id="get_timeline", responses=problems(400, 404))
def get_timeline(call: Reader, user_id: UserId, query: Listing) -> Page[TimelineEntry]:
    """Read what happened to a user in one list, the newest first.

    Orders, the gate's decisions, e-mails, what was reported of them, changes of band, and of the record.
    """
    pager = Pager(call, query)
    settings = call.pipeline.settings.scoring
    user = _user(call, user_id)
    with call.pipeline.database.read() as connection:
        population = published_population(connection)
        points = [] if population is None else timeline.curve(connection, user, population, settings, call.now.date())
        page = timeline.timeline(connection, user_id, points, query.limit, pager.after)
    items = [TimelineEntry.model_validate(entry) for entry in page.entries]
    return Page(items=items, next=pager.next(page.following))


@router.get("/export", operation_id="export_user", responses=problems(404))
def export(call: Reader, _: NoParameters, user_id: UserId) -> dict[str, Any]:
    """Give everything that is known about a person, for the person (GDPR, articles 15 and 20). It is recorded."""
    exported = export_person(call.pipeline.database, user_id)
    if exported is None:
        raise not_found("user")
    call.pipeline.audit.record(call.by.entry("user.exported", "user", user_id, {}))
    return exported


@router.post("/erase", operation_id="erase_user", responses=problems(404))
def forget(call: Writer, _: NoParameters, user_id: UserId) -> Erasure:
    """Erase a person for good (GDPR, article 17).

    Name, address, orders and what was written go everywhere; what counts is made anonymous; the address is never
    written to again. Asking again does no harm, and finishes what was left.
    """
    report = erase(
        call.pipeline.stores,
        call.pipeline.settings,
        user_id,
        call.by.actor,
        call.now,
        request_id=call.by.request_id,
    )
    if not report.found:
        raise not_found("user")
    return Erasure.model_validate({**vars(report), "same_address": list(report.same_address)})


def _user(call: Call, user_id: str) -> StoredUser:
    user = call.pipeline.store.get_user(user_id)
    if user is None:
        raise not_found("user")
    return user
