"""What waits for somebody to agree to its words, by edition, with samples; and what was decided before."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any, Final

import sqlalchemy as sa

from engagement_pipeline.copywriting import approvals
from engagement_pipeline.copywriting.approvals import Approval
from engagement_pipeline.delivery.statements import EDITION
from engagement_pipeline.delivery.statuses import WAITING
from engagement_pipeline.delivery.tables import emails
from engagement_pipeline.web.queries.samples import Sample, read_samples

# Of each status, from either end: some 20 ms where there are hundreds of thousands.
LOOKED_AT: Final = 3_000


@dataclass(frozen=True)
class WaitingEdition:
    """E-mails with the same words to choose from, that nobody has decided on.

    Attributes:
        edition: which words.
        number: how many there are among those looked at.
        is_more: whether not all that wait were looked at, so that there may be more.
        oldest: since when the one waits that has waited longest among them.
        samples: one of each variant.
    """

    edition: str
    number: int
    is_more: bool
    oldest: datetime
    samples: list[Sample]


def waiting_editions(connection: sa.Connection, campaign: str) -> list[WaitingEdition]:
    """Return the editions of a campaign that wait and that nobody has decided on, the one that waits longest first.

    Where very many e-mails wait, only the oldest and the newest of each status are looked at. An edition that is
    hidden between them shows as soon as those before it have gone.
    """
    groups = _groups(connection)
    is_more = any(
        sum(row.number for row in rows) >= 2 * LOOKED_AT for _, rows in groupby(groups, lambda row: row.status)
    )
    decided = approvals.find_all(connection, campaign)
    open_ones = [row for row in groups if row.campaign == campaign and row.edition not in decided]
    samples = read_samples(connection, [row.sample for row in open_ones])
    by_edition = sorted(open_ones, key=lambda row: row.edition)
    found = [_edition(list(rows), is_more, samples) for _, rows in groupby(by_edition, lambda row: row.edition)]
    return sorted(found, key=lambda each: (each.oldest, each.edition))


def decided_editions(connection: sa.Connection, campaign: str) -> Sequence[Approval]:
    """Return the verdicts on a campaign's editions, the newest first."""
    return list(approvals.find_all(connection, campaign).values())


def _groups(connection: sa.Connection) -> Sequence[sa.Row[Any]]:
    """Count e-mails that wait by what they say, for each group with an id to stand for it."""
    row = sa.union_all(*(end for status in sorted(WAITING) for end in _ends(connection, status))).subquery().c
    oldest = sa.func.min(row.created_at, type_=emails.c.created_at.type)
    query = (
        sa.select(
            row.status,
            row.campaign,
            row.edition,
            sa.func.count().label("number"),
            oldest.label("oldest"),
            sa.func.max(row.email_id).label("sample"),
        )
        .group_by(row.status, row.campaign, row.edition, row.variant)
        .order_by(row.status)
    )
    return connection.execute(query).all()


_KEYS: Final = (emails.c.created_at, emails.c.email_id)
_COLUMNS: Final = (*_KEYS, emails.c.status, emails.c.campaign, emails.c.variant, EDITION.label("edition"))


def _ends(connection: sa.Connection, status: str) -> list[sa.Select[Any]]:
    """Select the oldest e-mails of a status and, where there are more, the newest of the others."""
    of_it = emails.c.status == status
    oldest = sa.select(*_COLUMNS).where(of_it).order_by(*_KEYS).limit(LOOKED_AT)
    last = connection.execute(oldest.with_only_columns(*_KEYS).offset(LOOKED_AT - 1).limit(1)).one_or_none()
    ends = [oldest]
    if last is not None:
        place = sa.tuple_(*(sa.literal(value, key.type) for key, value in zip(_KEYS, last, strict=True)))
        others = sa.select(*_COLUMNS).where(of_it, sa.tuple_(*_KEYS) > place)
        ends.append(others.order_by(*(key.desc() for key in _KEYS)).limit(LOOKED_AT))
    return [sa.select(end.subquery()) for end in ends]


def _edition(rows: Sequence[sa.Row[Any]], is_more: bool, samples: dict[str, Sample]) -> WaitingEdition:
    # A variant may wait in both statuses.
    by_variant = {sample.variant: sample for row in rows if (sample := samples.get(row.sample)) is not None}
    return WaitingEdition(
        rows[0].edition,
        sum(row.number for row in rows),
        is_more,
        min(row.oldest for row in rows),
        [by_variant[variant] for variant in sorted(by_variant, key=lambda each: each or "")],
    )
