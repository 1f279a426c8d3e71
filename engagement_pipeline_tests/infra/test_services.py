"""What an emulator cannot show of the stack that runs things: who may do what, who is let in, what is encrypted."""

import re
from typing import Any

import pytest

from engagement_pipeline.defs.sensors import failed_runs
from engagement_pipeline.platform.settings import Settings
from engagement_pipeline_tests.infra.templates import Template, actions_of, listed, target_of
from infra.demo.cloud import DOMAIN

pytestmark = pytest.mark.integration

SERVICES = ("Code", "Daemon", "Pages", "Web")
# Actions that AWS itself knows no narrower resource for.
_ANYWHERE = {
    "dynamodb:ListStreams",
    "ecr:GetAuthorizationToken",
    "ses:GetAccount",
    "ssmmessages:CreateControlChannel",
    "ssmmessages:CreateDataChannel",
    "ssmmessages:OpenControlChannel",
    "ssmmessages:OpenDataChannel",
}
_SECRET = re.compile(r"PASSWORD|SECRET|TOKEN|_KEY$", re.IGNORECASE)


def _container(services: Template, name: str) -> Any:
    _, task = services.only("AWS::ECS::TaskDefinition", f"{name}Task")
    (container,) = task["ContainerDefinitions"]
    return container


def test_nobody_may_do_everything_or_something_everywhere(data: Template, services: Template) -> None:
    for template in (data, services):
        for name, statement in template.all_statements():
            actions = set(listed(statement["Action"]))
            assert not [action for action in actions if action == "*" or action.endswith(":*")], name
            if "*" in listed(statement["Resource"]):
                assert actions <= _ANYWHERE, name
            assert "ManagedPolicyArns" not in statement


def test_no_role_takes_a_policy_that_aws_can_change(data: Template, services: Template) -> None:
    for template in (data, services):
        for name, role in template.properties("AWS::IAM::Role").items():
            assert "ManagedPolicyArns" not in role, name


def test_the_web_can_neither_send_nor_read_whole_tables(services: Template) -> None:
    actions = actions_of(services.statements_of("WebRole"))
    assert not {action for action in actions if action.startswith(("ses:", "sqs:", "s3:"))}
    assert not {"dynamodb:Scan", "dynamodb:ExportTableToPointInTime", "dynamodb:DeleteTable"} & actions
    assert "dynamodb:Query" in actions


def test_the_code_server_may_send_as_our_domain_only(services: Template) -> None:
    statements = services.statements_of("CodeRole")
    (send,) = [each for each in statements if "ses:SendEmail" in listed(each["Action"])]
    assert len(send["Resource"]) == 2
    assert all("*" not in str(each) for each in send["Resource"])
    assert not {
        action for action in actions_of(statements) if action.startswith(("iam:", "kms:Put", "secretsmanager:"))
    }


def test_the_code_server_may_do_what_its_runs_ask_of_aws_and_no_more(services: Template) -> None:
    statements = services.statements_of("CodeRole")
    asked = {
        # Transactions are made of these.
        *(f"dynamodb:{name}" for name in ("ConditionCheckItem", "DeleteItem", "PutItem", "UpdateItem")),
        *(f"dynamodb:{name}" for name in ("BatchGetItem", "BatchWriteItem", "GetItem", "Query", "Scan")),
        *(f"kms:{name}" for name in ("Decrypt", "DescribeKey", "GenerateDataKey")),
        *(f"sqs:{name}" for name in ("ChangeMessageVisibility", "DeleteMessage", "GetQueueAttributes")),
        *("sqs:ReceiveMessage", "sqs:SendMessage"),
        *("ses:GetAccount", "ses:SendEmail", "ses:SendRawEmail"),
        *("s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject", "s3:ListBucket", "s3:PutObject"),
        *("elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite"),
    }
    # People come in by a shell of ECS.
    given = {action for action in actions_of(statements) if not action.startswith("ssmmessages:")}
    assert given == asked
    # What steps have printed goes with their runs.
    (deleting,) = [each for each in statements if "s3:DeleteObject" in listed(each["Action"])]
    assert "/dagster-logs/*" in str(deleting["Resource"])


def test_dagsters_own_services_touch_no_table(services: Template) -> None:
    assert not [role for role in services.of_type("AWS::IAM::Policy") if role.startswith("DaemonRole")]
    assert actions_of(services.statements_of("PagesRole")) == {"s3:GetObject", "s3:ListBucket", "kms:Decrypt"}


@pytest.mark.parametrize("name", SERVICES)
def test_secrets_reach_a_container_from_secrets_manager_alone(services: Template, name: str) -> None:
    container = _container(services, name)
    assert not [each["Name"] for each in container["Environment"] if _SECRET.search(each["Name"])]
    secret = {each["Name"] for each in container["Secrets"]}
    expected = {
        "Code": {"PGUSER", "PGPASSWORD", "ENGAGEMENT_SECRET_KEY"},
        "Web": {"PGUSER", "PGPASSWORD", "ENGAGEMENT_SECRET_KEY", "FIRST_TOKEN"},
    }
    assert secret == expected.get(name, {"PGUSER", "PGPASSWORD"})
    reading = services.statements_of(f"{name}TaskExecutionRole")
    (decrypt,) = [each for each in reading if "kms:Decrypt" in listed(each["Action"])]
    assert "kms:ViaService" in decrypt["Condition"]["StringEquals"]


@pytest.mark.parametrize("name", ["Code", "Web"])
def test_every_variable_is_a_setting_that_there_is(services: Template, name: str, monkeypatch: Any) -> None:
    given = {each["Name"]: each["Value"] for each in _container(services, name)["Environment"]}
    ours = {key: value for key, value in given.items() if key.startswith("ENGAGEMENT_")}
    assert {"ENGAGEMENT_DYNAMODB__USERS_TABLE", "ENGAGEMENT_DYNAMODB__CHANGES_QUEUE_URL"} <= ours.keys()
    for key, value in ours.items():
        # What the account decides is known there only.
        monkeypatch.setenv(key, value if isinstance(value, str) else "https://sqs.example/1/decided-there"[-13:])
    monkeypatch.setenv("ENGAGEMENT_SECRET_KEY", "x" * 64)
    settings = Settings()
    assert settings.delivery.provider == "ses"
    assert settings.dynamodb.is_set
    assert settings.send_mode == "dry_run"
    known = {f"ENGAGEMENT_{field.upper()}" for field in Settings.model_fields}
    assert {key.split("__")[0] for key in ours} <= known


def test_one_code_server_writes_the_warehouse_at_a_time(services: Template) -> None:
    _, service = services.only("AWS::ECS::Service", "CodeService")
    assert service["DesiredCount"] == 1
    assert service["DeploymentConfiguration"]["MaximumPercent"] == 100
    assert service["DeploymentConfiguration"]["MinimumHealthyPercent"] == 0


def test_the_web_goes_on_while_it_is_renewed(services: Template) -> None:
    _, service = services.only("AWS::ECS::Service", "WebService")
    assert service["DesiredCount"] == 2
    assert service["DeploymentConfiguration"]["MinimumHealthyPercent"] == 100


def test_services_have_no_address_outside(services: Template) -> None:
    for service in services.properties("AWS::ECS::Service").values():
        assert service["NetworkConfiguration"]["AwsvpcConfiguration"]["AssignPublicIp"] == "DISABLED"
        assert service["DeploymentConfiguration"]["DeploymentCircuitBreaker"]["Rollback"] is True
    for subnet in services.properties("AWS::EC2::Subnet").values():
        assert subnet["MapPublicIpOnLaunch"] is False


@pytest.mark.parametrize("name", SERVICES)
def test_a_container_tells_how_it_is_and_is_given_time_to_end(services: Template, name: str) -> None:
    container = _container(services, name)
    assert container["HealthCheck"]["Command"][0] == "CMD-SHELL"
    assert container["StopTimeout"] >= 100
    assert container["LogConfiguration"]["LogDriver"] == "awslogs"
    assert not container.get("Privileged")


def test_the_database_is_encrypted_backed_up_and_not_reachable(services: Template) -> None:
    name, database = services.only("AWS::RDS::DBInstance")
    assert database["StorageEncrypted"] is True
    assert database["KmsKeyId"]
    assert database["DeletionProtection"] is True
    assert database["BackupRetentionPeriod"] == 14
    assert database["PubliclyAccessible"] is False
    assert services.resources[name]["DeletionPolicy"] == "Snapshot"
    _, parameters = services.only("AWS::RDS::DBParameterGroup")
    assert parameters["Parameters"]["rds.force_ssl"] == "1"
    openings = [
        each
        for rule, each in services.properties("AWS::EC2::SecurityGroupIngress").items()
        if rule.startswith("DatabaseSecurityGroup")
    ]
    assert len(openings) == len(SERVICES)
    assert all("SourceSecurityGroupId" in each for each in openings)


def test_files_are_encrypted_backed_up_and_reached_through_one_folder(services: Template) -> None:
    _, files = services.only("AWS::EFS::FileSystem")
    assert files["Encrypted"] is True
    assert files["BackupPolicy"]["Status"] == "ENABLED"
    statements = files["FileSystemPolicy"]["Statement"]
    assert {each["Effect"] for each in statements} == {"Deny"}
    assert {"Bool": {"aws:SecureTransport": "false"}} in [each["Condition"] for each in statements]
    for name in ("Code", "Web"):
        _, task = services.only("AWS::ECS::TaskDefinition", f"{name}Task")
        (volume,) = task["Volumes"]
        assert volume["EFSVolumeConfiguration"]["TransitEncryption"] == "ENABLED"
        (mounting,) = [
            each
            for each in services.statements_of(f"{name}Role")
            if "elasticfilesystem:ClientMount" in listed(each["Action"])
        ]
        assert "elasticfilesystem:AccessPointArn" in mounting["Condition"]["StringEquals"]


def test_the_world_is_answered_over_https_and_dagster_shows_itself_to_who_logged_in(services: Template) -> None:
    listeners = list(services.properties("AWS::ElasticLoadBalancingV2::Listener").values())
    (https,) = [each for each in listeners if each["Protocol"] == "HTTPS"]
    assert https["DefaultActions"][0]["Type"] == "fixed-response"
    assert "TLS13" in https["SslPolicy"]
    (http,) = [each for each in listeners if each["Protocol"] == "HTTP"]
    assert http["DefaultActions"][0]["RedirectConfig"]["Protocol"] == "HTTPS"
    rules = services.properties("AWS::ElasticLoadBalancingV2::ListenerRule").values()
    by_host = {each["Conditions"][0]["HostHeaderConfig"]["Values"][0]: each["Actions"] for each in rules}
    assert [each["Type"] for each in by_host[f"dagster.{DOMAIN}"]] == ["authenticate-cognito", "forward"]
    assert [each["Type"] for each in by_host[f"engagement.{DOMAIN}"]] == ["forward"]


def test_people_are_let_in_by_us_and_show_two_things(services: Template) -> None:
    _, people = services.only("AWS::Cognito::UserPool")
    assert people["AdminCreateUserConfig"]["AllowAdminCreateUserOnly"] is True
    assert people["MfaConfiguration"] == "ON"
    assert people["Policies"]["PasswordPolicy"]["MinimumLength"] >= 12


def test_drawn_secrets_are_kept_under_our_key(services: Template) -> None:
    drawn = services.properties("AWS::SecretsManager::Secret")
    assert len(drawn) == 3
    for secret in drawn.values():
        assert secret["KmsKeyId"]
        assert secret["GenerateSecretString"]["PasswordLength"] >= 30


def test_somebody_hears_of_failed_runs_and_of_services_that_are_gone(services: Template) -> None:
    alarms = services.properties("AWS::CloudWatch::Alarm")
    _, failed = services.only("AWS::Logs::MetricFilter")
    metric = failed["MetricTransformations"][0]
    watched = {(each["Namespace"], each["MetricName"]) for each in alarms.values()}
    assert (metric["MetricNamespace"], metric["MetricName"]) in watched
    assert target_of(failed["LogGroupName"]).startswith("CodeLog")
    # A run that was killed says nothing itself; the sensor that keeps failed runs does.
    assert set(re.findall(r'\?"(\w+)"', failed["FilterPattern"])) == {"RUN_FAILURE", failed_runs.name}
    for name in SERVICES:
        _, down = services.only("AWS::CloudWatch::Alarm", f"{name}DownAlarm")
        assert down["TreatMissingData"] == "breaching"
    assert all(each["AlarmActions"] for each in alarms.values())
