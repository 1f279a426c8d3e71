"""SES: who we send as, and how its events come back."""

from dataclasses import dataclass

from aws_cdk import aws_kms as kms
from aws_cdk import aws_ses as ses
from constructs import Construct

from infra.config import MAIL_FROM
from infra.data.queues import Channel, make_channel

# Opens and clicks are counted by our own links, which scanners are told apart from.
_EVENTS = (
    ses.EmailSendingEvent.SEND,
    ses.EmailSendingEvent.REJECT,
    ses.EmailSendingEvent.BOUNCE,
    ses.EmailSendingEvent.COMPLAINT,
    ses.EmailSendingEvent.DELIVERY,
    ses.EmailSendingEvent.DELIVERY_DELAY,
    ses.EmailSendingEvent.RENDERING_FAILURE,
    ses.EmailSendingEvent.SUBSCRIPTION,
)


@dataclass(frozen=True)
class Mail:
    """The channel of events, and the names under which SES knows us."""

    feedback: Channel
    identity: ses.EmailIdentity
    configuration_set: ses.ConfigurationSet


def make_mail(scope: Construct, key: kms.IKey, name: str, domain: str) -> Mail:
    """Return everything that sending needs, but for the DNS records that only the domain's owner can set."""
    feedback = make_channel(scope, "Feedback", key)
    configuration_set = ses.ConfigurationSet(
        scope,
        "ConfigurationSet",
        configuration_set_name=name,
        reputation_metrics=True,
        tls_policy=ses.ConfigurationSetTlsPolicy.REQUIRE,
        suppression_reasons=ses.SuppressionReasons.BOUNCES_AND_COMPLAINTS,
    )
    # CDK lets SES publish to the topic, for this configuration set of this account alone.
    configuration_set.add_event_destination(
        "Feedback", destination=ses.EventDestination.sns_topic(feedback.topic), events=list(_EVENTS)
    )
    identity = ses.EmailIdentity(
        scope,
        "Identity",
        identity=ses.Identity.domain(domain),
        configuration_set=configuration_set,
        mail_from_domain=f"{MAIL_FROM}.{domain}",
    )
    return Mail(feedback, identity, configuration_set)
