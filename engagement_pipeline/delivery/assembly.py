"""Puts a sender together from the settings: who delivers, and in whose name."""

from engagement_pipeline.copywriting.brand import Brand
from engagement_pipeline.delivery.judging import Judge
from engagement_pipeline.delivery.limits import SendingLimits
from engagement_pipeline.delivery.live import NotReadyError, check_live
from engagement_pipeline.delivery.mailer import Mailer
from engagement_pipeline.delivery.outbox import OutboxMailer
from engagement_pipeline.delivery.rendering import MessageMaker
from engagement_pipeline.delivery.sender import Sender
from engagement_pipeline.delivery.stores import Stores
from engagement_pipeline.platform.settings import Settings
from engagement_pipeline.users.keys import check_secret_key


def mailer_for(settings: Settings) -> Mailer | None:
    """Return who delivers under these settings; None for `dry_run`.

    Raises:
        BadInputError: `live` without a provider, or with settings that the provider cannot work with.
    """
    if settings.send_mode == "dry_run":
        return None
    if settings.send_mode == "outbox":
        return OutboxMailer(settings.outbox_dir)
    if settings.delivery.provider == "smtp":
        from engagement_pipeline.delivery.mailers.smtp import SmtpMailer

        return SmtpMailer(settings.smtp)
    if settings.delivery.provider == "ses":
        from engagement_pipeline.delivery.mailers.ses import SesMailer

        return SesMailer(settings)
    raise NotReadyError("ENGAGEMENT_SEND_MODE=live needs ENGAGEMENT_DELIVERY__PROVIDER: ses or smtp")


def sender_for(settings: Settings, stores: Stores, brand: Brand) -> Sender:
    """Return the sender of the campaign in the settings.

    Raises:
        BadInputError: see `check_live`, `mailer_for` and `check_secret_key`.
    """
    if settings.send_mode == "live":
        check_live(settings, brand)
    secret_key = settings.secret_key.get_secret_value()
    with stores.database.write() as connection:
        # With another key every e-mail would go out with a link that does not unsubscribe.
        check_secret_key(connection, secret_key)
    judge = Judge(stores.ledger, stores.users, settings.gate, settings.scoring, secret_key)
    return Sender(
        settings.campaign,
        stores.database,
        stores.ledger,
        judge,
        MessageMaker(brand, settings.delivery, secret_key),
        mailer_for(settings),
        SendingLimits(stores.database, warming_up=settings.delivery.warm_up and settings.send_mode == "live"),
        settings.delivery.senders,
    )
