"""Measurements for Prometheus: how long requests take, and how the store says that things stand."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Final

from fastapi import APIRouter, BackgroundTasks, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from engagement_pipeline.pipeline import Pipeline
from engagement_pipeline.platform import clock
from engagement_pipeline.web.api.described import Responses, problems
from engagement_pipeline.web.queries.system import SystemState, count_by_status, system_state
from engagement_pipeline.web.route_book import RouteBook
from engagement_pipeline.web.security.hosts import is_local
from engagement_pipeline.web.security.people import door_of

router = APIRouter(tags=["Health"])

# Counting the ledger reads an index whole, a second or two of a large one: not more often than this.
_COUNTED_EVERY_SECONDS: Final = 60.0
_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)

_TEXT: Final[Responses] = {
    200: {"description": "Prometheus text.", "content": {"text/plain": {"schema": {"type": "string"}}}}
}


class Monitoring:
    """The measurements of one application."""

    def __init__(self, pipeline: Pipeline) -> None:
        """Begin to measure."""
        self.registry = CollectorRegistry()
        self.requests = Histogram(
            "engagement_http_request_seconds",
            "Time to the end of an answer.",
            ("method", "path", "status"),
            buckets=_BUCKETS,
            registry=self.registry,
        )
        ProcessCollector(registry=self.registry)
        self.store = _Store(pipeline)
        self.registry.register(self.store)


@router.get(
    "/metrics",
    operation_id="get_measurements",
    response_class=Response,
    responses=_TEXT | problems(401, 429),
)
def measurements(request: Request, background: BackgroundTasks) -> Response:
    """Give measurements to Prometheus: to whoever asks on this machine, or has a token."""
    if not is_local(request):
        door_of(request).by_header(request, background)
    monitoring: Monitoring = request.app.state.monitoring
    # After the answer: the next one has the numbers.
    background.add_task(monitoring.store.count)
    return Response(generate_latest(monitoring.registry), media_type=CONTENT_TYPE_LATEST)


class Measured:
    """Measures how long each answer takes, by the path's template: ids are nobody's business."""

    def __init__(self, app: ASGIApp, monitoring: Monitoring, routes: RouteBook) -> None:
        """Wrap an application."""
        self._app = app
        self._requests = monitoring.requests
        self._routes = routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = clock.monotonic()
        ended: float | None = None
        status = 500

        async def send_on(message: Message) -> None:
            nonlocal status, ended
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)
            # What is done in the background afterwards nobody waits for.
            ended = clock.monotonic()

        try:
            await self._app(scope, receive, send_on)
        finally:
            path = self._routes.template(scope["path"]) or "other"
            method = scope["method"] if scope["method"] in _METHODS else "other"
            self._requests.labels(method, path, str(status)).observe((ended or clock.monotonic()) - begun)


_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class _Store(Collector):
    """Asks the store when somebody looks."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._counts: Mapping[str, int] = {}
        self._counted_at: float | None = None

    def count(self) -> None:
        """Count the ledger anew, unless that was done lately or is being done."""
        now = clock.monotonic()
        if self._counted_at is None or now - self._counted_at > _COUNTED_EVERY_SECONDS:
            self._counted_at = now
            with self._pipeline.database.read() as connection:
                self._counts = count_by_status(connection)

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterator[Metric]:
        now = self._pipeline.now()
        with self._pipeline.database.read() as connection:
            state = system_state(connection, now)
        yield _gauge("engagement_emails", "E-mails of the ledger, counted once a minute.", "status", self._counts)
        yield from _queues(state, now)
        yield from _runs(state, now)


def _queues(state: SystemState, now: datetime) -> Iterator[Metric]:
    queues = {"draft": state.drafts, "queued": state.queued}
    numbers = {name: queue.number for name, queue in queues.items()}
    ages = {name: _age(queue.oldest, now) for name, queue in queues.items()}
    yield _gauge("engagement_queue_emails", "E-mails that wait, counted to 10,000.", "queue", numbers)
    yield _gauge("engagement_queue_age_seconds", "Age of the oldest e-mail that waits.", "queue", ages)
    yield GaugeMetricFamily(
        "engagement_unanswered_changes", "Changes that no run has answered, to 10,000.", state.unanswered_changes
    )
    yield GaugeMetricFamily("engagement_unknown_emails", "E-mails that nobody can tell of.", state.unknown.number)
    yield GaugeMetricFamily(
        "engagement_unknown_age_seconds",
        "Age of the oldest e-mail that nobody can tell of.",
        _age(state.unknown.oldest, now),
    )
    yield GaugeMetricFamily(
        "engagement_sending_stopped", "1 where sending waits for a person to say go on.", int(state.stopped is not None)
    )


def _runs(state: SystemState, now: datetime) -> Iterator[Metric]:
    succeeded = {job.job: _age(job.last_success_at, now) for job in state.jobs if job.last_success_at is not None}
    failed = {job.job: _age(job.last_failure_at, now) for job in state.jobs if job.last_failure_at is not None}
    failures: dict[str, int] = {}
    for failure in state.failures:
        failures[failure.job] = failures.get(failure.job, 0) + 1
    yield _gauge("engagement_job_success_age_seconds", "Time since a job last succeeded.", "job", succeeded)
    yield _gauge("engagement_job_failure_age_seconds", "Time since a job last failed.", "job", failed)
    yield _gauge("engagement_failed_runs", "Failed runs of the last seven days.", "job", failures)


def _gauge(name: str, description: str, label: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(name, description, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family


def _age(moment: datetime | None, now: datetime) -> float:
    return 0.0 if moment is None else (now - moment).total_seconds()
