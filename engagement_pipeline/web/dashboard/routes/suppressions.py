"""Suppressions: search, add, remove with a reason, import, export."""

import tempfile
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Final

from fastapi import APIRouter, Response

from engagement_pipeline.delivery import suppression_files, suppressions
from engagement_pipeline.delivery.suppressions import PERSON, Suppression
from engagement_pipeline.platform.errors import BadInputError
from engagement_pipeline.users.addresses import InvalidAddressError
from engagement_pipeline.web.dashboard.lists import PAGE_SIZE, Pager
from engagement_pipeline.web.dashboard.rendering import Said
from engagement_pipeline.web.dashboard.screen import Fields, Reader, Screen, Writer, file, go, text
from engagement_pipeline.web.queries.suppressions import Reasons, list_suppressions

router = APIRouter(include_in_schema=False)

_SECTION: Final = "/suppressions"
_MOST: Final = "2 MB"
_REASON: Final = "is a code of small letters, digits and _, at most 32"


@router.get("/suppressions")
def show(screen: Reader, reason: str = "") -> Response:
    """Show the list, the newest first."""
    pager = Pager(screen, _SECTION, {"reason": reason})
    with screen.pipeline.database.read() as connection:
        page = list_suppressions(connection, PAGE_SIZE, pager.after, reason=reason or None)
    return _page(screen, rows=page.suppressions, reason=reason, first=pager.first, next=pager.next(page.following))


@router.post("/suppressions/search")
def search(screen: Reader, fields: Fields) -> Response:
    """Look for one address: in the form's body, as it must not stand in the page's address."""
    try:
        key = suppressions.key_of(text(fields, "address"), screen.pipeline.secret_key)
    except InvalidAddressError as error:
        return _page(screen, rows=[], searched=True, said=Said(f"That {error}.", "bad"))
    found = screen.pipeline.suppressions.find([key]).get(key)
    return _page(screen, rows=[] if found is None else [found], searched=True, found=found)


@router.post("/suppressions/add")
def add(screen: Writer, fields: Fields) -> Response:
    """Put an address on the list."""
    pipeline = screen.pipeline
    reason = text(fields, "reason") or "manual"
    wrong = {}
    try:
        key = suppressions.key_of(text(fields, "new_address"), pipeline.secret_key)
    except InvalidAddressError as error:
        key, wrong["address"] = "", str(error)
    if not suppressions.REASON.fullmatch(reason):
        wrong["reason"] = _REASON
    if wrong:
        return _page(screen, rows=[], wrong=wrong, status=HTTPStatus.UNPROCESSABLE_ENTITY)
    now = pipeline.now()
    entry = screen.by.entry("suppression.added", "suppression", key, {"reason": reason})
    added = pipeline.suppressions.add([Suppression(key, reason, PERSON, now)], now, entry)
    return go(_SECTION, "suppressed" if added else "was_suppressed")


@router.get("/suppressions/remove/{key}")
def ask_to_remove(screen: Reader, key: str) -> Response:
    """Ask why an address is to be taken off the list."""
    return _ask(screen, key)


@router.post("/suppressions/remove/{key}")
def remove(screen: Writer, fields: Fields, key: str) -> Response:
    """Take an address off the list; the reason is kept in the audit log."""
    why = text(fields, "why")
    if not suppressions.REASON.fullmatch(why):
        return _ask(screen, key, wrong=_REASON)
    listed = screen.pipeline.suppressions
    found = listed.find([key]).get(key)
    if found is not None and found.reason == suppressions.ERASED:
        return go(_SECTION, "stays")
    entry = screen.by.entry("suppression.removed", "suppression", key, {"reason": why})
    removed = found is not None and listed.remove(found, screen.pipeline.now(), entry)
    return go(_SECTION, "taken_off" if removed else "not_on_list")


@router.post("/suppressions/import")
def import_(screen: Writer, fields: Fields) -> Response:
    """Put the addresses of a file on the list."""
    pipeline = screen.pipeline
    content = file(fields, "file")
    if not content:
        return _page(screen, rows=[], wrong={"file": "Choose a file first."}, status=HTTPStatus.UNPROCESSABLE_ENTITY)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "upload.csv")
        path.write_bytes(content)
        try:
            report = suppression_files.import_suppressions(pipeline.stores, path, pipeline.secret_key, pipeline.now())
        except BadInputError as error:
            return _page(screen, rows=[], wrong={"file": str(error)}, status=HTTPStatus.UNPROCESSABLE_ENTITY)
    counts = {"read": report.read, "added": report.added, "known": report.known, "rejected": report.rejected}
    screen.pipeline.audit.record(screen.by.entry("suppressions.imported", "suppressions", "", counts))
    words = f"{report.read:,} lines read: {report.added:,} added, {report.known:,} known, {report.rejected:,} refused."
    return _page(screen, rows=_newest(screen), said=Said(words, "warn" if report.rejected else "good"))


@router.get("/suppressions/export")
def export(screen: Reader) -> Response:
    """Answer with the list as CSV, with the addresses of users that are known; recorded, as those are personal."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "suppressions.csv")
        lines = suppression_files.export_suppressions(screen.pipeline.database, path)
        content = path.read_bytes()
    screen.pipeline.audit.record(screen.by.entry("suppressions.exported", "suppressions", "", {"lines": lines}))
    headers = {"Content-Disposition": 'attachment; filename="suppressions.csv"'}
    return Response(content, media_type="text/csv; charset=utf-8", headers=headers)


def _newest(screen: Screen) -> list[Suppression]:
    with screen.pipeline.database.read() as connection:
        return list(suppressions.list_suppressions(connection, PAGE_SIZE))


def _ask(screen: Screen, key: str, wrong: str | None = None) -> Response:
    row = screen.pipeline.suppressions.find([key]).get(key)
    if row is None:
        return go(_SECTION, "not_on_list")
    status = HTTPStatus.UNPROCESSABLE_ENTITY if wrong else HTTPStatus.OK
    return screen.show("suppression_remove.html.j2", _SECTION, status=status, row=row, wrong=wrong)


def _page(
    screen: Screen,
    *,
    rows: Sequence[Suppression],
    reason: str = "",
    first: str | None = None,
    next: str | None = None,  # noqa: A002 - the template's name
    searched: bool = False,
    found: Suppression | None = None,
    wrong: Mapping[str, str] | None = None,
    said: Said | None = None,
    status: int = HTTPStatus.OK,
) -> Response:
    reasons: Reasons = screen.request.app.state.reasons
    with screen.pipeline.database.read() as connection:
        by_reason = reasons.read(connection)
    return screen.show(
        "suppressions.html.j2",
        _SECTION,
        status=status,
        said=said,
        rows=_newest(screen) if wrong else rows,
        chosen={"reason": reason},
        first=first,
        next=next,
        searched=searched,
        found=found,
        wrong=wrong or {},
        by_reason=by_reason,
        most=_MOST,
    )
