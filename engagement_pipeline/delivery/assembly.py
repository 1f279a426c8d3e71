"""Puts a sender together from the settings: who delivers, and in whose name."""

from engagement_pipeline.copywriting.brand import Brand
from engagement_pipeline.delivery.judging import Judge
from engagement_pipeline.delivery.ledger import SqlLedger
from engagement_pipeline.delivery.mailer import Mailer
from engagement_pipeline.delivery.outbox import OutboxMailer
from engagement_pipeline.delivery.rendering import MessageMaker
from engagement_pipeline.delivery.sender import Sender
from engagement_pipeline.platform.errors import BadInputError
from engagement_pipeline.platform.settings import Settings
from engagement_pipeline.platform.sql import Database
from engagement_pipeline.users.store import SqlUserStore


class NoMailerError(BadInputError):
    """The settings ask for a way of sending that does not exist."""


def mailer_for(settings: Settings) -> Mailer | None:
    """Return who delivers under these settings; None for `dry_run`.

    Raises:
        NoMailerError: `live`, as there is no provider to send with yet.
    """
    if settings.send_mode == "live":
        raise NoMailerError(
            "ENGAGEMENT_SEND_MODE=live: there is no provider to send with; use outbox (files) or dry_run (nothing)"
        )
    return OutboxMailer(settings.outbox_dir) if settings.send_mode == "outbox" else None


def sender_for(settings: Settings, database: Database, brand: Brand) -> Sender:
    """Return the sender of the campaign in the settings.

    Raises:
        NoMailerError: see `mailer_for`.
    """
    ledger = SqlLedger(database)
    secret_key = settings.secret_key.get_secret_value()
    store = SqlUserStore(database, secret_key)
    judge = Judge(ledger, store, settings.gate, settings.scoring, secret_key)
    return Sender(settings.campaign, ledger, judge, MessageMaker(brand, secret_key), mailer_for(settings))
