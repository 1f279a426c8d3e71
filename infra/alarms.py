"""What a person has to hear of; each says in words what it means and what to do."""

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
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


def each_minute(namespace: str, name: str, statistic: str = "Maximum", **dimensions: str) -> cloudwatch.Metric:
    """Return a metric that is looked at every minute."""
    return cloudwatch.Metric(
        namespace=namespace,
        metric_name=name,
        statistic=statistic,
        dimensions_map=dimensions,
        period=cdk.Duration.minutes(1),
    )
