"""Suppressions: list, look up, add, remove, bring in and take out."""

import tempfile
from http import HTTPStatus
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Body, Query, Response
from fastapi import Path as InPath

from engagement_pipeline.delivery import suppression_files, suppressions
from engagement_pipeline.delivery.suppressions import PERSON, Suppression
from engagement_pipeline.platform.errors import BadInputError
from engagement_pipeline.users.addresses import InvalidAddressError
from engagement_pipeline.web.api.calls import Call, NoParameters, Reader, Writer
from engagement_pipeline.web.api.described import answers, link, problems
from engagement_pipeline.web.api.lists import Pager
from engagement_pipeline.web.api.models.common import Page
from engagement_pipeline.web.api.models.suppressions import (
    Imported,
    LookedUp,
    Lookup,
    NewSuppression,
    SuppressionAnswer,
    SuppressionQuery,
)
from engagement_pipeline.web.api.problems import ProblemError, invalid, not_found
from engagement_pipeline.web.queries.suppressions import list_suppressions

router = APIRouter(prefix="/api", tags=["Suppressions"])

CSV = "text/csv"

AddressKey = Annotated[str, InPath(pattern=r"^[0-9a-f]{64}$", description="The keyed hash of the address.")]

_LINKS = {
    "get_suppression": link("get_suppression", address_key="$response.body#/address_key"),
    "remove_suppression": link("remove_suppression", address_key="$response.body#/address_key"),
}


@router.get("/suppressions", operation_id="list_suppressions", responses=problems(400))
def list_(call: Reader, query: Annotated[SuppressionQuery, Query()]) -> Page[SuppressionAnswer]:
    """List who must not be written to, the newest first. Addresses are known by their keys."""
    pager = Pager(call, query)
    with call.pipeline.database.read() as connection:
        page = list_suppressions(connection, query.limit, pager.after, reason=query.reason, source=query.source)
    items = [SuppressionAnswer.model_validate(each) for each in page.suppressions]
    return Page(items=items, next=pager.next(page.following))


@router.post(
    "/suppressions",
    operation_id="add_suppression",
    status_code=201,
    responses=answers(200, "It was on the list already, and keeps its reason.", SuppressionAnswer, links=_LINKS)
    | answers(201, "It is on the list now.", links=_LINKS),
)
def add(call: Writer, _: NoParameters, new: NewSuppression, response: Response) -> SuppressionAnswer:
    """Never write to an address again, whatever else says so."""
    key = _key(call, new.address)
    listed = call.pipeline.suppressions
    entry = call.by.entry("suppression.added", "suppression", key, {"reason": new.reason})
    added = Suppression(key, new.reason, PERSON, call.now)
    if not listed.add([added], call.now, entry):
        response.status_code = HTTPStatus.OK
    return SuppressionAnswer.model_validate(listed.find([key]).get(key, added))


@router.post("/suppression-lookups", operation_id="look_up_suppression")
def look_up(call: Reader, _: NoParameters, wanted: Lookup) -> LookedUp:
    """Ask whether an address must not be written to."""
    key = _key(call, wanted.address)
    found = call.pipeline.suppressions.find([key]).get(key)
    answer = None if found is None else SuppressionAnswer.model_validate(found)
    return LookedUp(address_key=key, suppression=answer)


@router.get(
    "/suppression-file",
    operation_id="export_suppressions",
    response_class=Response,
    responses={200: {"description": "A CSV file.", "content": {CSV: {"schema": {"type": "string"}}}}},
)
def export(call: Reader, _: NoParameters) -> Response:
    """Take the list out as CSV, with the addresses of users that are known. It is recorded."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "suppressions.csv"
        lines = suppression_files.export_suppressions(call.pipeline.database, path)
        content = path.read_bytes()
    call.pipeline.audit.record(call.by.entry("suppressions.exported", "suppressions", "", {"lines": lines}))
    headers = {"Content-Disposition": 'attachment; filename="suppressions.csv"'}
    return Response(content, media_type=CSV, headers=headers)


@router.post("/suppression-file", operation_id="import_suppressions", responses=problems(415))
def import_(
    call: Writer,
    _: NoParameters,
    file: Annotated[bytes, Body(media_type=CSV, description="A header with `email` or `address_key`; 2 MiB at most.")],
) -> Imported:
    """Put the addresses of a CSV file on the list. Sending it twice changes nothing."""
    if call.request.headers.get("content-type", "").partition(";")[0].strip().lower() != CSV:
        raise ProblemError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"Send the file as it is, with Content-Type: {CSV}.")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "api.csv"
        path.write_bytes(file)
        try:
            report = suppression_files.import_suppressions(
                call.pipeline.stores, path, call.pipeline.secret_key, call.now
            )
        except BadInputError as error:
            raise invalid("body", "unreadable", str(error)) from None
    details = {"read": report.read, "added": report.added, "rejected": report.rejected}
    call.pipeline.audit.record(call.by.entry("suppressions.imported", "suppressions", "", details))
    return Imported.model_validate(report)


@router.get("/suppressions/{address_key}", operation_id="get_suppression", responses=problems(404))
def get(call: Reader, _: NoParameters, address_key: AddressKey) -> SuppressionAnswer:
    """Read why an address must not be written to."""
    found = call.pipeline.suppressions.find([address_key]).get(address_key)
    if found is None:
        raise not_found("suppression")
    return SuppressionAnswer.model_validate(found)


@router.delete(
    "/suppressions/{address_key}",
    operation_id="remove_suppression",
    status_code=204,
    responses=problems(404, 409) | answers(204, "It is off the list."),
)
def remove(call: Writer, _: NoParameters, address_key: AddressKey) -> Response:
    """Take an address off the list, for instance after its owner has asked for it."""
    found = call.pipeline.suppressions.find([address_key]).get(address_key)
    if found is None:
        raise not_found("suppression")
    if found.reason == suppressions.ERASED:
        raise ProblemError(HTTPStatus.CONFLICT, "This person was erased, and is never written to again.")
    entry = call.by.entry("suppression.removed", "suppression", address_key, {"reason": found.reason})
    if not call.pipeline.suppressions.remove(found, call.now, entry):
        raise ProblemError(HTTPStatus.CONFLICT, "Why it is on the list has changed meanwhile: look again.")
    return Response(status_code=HTTPStatus.NO_CONTENT)


def _key(call: Call, address: str) -> str:
    try:
        return suppressions.key_of(address, call.pipeline.secret_key)
    except InvalidAddressError:
        raise invalid("address", "invalid_email", "is not an address that mail can be sent to, nor a key") from None
