"""Where everything lies that decides: users, orders, the ledger, suppressions and the audit log."""

from dataclasses import dataclass

from engagement_pipeline.delivery.feedback.intake import Feedback
from engagement_pipeline.delivery.ledger import Ledger
from engagement_pipeline.delivery.sql_ledger import SqlLedger
from engagement_pipeline.delivery.suppressions import SqlSuppressions, Suppressions
from engagement_pipeline.platform.audit import Audit, SqlAudit
from engagement_pipeline.platform.settings import Settings
from engagement_pipeline.platform.sql import Database
from engagement_pipeline.users.store import SqlUserStore, UserStore


@dataclass(frozen=True)
class Stores:
    """The stores that settings choose.

    Attributes:
        database: the operational store. It keeps what the system notes for itself whatever the settings, and lists are
            read there.
        users: users and orders.
        ledger: e-mails.
        suppressions: addresses that must not be written to.
        audit: who changed what.
        feedback: takes events in.
    """

    database: Database
    users: UserStore
    ledger: Ledger
    suppressions: Suppressions
    audit: Audit
    feedback: Feedback


def stores_for(settings: Settings, database: Database) -> Stores:
    """Return the stores that settings choose.

    Args:
        settings: name the tables on DynamoDB where they are the system of record; hold the secret key, and what the
            ledger has to know.
        database: the operational store, its schema up to date.

    Raises:
        AwsSettingsError: as for `platform.aws.client`, where settings name tables.
    """
    if settings.dynamodb.is_set:
        # Imported here: who keeps everything in SQL does not pay for it.
        from engagement_pipeline.delivery.dynamodb.stores import dynamodb_stores

        return dynamodb_stores(settings, database)
    users = SqlUserStore(database, settings.secret_key.get_secret_value())
    ledger = SqlLedger(database, settings.delivery.soft_bounces, needs_approval=settings.needs_approval)
    return Stores(database, users, ledger, SqlSuppressions(database), SqlAudit(database), ledger.feedback)
