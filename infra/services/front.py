"""Who is let in: a load balancer that speaks https, and a login before Dagster's pages, which have none."""

from dataclasses import dataclass

import aws_cdk as cdk
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_cognito as cognito
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_elasticloadbalancingv2 as elb
from aws_cdk import aws_elasticloadbalancingv2_actions as elb_actions
from aws_cdk import aws_s3 as s3
from constructs import Construct

from infra.config import Deployment
from infra.services.tasks import Running

WEB_PORT = 8000
DAGSTER_PORT = 3000


@dataclass(frozen=True)
class Front:
    """The load balancer and what stands behind it."""

    balancer: elb.ApplicationLoadBalancer
    web: elb.ApplicationTargetGroup
    people: cognito.UserPool


def make_front(
    scope: Construct, vpc: ec2.IVpc, deployment: Deployment, web: Running, pages: Running, access_logs: s3.IBucket
) -> Front:
    """Return what the world sees: the web by its own login and tokens, Dagster behind Cognito."""
    balancer = elb.ApplicationLoadBalancer(
        scope,
        "Balancer",
        vpc=vpc,
        internet_facing=True,
        drop_invalid_header_fields=True,
        deletion_protection=True,
        idle_timeout=cdk.Duration.seconds(120),
    )
    balancer.log_access_logs(access_logs, "balancer")
    balancer.add_redirect()
    # Cognito is asked for every login.
    balancer.connections.allow_to_any_ipv4(ec2.Port.tcp(443), "Cognito")
    listener = balancer.add_listener(
        "Https",
        port=443,
        certificates=[acm.Certificate.from_certificate_arn(scope, "Certificate", deployment.certificate_arn)],
        ssl_policy=elb.SslPolicy.RECOMMENDED_TLS,
        default_action=elb.ListenerAction.fixed_response(404, content_type="text/plain", message_body="Not here.\n"),
    )
    to_web = _group(scope, vpc, "Web", WEB_PORT, "/ready", web)
    to_pages = _group(scope, vpc, "Pages", DAGSTER_PORT, "/server_info", pages)
    people = _people(scope)
    listener.add_action(
        "ToWeb",
        priority=10,
        conditions=[elb.ListenerCondition.host_headers([deployment.web_host])],
        action=elb.ListenerAction.forward([to_web]),
    )
    listener.add_action(
        "ToDagster",
        priority=20,
        conditions=[elb.ListenerCondition.host_headers([deployment.dagster_host])],
        action=_after_login(people, deployment, elb.ListenerAction.forward([to_pages])),
    )
    return Front(balancer, to_web, people)


def _group(
    scope: Construct, vpc: ec2.IVpc, name: str, port: int, healthy: str, running: Running
) -> elb.ApplicationTargetGroup:
    return elb.ApplicationTargetGroup(
        scope,
        f"{name}Group",
        vpc=vpc,
        port=port,
        protocol=elb.ApplicationProtocol.HTTP,
        targets=[running.service],
        deregistration_delay=cdk.Duration.seconds(15),
        health_check=elb.HealthCheck(path=healthy, healthy_http_codes="200", interval=cdk.Duration.seconds(15)),
    )


def _people(scope: Construct) -> cognito.UserPool:
    return cognito.UserPool(
        scope,
        "People",
        self_sign_up_enabled=False,
        sign_in_aliases=cognito.SignInAliases(email=True),
        account_recovery=cognito.AccountRecovery.EMAIL_ONLY,
        mfa=cognito.Mfa.REQUIRED,
        mfa_second_factor=cognito.MfaSecondFactor(sms=False, otp=True),
        password_policy=cognito.PasswordPolicy(
            min_length=12, require_digits=True, require_lowercase=True, require_symbols=True, require_uppercase=True
        ),
        deletion_protection=True,
        removal_policy=cdk.RemovalPolicy.RETAIN,
    )


def _after_login(people: cognito.UserPool, deployment: Deployment, action: elb.ListenerAction) -> elb.ListenerAction:
    domain = people.add_domain(
        "Login",
        # Among all customers of AWS, hence with the account's number.
        cognito_domain=cognito.CognitoDomainOptions(domain_prefix=f"{deployment.name}-{cdk.Aws.ACCOUNT_ID}"),
    )
    client = people.add_client(
        "Balancer",
        generate_secret=True,
        auth_flows=cognito.AuthFlow(user_srp=True),
        supported_identity_providers=[cognito.UserPoolClientIdentityProvider.COGNITO],
        o_auth=cognito.OAuthSettings(
            flows=cognito.OAuthFlows(authorization_code_grant=True),
            scopes=[cognito.OAuthScope.OPENID],
            callback_urls=[f"https://{deployment.dagster_host}/oauth2/idpresponse"],
        ),
    )
    return elb_actions.AuthenticateCognitoAction(
        user_pool=people,
        user_pool_client=client,
        user_pool_domain=domain,
        session_timeout=cdk.Duration.hours(12),
        next=action,
    )
