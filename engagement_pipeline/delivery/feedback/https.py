"""Events that SNS posts to our own https endpoint. Anybody can post there: nothing is taken that SNS has not signed."""

from collections.abc import Callable
from datetime import datetime
from typing import Literal

from engagement_pipeline.delivery.feedback import reception, sns
from engagement_pipeline.delivery.feedback.errors import BadEventError
from engagement_pipeline.delivery.feedback.reception import Received
from engagement_pipeline.delivery.feedback.sns import Certificates
from engagement_pipeline.delivery.stores import Stores
from engagement_pipeline.platform.settings import Settings

_ORIGIN = "sns-https"


def receive_https(
    body: str,
    settings: Settings,
    stores: Stores,
    certificates: Certificates,
    confirm: Callable[[str], object],
    now: datetime,
) -> Literal["taken", "set_aside", "confirmed", "ignored"]:
    """Take one request of SNS.

    Args:
        body: of the request.
        settings: name the topic.
        stores: the ledger and what goes with it.
        certificates: kept from request to request, such as `Certificates(sns.fetch)`.
        confirm: visits the URL that confirms the subscription to our own topic, such as `sns.fetch`.
        now: the moment of the request.

    Returns:
        What was done. In each case SNS is answered with 200: sending again would change nothing. `set_aside` is a
        genuine message that could not be read and is kept among the rejected records.

    Raises:
        BadEventError: it is no message of SNS; nothing is kept. To be answered with 400.
        ForgedError: it is not genuine, or of another topic; nothing is kept. To be answered with 403.
        OSError: SNS could not be asked, so it should send again. To be answered with 503.
    """
    envelope = sns.open_envelope(body, settings.ses.feedback_topic_arn, certificates)
    if envelope.kind == "SubscriptionConfirmation" and envelope.subscribe_url is not None:
        confirm(envelope.subscribe_url)
        return "confirmed"
    if envelope.kind != "Notification":
        return "ignored"
    received = Received()
    try:
        received.events += reception.read(envelope.message, settings, now)
    except BadEventError as error:
        received.set_aside.append(reception.reject(envelope.message, error, _ORIGIN))
    reception.take(stores, received, settings, now)
    return "set_aside" if received.set_aside else "taken"
