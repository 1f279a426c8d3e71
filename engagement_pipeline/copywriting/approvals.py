"""What somebody has decided about the words of a campaign: one verdict per edition, the newest."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final, Literal

import sqlalchemy as sa

from engagement_pipeline.copywriting.tables import copy_approvals
from engagement_pipeline.copywriting.text import is_visible
from engagement_pipeline.platform.errors import BadInputError
from engagement_pipeline.platform.sql import upsert

Verdict = Literal["approved", "rejected"]

# Rows from before there were editions are decided on together, under this name.
UNNAMED: Final = "unnamed"

LONGEST_BY: Final = 64
LONGEST_NOTE: Final = 200


@dataclass(frozen=True)
class Approval:
    """A verdict on an edition.

    Attributes:
        campaign: whose words.
        edition: which of them; see `copywriting.edition`.
        verdict: approved: they may be sent; rejected: they must not.
        decided_by: whoever decided, as they call themselves; at most `LONGEST_BY` characters, no address.
        note: why; at most `LONGEST_NOTE` characters, no address.
        decided_at: when.
    """

    campaign: str
    edition: str
    verdict: Verdict
    decided_by: str
    note: str
    decided_at: datetime

    def __post_init__(self) -> None:
        for name, text, longest in (("by", self.decided_by, LONGEST_BY), ("note", self.note, LONGEST_NOTE)):
            if "@" in text or len(text) > longest or not is_visible(text):
                raise BadInputError(f"{name} must be a visible line with no address, of at most {longest} characters")
        if not self.decided_by:
            raise BadInputError("by must say who decides")

    def record(self) -> dict[str, Any]:
        """Return what is shown and kept."""
        return asdict(self)


def find(connection: sa.Connection, campaign: str, edition: str) -> Approval | None:
    """Return the verdict that stands, or None where nobody has decided."""
    return find_all(connection, campaign).get(edition)


def find_all(connection: sa.Connection, campaign: str) -> Mapping[str, Approval]:
    """Return a campaign's verdicts by edition, the newest first."""
    query = (
        sa.select(copy_approvals)
        .where(copy_approvals.c.campaign == campaign)
        .order_by(copy_approvals.c.decided_at.desc(), copy_approvals.c.edition)
    )
    return {row.edition: Approval(**row._mapping) for row in connection.execute(query)}


def put(connection: sa.Connection, approval: Approval) -> None:
    """Record a verdict in place of the one before, in the caller's transaction."""
    upsert(connection, copy_approvals, [approval.record()], ("verdict", "decided_by", "note", "decided_at"))
