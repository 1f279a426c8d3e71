"""Scores beside the users that they are of: the shop reads them where it reads its users."""

from engagement_pipeline.platform.dynamodb import connect
from engagement_pipeline.platform.settings import Settings
from engagement_pipeline.platform.sql import Database
from engagement_pipeline.scoring.publish import Tell
from engagement_pipeline.users.dynamodb.store import DynamoUserStore, UserScore


def write_back(settings: Settings, database: Database) -> Tell:
    """Return what writes scores to the items of their users; those who are gone are passed over.

    Args:
        settings: name the tables.
        database: the operational store.
    """
    secret_key = settings.secret_key.get_secret_value()
    store = DynamoUserStore(connect(settings), database, secret_key)
    return lambda moved, now: store.write_scores([UserScore(*each) for each in moved], now)
