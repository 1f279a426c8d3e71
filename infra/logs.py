"""Logs: encrypted, and forgotten after a month."""

import aws_cdk as cdk
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from constructs import Construct


def make_log_group(scope: Construct, name: str, key: kms.IKey, called: str | None = None) -> logs.LogGroup:
    """Return a log group; without `called` AWS names it."""
    return logs.LogGroup(
        scope,
        name,
        log_group_name=called,
        encryption_key=key,
        retention=logs.RetentionDays.ONE_MONTH,
        removal_policy=cdk.RemovalPolicy.DESTROY,
    )
