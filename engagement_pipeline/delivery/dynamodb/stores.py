"""The stores of a deployment whose system of record is DynamoDB."""

from engagement_pipeline.delivery.dynamodb.ledger import DynamoLedger
from engagement_pipeline.delivery.dynamodb.suppressions import DynamoSuppressions
from engagement_pipeline.delivery.stores import Stores
from engagement_pipeline.platform.dynamodb import connect
from engagement_pipeline.platform.dynamodb_audit import DynamoAudit
from engagement_pipeline.platform.settings import Settings
from engagement_pipeline.platform.sql import Database
from engagement_pipeline.users.dynamodb.store import DynamoUserStore


def dynamodb_stores(settings: Settings, database: Database) -> Stores:
    """Return the stores that write to the tables in the settings; see `stores_for`.

    Raises:
        AwsSettingsError: no region is set anywhere, or the address of the server is none.
    """
    dynamo = connect(settings)
    users = DynamoUserStore(
        dynamo,
        database,
        settings.secret_key.get_secret_value(),
        consent_when_missing=settings.dynamodb.consent_when_missing,
    )
    ledger = DynamoLedger(
        dynamo, database, users, settings.delivery.soft_bounces, needs_approval=settings.needs_approval
    )
    return Stores(database, users, ledger, DynamoSuppressions(dynamo), DynamoAudit(dynamo), ledger.feedback)
