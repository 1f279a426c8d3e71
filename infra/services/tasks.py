"""The four services: Dagster's code server, daemon and pages, and our own web server. One image for all."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra.logs import make_log_group
from infra.services.files import MOUNTED_AT, VOLUME, Files
from infra.services.network import SERVICES

NAMESPACE = "engagement.internal"


@dataclass(frozen=True)
class Image:
    """The image that all services run."""

    repository: ecr.IRepository
    tag: str


@dataclass(frozen=True)
class Work:
    """One service: what it runs, how much of a machine it gets, and what it may do.

    Attributes:
        name: of the service, and of its host within the network where others ask it.
        command: of the container.
        cpu: in 1,024ths of a core.
        memory: in MiB.
        healthy: a command that succeeds while it is well.
        statements: what it may do.
        variables: its settings.
        secrets: what of them must not be seen.
        port: where it listens; None: nobody asks it.
        has_name: whether others in the network find it by its name.
        copies: how many run at once.
        alone: whether the old one ends before the new one begins.
        has_files: whether it sees the file system.
        has_shell: whether people may come in and use the command line.
    """

    name: str
    command: Sequence[str]
    cpu: int
    memory: int
    healthy: str
    statements: Sequence[iam.PolicyStatement]
    variables: Mapping[str, str]
    secrets: Mapping[str, ecs.Secret]
    port: int | None = None
    has_name: bool = False
    copies: int = 1
    alone: bool = True
    has_files: bool = False
    has_shell: bool = False


@dataclass(frozen=True)
class Running:
    """A service and its log."""

    service: ecs.FargateService
    log: logs.LogGroup


class Cluster:
    """Runs services that share a network, an image and a file system."""

    def __init__(self, scope: Construct, vpc: ec2.IVpc, key: kms.IKey, image: Image, files: Files) -> None:
        """Make an empty cluster."""
        self._scope = scope
        self._key = key
        self._image = image
        self._files = files
        self.cluster = ecs.Cluster(
            scope,
            "Cluster",
            vpc=vpc,
            container_insights_v2=ecs.ContainerInsights.ENABLED,
            default_cloud_map_namespace=ecs.CloudMapNamespaceOptions(name=NAMESPACE),
            # What people do there may show personal data, which no log shall hold.
            execute_command_configuration=ecs.ExecuteCommandConfiguration(
                logging=ecs.ExecuteCommandLogging.NONE, kms_key=key
            ),
        )

    def run(self, work: Work) -> Running:
        """Run a service."""
        title = work.name.capitalize()
        log = make_log_group(self._scope, f"{title}Log", self._key)
        task = self._task(work, title, log)
        service = ecs.FargateService(
            self._scope,
            f"{title}Service",
            cluster=self.cluster,
            task_definition=task,
            desired_count=work.copies,
            min_healthy_percent=0 if work.alone else 100,
            max_healthy_percent=100 if work.alone else 200,
            vpc_subnets=SERVICES,
            circuit_breaker=ecs.DeploymentCircuitBreaker(rollback=True),
            enable_execute_command=work.has_shell,
            cloud_map_options=ecs.CloudMapOptions(name=work.name) if work.has_name else None,
            propagate_tags=ecs.PropagatedTagSource.SERVICE,
        )
        if work.has_files:
            self._files.system.connections.allow_default_port_from(service)
        return Running(service, log)

    def _task(self, work: Work, title: str, log: logs.LogGroup) -> ecs.FargateTaskDefinition:
        role = iam.Role(self._scope, f"{title}Role", assumed_by=iam.ServicePrincipal("ecs-tasks.amazonaws.com"))
        for statement in work.statements:
            role.add_to_policy(statement)
        task = ecs.FargateTaskDefinition(
            self._scope,
            f"{title}Task",
            cpu=work.cpu,
            memory_limit_mib=work.memory,
            task_role=role,
            volumes=[self._files.volume()] if work.has_files else [],
        )
        # CDK sees to it that secrets may be read, but not that they may be decrypted with a key of another stack.
        task.obtain_execution_role().add_to_principal_policy(
            iam.PolicyStatement(
                actions=["kms:Decrypt"],
                resources=[self._key.key_arn],
                conditions={"StringEquals": {"kms:ViaService": f"secretsmanager.{cdk.Aws.REGION}.amazonaws.com"}},
            )
        )
        container = task.add_container(
            work.name,
            image=ecs.ContainerImage.from_ecr_repository(self._image.repository, self._image.tag),
            command=list(work.command),
            environment=dict(work.variables),
            secrets=dict(work.secrets),
            logging=ecs.LogDriver.aws_logs(stream_prefix=work.name, log_group=log),
            port_mappings=[] if work.port is None else [ecs.PortMapping(container_port=work.port)],
            health_check=ecs.HealthCheck(
                command=["CMD-SHELL", work.healthy],
                interval=cdk.Duration.seconds(30),
                timeout=cdk.Duration.seconds(20),
                start_period=cdk.Duration.seconds(120),
                retries=3,
            ),
            # A run that is asked to stop gets time to put down what it has in hand.
            stop_timeout=cdk.Duration.seconds(110),
            linux_parameters=ecs.LinuxParameters(self._scope, f"{title}Linux", init_process_enabled=True),
        )
        if work.has_files:
            self._files.let_in(role)
            container.add_mount_points(ecs.MountPoint(container_path=MOUNTED_AT, source_volume=VOLUME, read_only=False))
        return task
