"""Writes both stacks as CloudFormation templates: `python -m infra.app`. Asks nobody, needs no account.

Exit codes: 0 success, 1 cdk-nag has findings that nobody has explained, 2 the deployment's file cannot be used.
"""

import argparse
import json
import sys
from pathlib import Path

import aws_cdk as cdk
import cdk_nag

from infra.artefacts import MADE_OF, made_of
from infra.config import FOLDER, DeploymentError, load
from infra.data.stack import DataStack
from infra.explained import explain
from infra.services.stack import ServicesStack

# What people who begin today get; the others change nothing here, or need code that CDK brings along.
_FLAGS = {
    "@aws-cdk/aws-iam:minimizePolicies": True,
    "@aws-cdk/core:checkSecretUsage": True,
    # The first stack cannot lose what the second one uses.
    "@aws-cdk/core:defaultCrossStackReferences": "strong",
    "@aws-cdk/core:target-partitions": ["aws"],
    "@aws-cdk/aws-ecs:removeDefaultDeploymentAlarm": True,
    "@aws-cdk/aws-efs:mountTargetOrderInsensitiveLogicalId": True,
    "@aws-cdk/aws-sns-subscriptions:restrictSqsDescryption": True,
    "@aws-cdk/aws-ec2:uniqueImdsv2TemplateName": True,
    "@aws-cdk/aws-elasticloadbalancingV2:albDualstackWithoutPublicIpv4SecurityGroupRulesDefault": True,
    "@aws-cdk/aws-rds:databaseProxyUniqueResourceName": True,
    "@aws-cdk/aws-s3:createDefaultLoggingPolicy": True,
    "@aws-cdk/aws-s3:serverAccessLogsUseBucketPolicy": True,
    "@aws-cdk/aws-ecs:reduceEc2FargateCloudWatchPermissions": True,
}


def main(arguments: list[str] | None = None) -> int:
    """Write the templates."""
    parser = argparse.ArgumentParser(description="Write the CloudFormation templates.")
    parser.add_argument("--deployment", type=Path, help="default: infra/deployment.json, or the example")
    parser.add_argument("--out", type=Path, default=FOLDER / "cdk.out", help="where the templates go")
    given = parser.parse_args(arguments)
    try:
        deployment = load(given.deployment)
    except DeploymentError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    app = cdk.App(outdir=str(given.out), analytics_reporting=False, context=_FLAGS)
    data = DataStack(app, deployment)
    services = ServicesStack(app, deployment, data)
    explain(data, services)
    cdk.Aspects.of(app).add(cdk_nag.AwsSolutionsChecks())
    app.synth()
    findings = unexplained(given.out)
    sys.stderr.writelines(f"{finding}\n" for finding in findings)
    if findings:
        return 1
    (given.out / MADE_OF).write_text(made_of(deployment))
    return 0


def unexplained(out: Path) -> list[str]:
    """Return what cdk-nag has found, and nobody has explained."""
    artifacts = json.loads((out / "manifest.json").read_text())["artifacts"].values()
    metadata = [
        json.loads((out / each["additionalMetadataFile"]).read_text())
        for each in artifacts
        if each.get("additionalMetadataFile")
    ]
    return [
        f"{path}: {entry['data']}"
        for each in metadata
        for path, entries in each.items()
        for entry in entries
        if entry["type"] in ("aws:cdk:error", "aws:cdk:warning")
    ]


if __name__ == "__main__":
    sys.exit(main())
