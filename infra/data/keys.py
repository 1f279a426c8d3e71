"""One key for everything that holds personal data, so that one place says who may read it, and a log says who did."""

from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

# What publishes to our topics by itself; with AWS's own key for topics they could not.
_PUBLISHERS = ("ses.amazonaws.com", "cloudwatch.amazonaws.com")


def make_key(scope: Construct, account: str, region: str) -> kms.Key:
    """Return a key that is renewed every year, and that stays when the stack goes."""
    key = kms.Key(scope, "Key", description="Personal data of the engagement pipeline", enable_key_rotation=True)
    key.add_to_resource_policy(
        iam.PolicyStatement(
            sid="PublishToEncryptedTopics",
            principals=[iam.ServicePrincipal(name) for name in _PUBLISHERS],
            actions=["kms:Decrypt", "kms:GenerateDataKey*"],
            resources=["*"],
            conditions={"StringEquals": {"aws:SourceAccount": account}},
        )
    )
    logs = f"arn:aws:logs:{region}:{account}:log-group:*"
    key.add_to_resource_policy(
        iam.PolicyStatement(
            sid="EncryptLogs",
            principals=[iam.ServicePrincipal(f"logs.{region}.amazonaws.com")],
            actions=["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"],
            resources=["*"],
            conditions={"ArnLike": {"kms:EncryptionContext:aws:logs:arn": logs}},
        )
    )
    return key
