"""All routes of the dashboard."""

from typing import Final

from engagement_pipeline.web.dashboard import static_files
from engagement_pipeline.web.dashboard.routes import suppressions, system

ROUTERS: Final = tuple(module.router for module in (static_files, suppressions, system))
