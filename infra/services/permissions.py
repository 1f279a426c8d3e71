"""What each service may do: named actions on named things, and nothing else."""

from collections.abc import Sequence

import aws_cdk as cdk
from aws_cdk import aws_iam as iam

from infra.data.stack import DataStack

_ITEMS = (
    "dynamodb:BatchGetItem",
    "dynamodb:BatchWriteItem",
    "dynamodb:ConditionCheckItem",
    "dynamodb:DeleteItem",
    "dynamodb:GetItem",
    "dynamodb:PutItem",
    "dynamodb:Query",
    "dynamodb:UpdateItem",
)
_MESSAGES = (
    "sqs:ChangeMessageVisibility",
    "sqs:DeleteMessage",
    "sqs:GetQueueAttributes",
    "sqs:ReceiveMessage",
)


def of_the_web(data: DataStack) -> Sequence[iam.PolicyStatement]:
    """People and programs look up and change single items; no request reads a whole table."""
    return [_items(data), _key(data)]


def of_the_code_server(data: DataStack) -> Sequence[iam.PolicyStatement]:
    """Runs take messages, write items, send e-mails, and load whole tables at first."""
    tables = [table.table_arn for table in data.tables.values()]
    files = data.storage.files
    dead_letters = data.changes.channel.dead_letters
    return [
        _items(data),
        _key(data),
        _allow("FirstLoad", ["dynamodb:Scan"], tables),
        _allow("TakeMessages", _MESSAGES, [data.changes.channel.queue.queue_arn, data.mail.feedback.queue.queue_arn]),
        _allow("SetAside", ["sqs:SendMessage"], [dead_letters.queue_arn]),
        _allow("Send", ["ses:SendEmail", "ses:SendRawEmail"], [data.mail.identity.email_identity_arn, _set_arn(data)]),
        # It tells the quota; SES knows no narrower resource.
        _allow("AskForQuota", ["ses:GetAccount"], ["*"]),
        _allow("Files", ["s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload"], [files.arn_for_objects("*")]),
        _allow("ListFiles", ["s3:ListBucket"], [files.bucket_arn]),
        # With the runs that are pruned goes what their steps have printed.
        _allow("Prune", ["s3:DeleteObject"], [files.arn_for_objects("dagster-logs/*")]),
    ]


def of_dagsters_pages(data: DataStack) -> Sequence[iam.PolicyStatement]:
    """The UI shows what steps have printed."""
    files = data.storage.files
    return [
        _allow("StepLogs", ["s3:GetObject"], [files.arn_for_objects("dagster-logs/*")]),
        _allow("ListStepLogs", ["s3:ListBucket"], [files.bucket_arn]),
        _allow("ReadKey", ["kms:Decrypt"], [data.key.key_arn]),
    ]


def _items(data: DataStack) -> iam.PolicyStatement:
    tables = [table.table_arn for table in data.tables.values()]
    return _allow("Items", _ITEMS, [*tables, *(f"{table}/index/*" for table in tables)])


def _key(data: DataStack) -> iam.PolicyStatement:
    return _allow("Key", ["kms:Decrypt", "kms:GenerateDataKey", "kms:DescribeKey"], [data.key.key_arn])


def _set_arn(data: DataStack) -> str:
    name = data.mail.configuration_set.configuration_set_name
    return f"arn:aws:ses:{data.region}:{cdk.Aws.ACCOUNT_ID}:configuration-set/{name}"


def _allow(sid: str, actions: Sequence[str], resources: Sequence[str]) -> iam.PolicyStatement:
    return iam.PolicyStatement(sid=sid, actions=list(actions), resources=list(resources))
