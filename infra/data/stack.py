"""The first stack: needs nothing but a domain, and works without the second one."""

import aws_cdk as cdk
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from infra.alarms import Alarms, make_alarm_topic
from infra.config import Deployment
from infra.data.alarms import watch_data
from infra.data.changes import make_changes
from infra.data.keys import make_key
from infra.data.mail import make_mail
from infra.data.storage import make_storage
from infra.data.tables import make_tables
from infra.outputs import output_name, variables_of


class DataStack(cdk.Stack):
    """Tables, streams, stream processor, topics, queues, SES, buckets."""

    def __init__(self, scope: Construct, deployment: Deployment) -> None:
        """Make everything for one deployment."""
        super().__init__(
            scope,
            f"{deployment.name}-data",
            description="Engagement pipeline: tables, changes, e-mail",
            env=cdk.Environment(region=deployment.region),
            synthesizer=cdk.LegacyStackSynthesizer(),
            termination_protection=True,
        )
        self.key = make_key(self, self.account, self.region)
        self.tables = make_tables(self, self.key, deployment.existing_tables)
        self.changes = make_changes(self, self.key, self.tables)
        self.mail = make_mail(self, self.key, deployment.name, deployment.sender_domain)
        self.storage = make_storage(self, self.key)
        self.alarm_topic = make_alarm_topic(self, self.key)
        self.alarm_topic.add_subscription(subscriptions.EmailSubscription(deployment.alarm_email))
        watch_data(Alarms(self, self.alarm_topic), self.changes, self.mail, self.tables)
        self._say_what_was_made()

    @property
    def variables(self) -> dict[str, str]:
        """The settings by which a program finds what is here."""
        return variables_of(self)

    def _say_what_was_made(self) -> None:
        for name, value in self.variables.items():
            cdk.CfnOutput(self, output_name(name), value=value, description=name)
        cdk.CfnOutput(self, "ImagesUri", value=self.storage.images.repository_uri, description="Push the image here")
