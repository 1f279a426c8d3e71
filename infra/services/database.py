"""PostgreSQL: Dagster's own storage, the operational store's bookkeeping and its read model."""

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_kms as kms
from aws_cdk import aws_rds as rds
from constructs import Construct

from infra.logs import make_log_group
from infra.services.network import DATABASE

NAME = "engagement"


def make_database(
    scope: Construct, vpc: ec2.IVpc, key: kms.IKey, called: str, *, two_zones: bool
) -> rds.DatabaseInstance:
    """Return a small encrypted server with two weeks of back-ups."""
    # RDS writes to the group of this name, and would make one that keeps its lines for ever.
    log = make_log_group(scope, "DatabaseLog", key, f"/aws/rds/instance/{called}/postgresql")
    engine = rds.DatabaseInstanceEngine.postgres(version=rds.PostgresEngineVersion.VER_18)
    database = rds.DatabaseInstance(
        scope,
        "Database",
        instance_identifier=called,
        engine=engine,
        instance_type=ec2.InstanceType.of(ec2.InstanceClass.T4G, ec2.InstanceSize.SMALL),
        vpc=vpc,
        vpc_subnets=DATABASE,
        multi_az=two_zones,
        database_name=NAME,
        credentials=rds.Credentials.from_generated_secret(NAME, encryption_key=key),
        parameter_group=rds.ParameterGroup(
            scope, "DatabaseParameters", engine=engine, parameters={"rds.force_ssl": "1"}
        ),
        storage_encrypted=True,
        storage_encryption_key=key,
        allocated_storage=20,
        max_allocated_storage=200,
        storage_type=rds.StorageType.GP3,
        backup_retention=cdk.Duration.days(14),
        copy_tags_to_snapshot=True,
        auto_minor_version_upgrade=True,
        cloudwatch_logs_exports=["postgresql"],
        deletion_protection=True,
        removal_policy=cdk.RemovalPolicy.SNAPSHOT,
    )
    database.node.add_dependency(log)
    return database
