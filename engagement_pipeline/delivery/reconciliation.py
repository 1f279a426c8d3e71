"""Do the books balance? Every row that was meant to be sent is accounted for by what became of it."""

from dataclasses import dataclass

import duckdb
import sqlalchemy as sa

from engagement_pipeline.delivery.statuses import ALL, BY_SEVERITY, OPEN, Status
from engagement_pipeline.delivery.tables import emails
from engagement_pipeline.platform.sql import Database


@dataclass(frozen=True)
class Balance:
    """One campaign: `eligible` as the ledger has it, the counts as the warehouse's `email_deliveries` has them."""

    campaign: str
    eligible: int
    by_status: dict[Status, int]

    @property
    def sent(self) -> int:
        """Rows that were handed over, whatever was reported of them later."""
        return sum(self.by_status.get(status, 0) for status in BY_SEVERITY)

    @property
    def accounted_for(self) -> int:
        """All that became of rows: sent, skipped, failed, unknown, or still queued, being sent, or a draft."""
        return sum(self.by_status.get(status, 0) for status in ALL if status != "held_out")

    @property
    def balanced(self) -> bool:
        return self.eligible == self.accounted_for


def reconcile(con: duckdb.DuckDBPyConnection, database: Database) -> list[Balance]:
    """Compare the ledger with the warehouse's mirror of it, campaign by campaign; pull the deliveries first."""
    counts: dict[str, dict[Status, int]] = {}
    query = "SELECT campaign, status, COUNT(*) FROM email_deliveries GROUP BY ALL"
    for campaign, status, rows in con.execute(query).fetchall():
        counts.setdefault(campaign, {})[status] = rows
    meant = sa.select(emails.c.campaign, sa.func.count()).where(emails.c.status != "held_out")
    with database.read() as connection:
        eligible = {row[0]: row[1] for row in connection.execute(meant.group_by(emails.c.campaign))}
    return [
        Balance(campaign, eligible.get(campaign, 0), counts.get(campaign, {}))
        for campaign in sorted(eligible.keys() | counts.keys())
    ]


def users_with_several_open(database: Database) -> int:
    """Count users who have two e-mails of one campaign that are still to be sent; there must be none."""
    several = (
        sa.select(emails.c.user_id)
        .where(emails.c.status.in_(sorted(OPEN)))
        .group_by(emails.c.campaign, emails.c.user_id)
        .having(sa.func.count() > 1)
    )
    with database.read() as connection:
        return connection.execute(sa.select(sa.func.count()).select_from(several.subquery())).scalar_one()
