"""Where the warehouse and other files are: a file system that outlives the service that writes it.

DuckDB's lock holds over NFS 4, and one code server runs at a time, so that the warehouse has one writer.
"""

from dataclasses import dataclass

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_efs as efs
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from infra.services.network import SERVICES

# The image's user; see the Dockerfile.
_USER = "10001"
VOLUME = "data"
MOUNTED_AT = "/data"


@dataclass(frozen=True)
class Files:
    """A file system, and the folder in it that services see."""

    system: efs.FileSystem
    access: efs.AccessPoint

    def volume(self) -> ecs.Volume:
        """Return it as a task's volume."""
        return ecs.Volume(
            name=VOLUME,
            efs_volume_configuration=ecs.EfsVolumeConfiguration(
                file_system_id=self.system.file_system_id,
                transit_encryption="ENABLED",
                authorization_config=ecs.AuthorizationConfig(
                    access_point_id=self.access.access_point_id, iam="ENABLED"
                ),
            ),
        )

    def let_in(self, role: iam.IRole) -> None:
        """Let a task read and write, through its folder only."""
        role.add_to_principal_policy(
            iam.PolicyStatement(
                actions=["elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite"],
                resources=[self.system.file_system_arn],
                conditions={"StringEquals": {"elasticfilesystem:AccessPointArn": self.access.access_point_arn}},
            )
        )


def _only_through_our_door() -> iam.PolicyDocument:
    # It allows nobody anything: that stands with each service's role.
    everything = {
        "effect": iam.Effect.DENY,
        "principals": [iam.AnyPrincipal()],
        "actions": ["elasticfilesystem:Client*"],
    }
    return iam.PolicyDocument(
        statements=[
            iam.PolicyStatement(
                sid="Encrypted", conditions={"Bool": {"aws:SecureTransport": "false"}}, resources=["*"], **everything
            ),
            iam.PolicyStatement(
                sid="ThroughAnAccessPoint",
                conditions={"Null": {"elasticfilesystem:AccessPointArn": "true"}},
                resources=["*"],
                **everything,
            ),
        ]
    )


def make_files(scope: Construct, vpc: ec2.IVpc, key: kms.IKey) -> Files:
    """Return an encrypted file system that is backed up every day."""
    system = efs.FileSystem(
        scope,
        "Files",
        vpc=vpc,
        vpc_subnets=SERVICES,
        encrypted=True,
        kms_key=key,
        enable_automatic_backups=True,
        throughput_mode=efs.ThroughputMode.ELASTIC,
        file_system_policy=_only_through_our_door(),
        removal_policy=cdk.RemovalPolicy.RETAIN,
    )
    access = system.add_access_point(
        "Data",
        path="/engagement",
        create_acl=efs.Acl(owner_uid=_USER, owner_gid=_USER, permissions="750"),
        posix_user=efs.PosixUser(uid=_USER, gid=_USER),
    )
    return Files(system, access)
