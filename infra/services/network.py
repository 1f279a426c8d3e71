"""A network of our own: the load balancer faces the world, services face out, the database faces nobody."""

from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_kms as kms
from constructs import Construct

from infra.logs import make_log_group

_OPEN, _SERVICES, _DATABASE = "open", "services", "database"


def make_network(scope: Construct, key: kms.IKey) -> ec2.Vpc:
    """Return a network in two zones."""
    flows = make_log_group(scope, "FlowLog", key)
    vpc = ec2.Vpc(
        scope,
        "Network",
        ip_addresses=ec2.IpAddresses.cidr(CIDR),
        max_azs=2,
        # One is enough: when its zone is down, what waits goes on later, and nothing is lost.
        nat_gateways=1,
        restrict_default_security_group=False,
        subnet_configuration=[
            ec2.SubnetConfiguration(name=_OPEN, subnet_type=ec2.SubnetType.PUBLIC, map_public_ip_on_launch=False),
            ec2.SubnetConfiguration(name=_SERVICES, subnet_type=ec2.SubnetType.PRIVATE_WITH_EGRESS),
            ec2.SubnetConfiguration(name=_DATABASE, subnet_type=ec2.SubnetType.PRIVATE_ISOLATED),
        ],
        flow_logs={
            "Rejected": ec2.FlowLogOptions(
                destination=ec2.FlowLogDestination.to_cloud_watch_logs(flows),
                traffic_type=ec2.FlowLogTrafficType.REJECT,
            )
        },
    )
    # Free, and what is most talked to need not go through the NAT gateway.
    vpc.add_gateway_endpoint("S3", service=ec2.GatewayVpcEndpointAwsService.S3)
    vpc.add_gateway_endpoint("DynamoDb", service=ec2.GatewayVpcEndpointAwsService.DYNAMODB)
    return vpc


CIDR = "10.84.0.0/16"
SERVICES = ec2.SubnetSelection(subnet_group_name=_SERVICES)
DATABASE = ec2.SubnetSelection(subnet_group_name=_DATABASE)
