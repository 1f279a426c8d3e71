"""The second stack: what runs on top of the first."""

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_kms as kms
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from infra.alarms import Alarms
from infra.config import Deployment
from infra.data.stack import DataStack
from infra.services.alarms import watch_services
from infra.services.database import make_database
from infra.services.files import make_files
from infra.services.front import make_front
from infra.services.network import make_network
from infra.services.tasks import Cluster, Image, Running
from infra.services.works import CODE_PORT, Secrets, Works


class ServicesStack(cdk.Stack):
    """Network, PostgreSQL, files, Dagster's services, the web, and who is let in."""

    def __init__(self, scope: Construct, deployment: Deployment, data: DataStack) -> None:
        """Make everything for one deployment."""
        super().__init__(
            scope,
            f"{deployment.name}-services",
            description="Engagement pipeline: Dagster and the web",
            env=cdk.Environment(region=deployment.region),
            synthesizer=cdk.LegacyStackSynthesizer(),
            termination_protection=True,
        )
        tag = cdk.CfnParameter(
            self, "ImageTag", description="Of the image in the data stack's repository", min_length=1
        )
        # As if it were foreign: who may use it stands with each service, not in the other stack's key.
        key = kms.Key.from_key_arn(self, "Key", data.key.key_arn)
        vpc = make_network(self, key)
        server = make_database(self, vpc, key, deployment.name, two_zones=deployment.database_in_two_zones)
        secrets = self._secrets(deployment, key, server.secret)
        works = Works(deployment, data, server, secrets)
        image = Image(data.storage.images, tag.value_as_string)
        cluster = Cluster(self, vpc, key, image, make_files(self, vpc, key))
        running = {work.name: cluster.run(work) for work in (works.code(), works.daemon(), works.pages(), works.web())}
        for name, each in running.items():
            server.connections.allow_default_port_from(each.service)
            if name in ("daemon", "pages"):
                running["code"].service.connections.allow_from(each.service, ec2.Port.tcp(CODE_PORT))
                # It makes Dagster's tables; two that do so at once get in each other's way.
                _begins_after(each, running["code"])
        front = make_front(self, vpc, deployment, running["web"], running["pages"], data.storage.access_logs)
        watch_services(self, Alarms(self, data.alarm_topic), running, front, server)
        cdk.CfnOutput(self, "ClusterName", value=cluster.cluster.cluster_name, description="Cluster")
        for name, each in running.items():
            service = each.service.service_name
            cdk.CfnOutput(self, f"{name.capitalize()}Name", value=service, description=f"Service {name}")
        cdk.CfnOutput(
            self, "BalancerName", value=front.balancer.load_balancer_dns_name, description="Point both hosts here"
        )
        cdk.CfnOutput(self, "PeoplePool", value=front.people.user_pool_id, description="Who may log in to Dagster")
        cdk.CfnOutput(
            self, "FirstTokenSecret", value=secrets.first_token.secret_name, description="Secret: egp_ and its text"
        )

    def _secrets(self, deployment: Deployment, key: kms.IKey, database: secretsmanager.ISecret | None) -> Secrets:
        if database is None:
            raise RuntimeError("the database was made without a generated password")
        openai = deployment.openai_secret_arn
        return Secrets(
            database,
            self._drawn("AddressKey", 64, "Keys the address hashes and the hold-out: never change it", key),
            # As long as the tokens that we draw ourselves.
            self._drawn("FirstToken", 43, "The first token of dashboard and API, but for the egp_ before it", key),
            secretsmanager.Secret.from_secret_complete_arn(self, "OpenAi", openai) if openai else None,
        )

    def _drawn(self, name: str, length: int, meaning: str, key: kms.IKey) -> secretsmanager.Secret:
        return secretsmanager.Secret(
            self,
            name,
            description=meaning,
            encryption_key=key,
            generate_secret_string=secretsmanager.SecretStringGenerator(
                password_length=length, exclude_punctuation=True, include_space=False
            ),
            removal_policy=cdk.RemovalPolicy.RETAIN,
        )


def _begins_after(later: Running, earlier: Running) -> None:
    # Of the services alone: their security groups let each other in, and so depend on one another.
    service = later.service.node.find_child("Service")
    service.node.add_dependency(earlier.service.node.find_child("Service"))
