"""What cdk-nag finds and we leave as it is, each with its reason."""

from collections.abc import Sequence

import aws_cdk as cdk
from cdk_nag import NagPackSuppression, NagSuppressions, RegexAppliesTo

from infra.data.stack import DataStack
from infra.services.stack import ServicesStack

_ROLE = "AwsSolutions-IAM5"


def explain(data: DataStack, services: ServicesStack) -> None:
    """Attach the reasons."""
    _explain(
        data,
        "UnpublishedChanges",
        "AwsSolutions-SQS3",
        "It is where the stream processor's failures end: dead letters.",
    )
    _explain(
        data,
        "ProcessorRole/DefaultPolicy",
        _ROLE,
        "Lambda lists streams before it reads them; this action knows no narrower resource.",
        ["Resource::*"],
    )
    _explain_roles(services)
    _explain_secrets(services)
    _explain(
        services,
        "Balancer/SecurityGroup",
        "AwsSolutions-EC23",
        "Recipients unsubscribe from wherever they are; what must not be open asks for a login or a token.",
    )
    _explain(services, "People", "AwsSolutions-COG8", "Nobody signs up by themselves, and all need a second factor.")
    _explain(
        services, "Database", "AwsSolutions-RDS11", "Security groups say who comes in; another port hides nothing."
    )
    _explain(
        services,
        "Database",
        "AwsSolutions-RDS3",
        "A standby doubles the price: `database_in_two_zones`. Without, a failure means a restore, while DynamoDB, SQS "
        "and SES keep everything.",
    )


def _explain_roles(services: ServicesStack) -> None:
    for service in ("Code", "Web"):
        _explain(
            services,
            f"{service}Role/DefaultPolicy",
            _ROLE,
            "The indexes, and exports, of named tables.",
            [_like(r"/^Resource::(<.*\.Arn>|arn:.*:table\/[^*]+)\/(index|export)\/\*$/g")],
        )
    _explain(
        services,
        "CodeRole/DefaultPolicy",
        _ROLE,
        "Files in a bucket of its own. SES tells the quota, and ECS opens shells, for no narrower resource.",
        [_like(r"/^Resource::<Files.*\.Arn>\/(dagster-logs\/)?\*$/g"), "Resource::*"],
    )
    _explain(
        services,
        "PagesRole/DefaultPolicy",
        _ROLE,
        "Files under one prefix, which it reads only.",
        [_like(r"/^Resource::<Files.*\.Arn>\/dagster-logs\/\*$/g")],
    )
    for service in ("Code", "Daemon", "Pages", "Web"):
        _explain(
            services,
            f"{service}Task/ExecutionRole/DefaultPolicy",
            _ROLE,
            "ecr:GetAuthorizationToken knows no narrower resource.",
            ["Resource::*"],
        )
        _explain(
            services,
            f"{service}Task",
            "AwsSolutions-ECS2",
            "Secrets come from Secrets Manager; these are names and addresses.",
        )


def _explain_secrets(services: ServicesStack) -> None:
    no_rotation = "AwsSolutions-SMG4"
    _explain(
        services,
        "AddressKey",
        no_rotation,
        "It keys the hashes by which suppressed addresses are known: with another, people would be written to again.",
    )
    _explain(services, "FirstToken", no_rotation, "A token is renewed by making another and revoking this one.")
    _explain(
        services,
        "Database/Secret",
        no_rotation,
        "Services read it when they start; docs/deployment.md says how it is renewed together with them.",
    )


def _like(pattern: str) -> RegexAppliesTo:
    return RegexAppliesTo(regex=pattern)


def _explain(
    stack: cdk.Stack, path: str, rule: str, reason: str, applies_to: Sequence[str | RegexAppliesTo] | None = None
) -> None:
    NagSuppressions.add_resource_suppressions_by_path(
        stack,
        f"/{stack.node.id}/{path}/Resource",
        [NagPackSuppression(id=rule, reason=reason, applies_to=None if applies_to is None else list(applies_to))],
    )
