"""The web application, put together: recipients' pages, the REST API, the dashboard, and what monitoring asks for."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

import anyio.to_thread
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import OperationalError
from starlette.exceptions import HTTPException

from engagement_pipeline.delivery.feedback.sns import Certificates
from engagement_pipeline.delivery.feedback.sns import fetch as fetch_from_sns
from engagement_pipeline.pipeline import Pipeline
from engagement_pipeline.platform.dynamodb import UnavailableError
from engagement_pipeline.users.keys import check_secret_key
from engagement_pipeline.web import errors, health, monitoring, sns, tracking, unsubscribe
from engagement_pipeline.web.api.assembly import ROUTERS as API
from engagement_pipeline.web.api.calls import SlashesInIds
from engagement_pipeline.web.api.openapi import VERSION
from engagement_pipeline.web.api.problems import ProblemError
from engagement_pipeline.web.dashboard.assembly import ROUTERS as DASHBOARD
from engagement_pipeline.web.dashboard.rendering import Templates
from engagement_pipeline.web.pages import Pages
from engagement_pipeline.web.protection import SafeHeaders
from engagement_pipeline.web.queries.suppressions import Reasons
from engagement_pipeline.web.route_book import RouteBook
from engagement_pipeline.web.security import login
from engagement_pipeline.web.security.access import Door
from engagement_pipeline.web.security.people import LoginNeededError, login_page
from engagement_pipeline.web.security.requests import (
    MOST_BYTES_OF_A_BATCH,
    BodyLimit,
    NoTokenInAddresses,
    RequestIds,
)

# Fewer than the store's connections, so that a request that has a thread never waits for a connection as well.
_THREADS: Final = 10

_OTHERS: Final = (health, monitoring, unsubscribe, tracking, sns, login)
_ROUTERS: Final = (*(module.router for module in _OTHERS), *API, *DASHBOARD)

_LONGER_BODIES: Final = dict.fromkeys(
    ("/api/order-batches", "/api/suppression-file", "/suppressions/import"), MOST_BYTES_OF_A_BATCH
)


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
    app = FastAPI(lifespan=_lifespan, openapi_url=None, redirect_slashes=False)
    app.state.pipeline = pipeline
    app.state.pages = Pages(pipeline.brand)
    app.state.templates = Templates(pipeline.brand.name)
    app.state.door = Door(pipeline)
    app.state.monitoring = monitoring.Monitoring(pipeline)
    app.state.reasons = Reasons()
    app.state.fetch = fetch
    app.state.certificates = Certificates(fetch)
    with pipeline.database.write() as connection:
        check_secret_key(connection, pipeline.secret_key)
    for router in _ROUTERS:
        app.include_router(router)
    app.state.routes = RouteBook(_ROUTERS)
    _protect(app)
    return app


def _protect(app: FastAPI) -> None:
    """Wrap the application in what holds for every request; the last one added is the first to see it."""
    app.add_middleware(SlashesInIds)
    app.add_middleware(BodyLimit, longer=_LONGER_BODIES)
    app.add_middleware(NoTokenInAddresses, answer=errors.on_http_error)
    app.add_middleware(errors.Unexpected)
    app.add_middleware(SafeHeaders)
    app.add_middleware(RequestIds, version=VERSION)
    app.add_middleware(monitoring.Measured, monitoring=app.state.monitoring, routes=app.state.routes)
    app.add_exception_handler(HTTPException, errors.on_http_error)
    app.add_exception_handler(ProblemError, errors.on_problem)
    app.add_exception_handler(RequestValidationError, errors.on_invalid_request)
    app.add_exception_handler(OperationalError, errors.on_busy_store)
    app.add_exception_handler(UnavailableError, errors.on_busy_store)
    app.add_exception_handler(LoginNeededError, login_page)


@asynccontextmanager
async def _lifespan(_: FastAPI) -> AsyncIterator[None]:
    anyio.to_thread.current_default_thread_limiter().total_tokens = _THREADS
    yield
