"""Buckets, and the repository of the image that all services run."""

from dataclasses import dataclass

import aws_cdk as cdk
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct

# What lies under each prefix, and after how many days it goes. Previews greet people by name.
KEPT_DAYS = {"previews/": 7, "exports/": 7, "backups/": 30, "dagster-logs/": 30}


@dataclass(frozen=True)
class Storage:
    """Where files are."""

    files: s3.Bucket
    access_logs: s3.Bucket
    images: ecr.Repository


def make_storage(scope: Construct, key: kms.IKey) -> Storage:
    """Return a bucket for files, one for who asked for them, and the image's repository."""
    # Load balancers and S3 write here, and they cannot use a key of ours.
    access_logs = s3.Bucket(
        scope,
        "AccessLogs",
        encryption=s3.BucketEncryption.S3_MANAGED,
        lifecycle_rules=[s3.LifecycleRule(expiration=cdk.Duration.days(90))],
        **_PRIVATE,
    )
    files = s3.Bucket(
        scope,
        "Files",
        encryption=s3.BucketEncryption.KMS,
        encryption_key=key,
        bucket_key_enabled=True,
        server_access_logs_bucket=access_logs,
        server_access_logs_prefix="files/",
        lifecycle_rules=[
            s3.LifecycleRule(prefix=prefix, expiration=cdk.Duration.days(days)) for prefix, days in KEPT_DAYS.items()
        ]
        + [s3.LifecycleRule(abort_incomplete_multipart_upload_after=cdk.Duration.days(2))],
        **_PRIVATE,
    )
    images = ecr.Repository(
        scope,
        "Images",
        image_scan_on_push=True,
        image_tag_mutability=ecr.TagMutability.IMMUTABLE,
        encryption=ecr.RepositoryEncryption.KMS,
        encryption_key=key,
        lifecycle_rules=[ecr.LifecycleRule(max_image_count=20)],
        removal_policy=cdk.RemovalPolicy.RETAIN,
    )
    return Storage(files, access_logs, images)


_PRIVATE = {
    "block_public_access": s3.BlockPublicAccess.BLOCK_ALL,
    "enforce_ssl": True,
    "removal_policy": cdk.RemovalPolicy.RETAIN,
}
