"""All routes of the dashboard."""

from typing import Final

from engagement_pipeline.web.dashboard import static_files
from engagement_pipeline.web.dashboard.routes import emails, suppressions, system, users

ROUTERS: Final = tuple(module.router for module in (static_files, users, emails, suppressions, system))
