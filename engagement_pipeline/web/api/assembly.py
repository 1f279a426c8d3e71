"""All routes of the API."""

from typing import Final

from engagement_pipeline.web.api import approvals, docs, emails, metrics, orders, persons, suppressions, system, users

ROUTERS: Final = tuple(
    module.router for module in (users, persons, orders, emails, approvals, suppressions, metrics, system, docs)
)
