"""What e-mails say, one for each variant, to be read before or after they are sent."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from engagement_pipeline.delivery.tables import emails
from engagement_pipeline.web.queries.paging import LOOKED_AT


@dataclass(frozen=True)
class Sample:
    """What one e-mail says, with its placeholders."""

    email_id: str
    variant: str | None
    subject: str
    paragraphs: tuple[str, ...]


def read_samples(connection: sa.Connection, email_ids: Collection[str]) -> dict[str, Sample]:
    """Return what these e-mails say, by id; those without a copy are left out."""
    query = sa.select(emails.c.email_id, emails.c.variant, emails.c.copy).where(emails.c.email_id.in_(email_ids))
    return {
        row.email_id: _sample(row.email_id, row.variant, row.copy)
        for row in connection.execute(query)
        if row.copy is not None
    }


def newest_samples(connection: sa.Connection) -> dict[str, dict[str, Sample]]:
    """Return one e-mail of each campaign's variants, from the newest of the ledger: by campaign, then by variant."""
    newest = sa.select(emails.c.email_id, emails.c.campaign, emails.c.variant, emails.c.status)
    newest = newest.order_by(emails.c.created_at.desc(), emails.c.email_id.desc()).limit(LOOKED_AT)
    looked_at = newest.subquery()
    chosen = (
        sa.select(looked_at.c.campaign, sa.func.max(looked_at.c.email_id))
        .where(looked_at.c.status != "held_out")
        .group_by(looked_at.c.campaign, looked_at.c.variant)
    )
    campaigns = {email_id: campaign for campaign, email_id in connection.execute(chosen)}
    found: dict[str, dict[str, Sample]] = defaultdict(dict)
    for email_id, sample in sorted(read_samples(connection, campaigns).items(), key=lambda each: each[1].variant or ""):
        found[campaigns[email_id]][sample.variant or ""] = sample
    return found


def _sample(email_id: str, variant: str | None, copy: Mapping[str, Any]) -> Sample:
    return Sample(email_id, variant, str(copy.get("subject", "")), tuple(map(str, copy.get("paragraphs", ()))))
