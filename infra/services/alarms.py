"""Alarms on what runs."""

import aws_cdk as cdk
from aws_cdk import aws_elasticloadbalancingv2 as elb
from aws_cdk import aws_logs as logs
from aws_cdk import aws_rds as rds
from constructs import Construct

from infra.alarms import Alarms, each_minute
from infra.services.front import Front
from infra.services.tasks import Running

# What Dagster's run processes write when a run has failed for good or is to be tried again; and the sensor that keeps
# failed runs (defs/sensors.py), which hears of those, too, whose process was killed.
_FAILED_RUN = ("RUN_FAILURE", "failed_runs")
_FREE_BYTES = 4 * 1024**3


def watch_services(
    scope: Construct, alarms: Alarms, running: dict[str, Running], front: Front, server: rds.DatabaseInstance
) -> None:
    """Make the alarms of the services stack."""
    _watch_runs(scope, alarms, running["code"].log)
    for name, each in running.items():
        tasks = each_minute(
            "ECS/ContainerInsights",
            "RunningTaskCount",
            "Minimum",
            ClusterName=each.service.cluster.cluster_name,
            ServiceName=each.service.service_name,
        )
        alarms.below(f"{name.capitalize()}Down", tasks, 1, f"The service {name} does not run.", minutes=5)
    _watch_front(alarms, front)
    free = server.metric_free_storage_space(period=cdk.Duration.minutes(5), statistic="Minimum")
    alarms.below("DatabaseFull", free, _FREE_BYTES, "PostgreSQL has less than 4 GiB left.", minutes=1)


def _watch_runs(scope: Construct, alarms: Alarms, log: logs.LogGroup) -> None:
    failed = logs.MetricFilter(
        scope,
        "FailedRuns",
        log_group=log,
        filter_pattern=logs.FilterPattern.any_term(*_FAILED_RUN),
        metric_namespace="Engagement",
        metric_name="FailedRuns",
        metric_value="1",
    )
    metric = failed.metric(statistic="Sum", period=cdk.Duration.minutes(5))
    alarms.above("FailedRuns", metric, 0, "A run failed: Dagster's pages and `engagement status` show which, and why.")


def _watch_front(alarms: Alarms, front: Front) -> None:
    broken = front.web.metrics.http_code_target(
        elb.HttpCodeTarget.TARGET_5XX_COUNT, period=cdk.Duration.minutes(1), statistic="Sum"
    )
    alarms.above("WebErrors", broken, 5, "The web server answers with errors of its own.", minutes=5)
    healthy = front.web.metrics.healthy_host_count(period=cdk.Duration.minutes(1), statistic="Minimum")
    alarms.below("WebGone", healthy, 1, "No web server is ready: nobody can unsubscribe now.", minutes=3)
