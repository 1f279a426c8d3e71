"""What a person has to hear of; each says in words what it means and what to do."""

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from constructs import Construct


class Alarms:
    """Makes alarms that all go to one topic."""

    def __init__(self, scope: Construct, topic: sns.ITopic) -> None:
        """Take the scope of the alarms, and who hears of them."""
        self._scope = scope
        self._action = actions.SnsAction(topic)

    def above(
        self,
        name: str,
        metric: cloudwatch.Metric,
        limit: float,
        meaning: str,
        minutes: int = 1,
        *,
        silence: cloudwatch.TreatMissingData = cloudwatch.TreatMissingData.NOT_BREACHING,
    ) -> cloudwatch.Alarm:
        """Tell when a metric was above a limit for so many of its periods in a row."""
        alarm = metric.create_alarm(
            self._scope,
            f"{name}Alarm",
            alarm_description=meaning,
            threshold=limit,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
            evaluation_periods=minutes,
            treat_missing_data=silence,
        )
        alarm.add_alarm_action(self._action)
        alarm.add_ok_action(self._action)
        return alarm

    def below(self, name: str, metric: cloudwatch.Metric, limit: float, meaning: str, minutes: int) -> None:
        """Tell when a metric was below a limit, or said nothing at all."""
        alarm = metric.create_alarm(
            self._scope,
            f"{name}Alarm",
            alarm_description=meaning,
            threshold=limit,
            comparison_operator=cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
            evaluation_periods=minutes,
            treat_missing_data=cloudwatch.TreatMissingData.BREACHING,
        )
        alarm.add_alarm_action(self._action)
        alarm.add_ok_action(self._action)


def make_alarm_topic(scope: Construct, key: kms.IKey) -> sns.Topic:
    """Return a topic for all alarms of this account."""
    topic = sns.Topic(scope, "Alarms", master_key=key, enforce_ssl=True)
    # A topic with a policy of its own is open to nobody else, alarms of the same account included.
    topic.add_to_resource_policy(
        iam.PolicyStatement(
            sid="AlarmsOfThisAccount",
            principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
            actions=["sns:Publish"],
            resources=[topic.topic_arn],
            conditions={
                "StringEquals": {"aws:SourceAccount": cdk.Aws.ACCOUNT_ID},
                "ArnLike": {"aws:SourceArn": f"arn:aws:cloudwatch:{cdk.Aws.REGION}:{cdk.Aws.ACCOUNT_ID}:alarm:*"},
            },
        )
    )
    return topic


def each_minute(namespace: str, name: str, statistic: str = "Maximum", **dimensions: str) -> cloudwatch.Metric:
    """Return a metric that is looked at every minute."""
    return cloudwatch.Metric(
        namespace=namespace,
        metric_name=name,
        statistic=statistic,
        dimensions_map=dimensions,
        period=cdk.Duration.minutes(1),
    )
