"""The DynamoDB tables, from the definitions that the package and its tests use; or those of an earlier deployment."""

from collections.abc import Mapping

import aws_cdk as cdk
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_kms as kms
from constructs import Construct

from engagement_pipeline.platform.dynamodb_tables import STREAM_VIEW, TABLES, Key, Table
from infra.config import ExistingTable

# By our name for each.
Tables = Mapping[str, dynamodb.ITable]


def make_tables(scope: Construct, key: kms.IKey, existing: Mapping[str, ExistingTable]) -> Tables:
    """Return every table by our name for it."""
    return {table.name: _existing(scope, table, existing) or _made(scope, table, key) for table in TABLES}


def title(name: str) -> str:
    """Return our name of a table as CloudFormation has names."""
    return "".join(word.capitalize() for word in name.split("_"))


def _made(scope: Construct, table: Table, key: kms.IKey) -> dynamodb.Table:
    made = dynamodb.Table(
        scope,
        title(table.name),
        partition_key=_attribute(table.key.partition),
        sort_key=_sort(table.key),
        billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
        stream=dynamodb.StreamViewType[STREAM_VIEW] if table.streams else None,
        encryption=dynamodb.TableEncryption.CUSTOMER_MANAGED,
        encryption_key=key,
        # Also what an export to S3 reads from.
        point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
            point_in_time_recovery_enabled=True
        ),
        deletion_protection=True,
        removal_policy=cdk.RemovalPolicy.RETAIN,
    )
    for index in table.indexes:
        made.add_global_secondary_index(
            index_name=index.name,
            partition_key=_attribute(index.key.partition),
            sort_key=_sort(index.key),
            projection_type=dynamodb.ProjectionType[index.projection],
            non_key_attributes=list(index.include) or None,
        )
    return made


def _existing(scope: Construct, table: Table, existing: Mapping[str, ExistingTable]) -> dynamodb.ITable | None:
    found = existing.get(table.name)
    if found is None:
        return None
    return dynamodb.Table.from_table_attributes(
        scope,
        title(table.name),
        table_name=found.name,
        table_stream_arn=found.stream_arn or None,
        global_indexes=[index.name for index in table.indexes],
    )


def _attribute(name: str) -> dynamodb.Attribute:
    return dynamodb.Attribute(name=name, type=dynamodb.AttributeType.STRING)


def _sort(key: Key) -> dynamodb.Attribute | None:
    return None if key.sort is None else _attribute(key.sort)
