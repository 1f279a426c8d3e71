"""From a changed item to a message in the queue: streams, the stream processor, a topic."""

from dataclasses import dataclass

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_event_sources as sources
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from engagement_pipeline.platform.dynamodb_tables import TABLES
from infra.artefacts import STREAM_PROCESSOR, bucket_name
from infra.data.queues import Channel, make_channel, make_queue
from infra.data.tables import Tables
from infra.logs import make_log_group

# A call of the processor takes so many records; ten of them are one call of SNS.
_RECORDS = 100
# A stream keeps records for a day.
_YOUNGEST_LOST = cdk.Duration.hours(23)


@dataclass(frozen=True)
class Changes:
    """The channel, its processor, and where the records are named that it could not publish."""

    channel: Channel
    processor: lambda_.Function
    unpublished: sqs.Queue


def make_changes(scope: Construct, key: kms.IKey, tables: Tables) -> Changes:
    """Connect every table's stream to one queue."""
    channel = make_channel(scope, "Changes", key)
    unpublished = make_queue(scope, "UnpublishedChanges")
    processor = _processor(scope, key, channel)
    for table in TABLES:
        if not table.streams:
            continue
        processor.add_event_source(
            sources.DynamoEventSource(
                tables[table.name],
                starting_position=lambda_.StartingPosition.TRIM_HORIZON,
                batch_size=_RECORDS,
                report_batch_item_failures=True,
                # The processor can read every record: only SNS can fail, and may for hours.
                bisect_batch_on_error=True,
                max_record_age=_YOUNGEST_LOST,
                on_failure=sources.SqsDlq(unpublished),
            )
        )
    return Changes(channel, processor, unpublished)


def _processor(scope: Construct, key: kms.IKey, channel: Channel) -> lambda_.Function:
    log_group = make_log_group(scope, "ProcessorLog", key)
    role = iam.Role(scope, "ProcessorRole", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
    log_group.grant_write(role)
    role.add_to_policy(iam.PolicyStatement(actions=["sns:Publish"], resources=[channel.topic.topic_arn]))
    # The tables' streams are encrypted with it, and so is the topic.
    role.add_to_policy(iam.PolicyStatement(actions=["kms:Decrypt", "kms:GenerateDataKey"], resources=[key.key_arn]))
    bucket = _artefacts(scope)
    cdk.Annotations.of(bucket).acknowledge_warning(
        "@aws-cdk/aws-lambda:codeFromBucketObjectVersionNotSpecified", "Named by its content: other code, another name."
    )
    code = lambda_.Code.from_bucket(bucket, STREAM_PROCESSOR.key)
    return lambda_.Function(
        scope,
        "Processor",
        description="Publishes what changed in the tables",
        runtime=lambda_.Runtime.PYTHON_3_14,
        architecture=lambda_.Architecture.ARM_64,
        handler="handler.handler",
        code=code,
        role=role,
        log_group=log_group,
        memory_size=256,
        timeout=cdk.Duration.seconds(60),
        environment={"TOPIC_ARN": channel.topic.topic_arn},
    )


def _artefacts(scope: Construct) -> s3.IBucket:
    # `infra.deploy` makes and fills it before the stack is made.
    return s3.Bucket.from_bucket_name(scope, "Artefacts", bucket_name(cdk.Aws.ACCOUNT_ID, cdk.Aws.REGION))
