"""What waits for somebody to agree to its words, by edition, with samples; and what was decided before."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from engagement_pipeline.copywriting.tables import copy_approvals
from engagement_pipeline.delivery.tables import emails

# The name under which rows from before there were editions are decided on.
UNNAMED: Final = "unnamed"

_WAITING: Final = ("draft", "queued")
# Enough to find a sample of each variant among.
_LOOKED_AT: Final = 200


@dataclass(frozen=True)
class Sample:
    """One e-mail of an edition, with its placeholders."""

    email_id: str
    variant: str | None
    subject: str
    paragraphs: tuple[str, ...]


@dataclass(frozen=True)
class WaitingEdition:
    """E-mails with the same words to choose from, that nobody has decided on: how many, since when, and samples."""

    edition: str
    number: int
    oldest: datetime
    samples: list[Sample]


@dataclass(frozen=True)
class DecidedEdition:
    """A verdict that stands."""

    edition: str
    verdict: str
    decided_by: str
    note: str
    decided_at: datetime


_EDITION: Final = sa.func.coalesce(emails.c.edition, UNNAMED)


def waiting_editions(connection: sa.Connection, campaign: str) -> list[WaitingEdition]:
    """Return the editions of a campaign that wait and that nobody has decided on, the one that waits longest first."""
    decided = sa.select(copy_approvals.c.edition).where(copy_approvals.c.campaign == campaign)
    oldest = sa.func.min(emails.c.created_at, type_=emails.c.created_at.type)
    query = (
        sa.select(_EDITION.label("edition"), sa.func.count().label("number"), oldest.label("oldest"))
        .where(emails.c.status.in_(_WAITING), emails.c.campaign == campaign, _EDITION.not_in(decided))
        .group_by(_EDITION)
        .order_by(oldest)
    )
    return [
        WaitingEdition(row.edition, row.number, row.oldest, _samples(connection, campaign, row.edition))
        for row in connection.execute(query).all()
    ]


def decided_editions(connection: sa.Connection, campaign: str) -> list[DecidedEdition]:
    """Return the verdicts on a campaign's editions, the newest first."""
    columns = (copy_approvals.c[name] for name in DecidedEdition.__dataclass_fields__)
    query = sa.select(*columns).where(copy_approvals.c.campaign == campaign)
    rows = connection.execute(query.order_by(copy_approvals.c.decided_at.desc(), copy_approvals.c.edition))
    return [DecidedEdition(**row._mapping) for row in rows]


def _samples(connection: sa.Connection, campaign: str, edition: str) -> list[Sample]:
    query = sa.select(emails.c.email_id, emails.c.variant, emails.c.copy).where(
        emails.c.status.in_(_WAITING), emails.c.campaign == campaign, _EDITION.in_([edition])
    )
    found: dict[str | None, Sample] = {}
    for row in connection.execute(query.limit(_LOOKED_AT)):
        if row.copy is not None:
            found.setdefault(row.variant, _sample(row.email_id, row.variant, row.copy))
    return [found[variant] for variant in sorted(found, key=lambda each: each or "")]


def _sample(email_id: str, variant: str | None, copy: Mapping[str, Any]) -> Sample:
    return Sample(email_id, variant, str(copy.get("subject", "")), tuple(map(str, copy.get("paragraphs", ()))))
