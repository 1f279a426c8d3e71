"""The way out: one-click (RFC 8058), and a page that asks first.

GET and HEAD change nothing, because scanners follow every link. A POST with a genuine token always counts, whatever its
body says: nobody posts there by accident, and a mail program that words it oddly must not keep a person subscribed. No
cookie, no login, no redirect, as the RFC wants.
"""

import json
from datetime import datetime
from typing import Literal

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from engagement_pipeline.delivery import tokens
from engagement_pipeline.delivery.events import Event
from engagement_pipeline.pipeline import Pipeline
from engagement_pipeline.web.origin import origin_of
from engagement_pipeline.web.parts import Body, BrandPages, Parts

router = APIRouter(include_in_schema=False)


@router.api_route("/unsubscribe", methods=["GET", "HEAD"])
async def ask(pipeline: Parts, pages: BrandPages, token: str = "") -> HTMLResponse:
    """Show the page with the button."""
    if tokens.read(token, "unsubscribe", pipeline.secret_key) is None:
        return pages.unknown_link()
    return pages.unsubscribe()


@router.post("/unsubscribe")
def unsubscribe(request: Request, pipeline: Parts, pages: BrandPages, body: Body, token: str = "") -> HTMLResponse:
    """Suppress the address of the token's e-mail, at once."""
    email_id = tokens.read(token, "unsubscribe", pipeline.secret_key)
    # The mail program's words in either encoding, urlencoded or multipart.
    source: Literal["one_click", "page"] = "one_click" if b"one-click" in body.lower() else "page"
    if email_id is None or not _suppress(pipeline, email_id, source, origin_of(request)):
        return pages.unknown_link()
    return pages.unsubscribed()


def _suppress(pipeline: Pipeline, email_id: str, source: str, origin: dict[str, str]) -> bool:
    """Take the request in as an event; False where the ledger does not know the e-mail."""
    # Read first: whoever asks again and again does not wait for the store's lock, nor make a sender wait for it.
    email = pipeline.ledger.get_emails([email_id]).get(email_id)
    if email is None:
        return False
    listed = pipeline.suppressions.find([email.address_key]).get(email.address_key)
    if listed is None or listed.reason != "unsubscribed":
        now = pipeline.now()
        pipeline.stores.feedback.take([_event(email_id, source, origin, now)], now)
    return True


def _event(email_id: str, source: str, origin: dict[str, str], now: datetime) -> Event:
    # With its moment, so that whoever is let back on the list and unsubscribes again is heard again.
    return Event(
        event_id=f"unsubscribe:{email_id}:{now:%Y%m%dT%H%M%S}",
        kind="unsubscribe",
        email_id=email_id,
        provider_message_id=None,
        address_key=None,
        occurred_at=now,
        source=source,
        original=json.dumps(origin),
    )
