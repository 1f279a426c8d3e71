"""All routes of the dashboard."""

from typing import Final

from engagement_pipeline.web.dashboard import static_files
from engagement_pipeline.web.dashboard.routes import (
    approvals,
    campaigns,
    emails,
    home,
    persons,
    suppressions,
    system,
    user_forms,
    users,
)

ROUTERS: Final = tuple(
    module.router
    for module in (static_files, home, user_forms, persons, users, emails, approvals, campaigns, suppressions, system)
)
