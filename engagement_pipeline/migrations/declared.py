"""Every table that the code declares, in `metadata`, which is what migrations are held against."""

import engagement_pipeline.changes.tables
import engagement_pipeline.copywriting.tables
import engagement_pipeline.delivery.tables
import engagement_pipeline.platform.audit
import engagement_pipeline.platform.change_claims
import engagement_pipeline.platform.change_log
import engagement_pipeline.platform.idempotency
import engagement_pipeline.platform.published
import engagement_pipeline.platform.run_failures
import engagement_pipeline.platform.run_marks
import engagement_pipeline.scoring.tables
import engagement_pipeline.users.tables
import engagement_pipeline.web.security.tables  # noqa: F401
from engagement_pipeline.platform.sql import metadata

__all__ = ["metadata"]
