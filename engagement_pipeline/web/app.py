"""The web application: what recipients of e-mails and the provider reach from outside."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Final

import anyio.to_thread
from fastapi import FastAPI, Request, Response
from sqlalchemy.exc import OperationalError
from starlette.exceptions import HTTPException

from engagement_pipeline.delivery.feedback.sns import Certificates
from engagement_pipeline.delivery.feedback.sns import fetch as fetch_from_sns
from engagement_pipeline.pipeline import Pipeline
from engagement_pipeline.users.keys import check_secret_key
from engagement_pipeline.web import health, sns, tracking, unsubscribe
from engagement_pipeline.web.pages import Pages
from engagement_pipeline.web.protection import BodyLimit, SafeHeaders

# Fewer than the store's connections, so that a request that has a thread never waits for a connection as well.
_THREADS: Final = 10


def create_app(pipeline: Pipeline, fetch: Callable[[str], bytes] = fetch_from_sns) -> FastAPI:
    """Return the application.

    The store and the brand are opened here: what is wrong with them shows at the start, not at a recipient's click.

    Args:
        pipeline: the parts that the settings choose.
        fetch: returns what is at a URL of SNS: a certificate, or the answer to a confirmation.

    Raises:
        BrandError: the brand's file cannot be used.
        SecretKeyChangedError: with another key every link that was ever sent would be refused.
    """
    app = FastAPI(lifespan=_lifespan, openapi_url=None)
    app.state.pipeline = pipeline
    app.state.pages = Pages(pipeline.brand)
    app.state.fetch = fetch
    app.state.certificates = Certificates(fetch)
    with pipeline.database.write() as connection:
        check_secret_key(connection, pipeline.secret_key)
    for module in (health, unsubscribe, tracking, sns):
        app.include_router(module.router)
    app.add_middleware(BodyLimit)
    app.add_middleware(SafeHeaders)
    app.exception_handler(HTTPException)(_on_http_error)
    app.exception_handler(OperationalError)(_on_busy_store)
    return app


@asynccontextmanager
async def _lifespan(_: FastAPI) -> AsyncIterator[None]:
    anyio.to_thread.current_default_thread_limiter().total_tokens = _THREADS
    yield


async def _on_http_error(request: Request, error: HTTPException) -> Response:
    pages: Pages = request.app.state.pages
    if error.status_code == HTTPStatus.NOT_FOUND:
        return pages.unknown_link()
    title = HTTPStatus(error.status_code).phrase
    page = pages.problem(error.status_code, title, "This address does not take that kind of request.")
    page.headers.update(error.headers or {})
    return page


async def _on_busy_store(request: Request, _: OperationalError) -> Response:
    pages: Pages = request.app.state.pages
    page = pages.problem(
        HTTPStatus.SERVICE_UNAVAILABLE, "One moment, please", "We could not do this just now. Please try again shortly."
    )
    page.headers["Retry-After"] = "30"
    return page
