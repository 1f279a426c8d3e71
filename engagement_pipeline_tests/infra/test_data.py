"""What an emulator cannot show of the stack that holds data: encryption, expiry, who may write, alarms."""

from typing import Any

import pytest

from engagement_pipeline.platform import bucket
from engagement_pipeline.platform.dynamodb_tables import STREAM_VIEW, TABLES, Key, Table
from engagement_pipeline_tests.infra.templates import Template, actions_of, listed, target_of
from infra.demo.cloud import DOMAIN

pytestmark = pytest.mark.integration


def _name(table: Table) -> str:
    return "".join(word.capitalize() for word in table.name.split("_"))


def _table(data: Template, table: Table) -> tuple[str, Any]:
    found = {
        name: each
        for name, each in data.properties("AWS::DynamoDB::Table").items()
        # A hash of eight digits follows.
        if name[:-8] == _name(table)
    }
    assert len(found) == 1
    return next(iter(found.items()))


def _keys(schema: list[dict[str, str]]) -> Key:
    by_kind = {each["KeyType"]: each["AttributeName"] for each in schema}
    return Key(by_kind["HASH"], by_kind.get("RANGE"))


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_a_table_is_the_one_that_the_package_defines(data: Template, table: Table) -> None:
    _, made = _table(data, table)
    assert _keys(made["KeySchema"]) == table.key
    indexes = {each["IndexName"]: each for each in made.get("GlobalSecondaryIndexes", [])}
    assert set(indexes) == {index.name for index in table.indexes}
    for index in table.indexes:
        assert _keys(indexes[index.name]["KeySchema"]) == index.key
        projection = indexes[index.name]["Projection"]
        assert projection["ProjectionType"] == index.projection
        assert tuple(projection.get("NonKeyAttributes", ())) == index.include
    assert made.get("StreamSpecification", {}).get("StreamViewType") == (STREAM_VIEW if table.streams else None)
    assert "TimeToLiveSpecification" not in made


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_a_table_is_encrypted_and_cannot_be_lost(data: Template, table: Table) -> None:
    name, made = _table(data, table)
    key, _ = data.only("AWS::KMS::Key")
    assert made["SSESpecification"]["SSEEnabled"] is True
    assert target_of(made["SSESpecification"]["KMSMasterKeyId"]) == key
    assert made["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"] is True
    assert made["DeletionProtectionEnabled"] is True
    assert data.resources[name]["DeletionPolicy"] == "Retain"
    assert made["BillingMode"] == "PAY_PER_REQUEST"


def test_the_key_is_renewed_and_publishers_of_this_account_alone_may_use_it(data: Template) -> None:
    _, key = data.only("AWS::KMS::Key")
    assert key["EnableKeyRotation"] is True
    services = [each for each in key["KeyPolicy"]["Statement"] if "Service" in each["Principal"]]
    assert services
    assert all(each["Condition"] for each in services)


def test_every_stream_is_read_to_its_last_record(data: Template) -> None:
    readers = list(data.properties("AWS::Lambda::EventSourceMapping").values())
    read = {target_of(each["EventSourceArn"]) for each in readers}
    assert read == {_table(data, table)[0] for table in TABLES if table.streams}
    unpublished, _ = data.only("AWS::SQS::Queue", "UnpublishedChanges")
    for each in readers:
        assert each["StartingPosition"] == "TRIM_HORIZON"
        assert each["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
        assert each["BisectBatchOnFunctionError"] is True
        assert target_of(each["DestinationConfig"]["OnFailure"]["Destination"]) == unpublished
        # A stream keeps a day; until then a record is tried again.
        assert each.get("MaximumRetryAttempts", -1) == -1
        assert 0 < each["MaximumRecordAgeInSeconds"] < 86_400


def test_the_stream_processor_may_read_streams_and_publish_and_nothing_else(data: Template) -> None:
    statements = data.statements_of("ProcessorRole")
    assert actions_of(statements) == {
        "dynamodb:DescribeStream",
        "dynamodb:GetRecords",
        "dynamodb:GetShardIterator",
        "dynamodb:ListStreams",
        "kms:Decrypt",
        "kms:DescribeKey",
        "kms:GenerateDataKey",
        "logs:CreateLogStream",
        "logs:PutLogEvents",
        "sns:Publish",
        "sqs:GetQueueAttributes",
        "sqs:GetQueueUrl",
        "sqs:SendMessage",
    }
    anywhere = [each for each in statements if "*" in listed(each["Resource"])]
    assert actions_of(anywhere) == {"dynamodb:ListStreams"}


# Consumers set poison aside themselves: nothing else may get among the dead letters, however long nobody can take it.
@pytest.mark.parametrize("name", ["Changes", "Feedback"])
def test_a_queue_gives_up_on_a_message_as_late_as_it_can(data: Template, name: str) -> None:
    _, queue = data.only("AWS::SQS::Queue", f"{name}Queue")
    dead, dead_letters = data.only("AWS::SQS::Queue", f"{name}DeadLetters")
    assert queue["RedrivePolicy"]["maxReceiveCount"] == 1_000
    assert target_of(queue["RedrivePolicy"]["deadLetterTargetArn"]) == dead
    # As long as SQS allows: a message keeps its age when it becomes a dead letter.
    assert queue["MessageRetentionPeriod"] == dead_letters["MessageRetentionPeriod"] == 14 * 86_400


@pytest.mark.parametrize("name", ["Changes", "Feedback"])
def test_only_its_topic_may_write_to_a_queue(data: Template, name: str) -> None:
    queue, _ = data.only("AWS::SQS::Queue", f"{name}Queue")
    topic, _ = data.only("AWS::SNS::Topic", f"{name}Topic")
    _, policy = data.only("AWS::SQS::QueuePolicy", f"{name}Queue")
    allowed = [each for each in policy["PolicyDocument"]["Statement"] if each["Effect"] == "Allow"]
    assert [each["Action"] for each in allowed] == ["sqs:SendMessage"]
    assert allowed[0]["Principal"] == {"Service": "sns.amazonaws.com"}
    assert allowed[0]["Condition"] == {"ArnEquals": {"aws:SourceArn": {"Ref": topic}}}
    _, subscription = data.only("AWS::SNS::Subscription", f"{name}Queue")
    assert target_of(subscription["Endpoint"]) == queue
    assert subscription["RawMessageDelivery"] is True


def test_everything_is_encrypted_where_it_lies_and_on_its_way(data: Template) -> None:
    for queue in data.properties("AWS::SQS::Queue").values():
        assert queue["SqsManagedSseEnabled"] is True
    for topic in data.properties("AWS::SNS::Topic").values():
        assert topic["KmsMasterKeyId"]
    for each in data.properties("AWS::S3::Bucket").values():
        assert each["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        assert all(each["PublicAccessBlockConfiguration"].values())
    for kind in ("AWS::SQS::QueuePolicy", "AWS::SNS::TopicPolicy", "AWS::S3::BucketPolicy"):
        for policy in data.properties(kind).values():
            refused = [each for each in policy["PolicyDocument"]["Statement"] if each["Effect"] == "Deny"]
            assert {"Bool": {"aws:SecureTransport": "false"}} in [each["Condition"] for each in refused]
    closed = {target_of(each["Queues"][0]) for each in data.properties("AWS::SQS::QueuePolicy").values()}
    assert closed == set(data.of_type("AWS::SQS::Queue"))


def test_sess_events_come_back_and_only_those_of_our_own_mail(data: Template) -> None:
    topic, _ = data.only("AWS::SNS::Topic", "FeedbackTopic")
    _, destination = data.only("AWS::SES::ConfigurationSetEventDestination")
    wanted = destination["EventDestination"]
    assert wanted["Enabled"] is True
    assert target_of(wanted["SnsDestination"]["TopicARN"]) == topic
    assert {"bounce", "complaint", "delivery", "reject", "renderingFailure"} <= set(wanted["MatchingEventTypes"])
    _, policy = data.only("AWS::SNS::TopicPolicy", "FeedbackTopic")
    allowed = [each for each in policy["PolicyDocument"]["Statement"] if each["Effect"] == "Allow"]
    assert [each["Principal"] for each in allowed] == [{"Service": "ses.amazonaws.com"}]
    assert set(allowed[0]["Condition"]["StringEquals"]) == {"AWS:SourceAccount", "AWS:SourceArn"}


def test_we_send_encrypted_and_stop_at_who_complained(data: Template) -> None:
    _, ours = data.only("AWS::SES::ConfigurationSet")
    assert ours["DeliveryOptions"]["TlsPolicy"] == "REQUIRE"
    assert set(ours["SuppressionOptions"]["SuppressedReasons"]) == {"BOUNCE", "COMPLAINT"}
    assert ours["ReputationOptions"]["ReputationMetricsEnabled"] is True
    _, identity = data.only("AWS::SES::EmailIdentity")
    assert identity["EmailIdentity"] == DOMAIN
    assert identity["MailFromAttributes"]["MailFromDomain"].endswith(f".{DOMAIN}")


def test_files_with_names_in_them_go_after_a_week(data: Template) -> None:
    _, files = data.only("AWS::S3::Bucket", "Files")
    days = {each.get("Prefix"): each.get("ExpirationInDays") for each in files["LifecycleConfiguration"]["Rules"]}
    assert days[bucket.PREVIEWS] == days["exports/"] == 7
    assert days[bucket.BACKUPS] == 30


def test_logs_are_kept_for_a_month_encrypted(data: Template, services: Template) -> None:
    for template in (data, services):
        for group in template.properties("AWS::Logs::LogGroup").values():
            assert group["RetentionInDays"] == 30
            assert group["KmsKeyId"]


def test_somebody_hears_of_what_goes_wrong(data: Template) -> None:
    alarms = data.properties("AWS::CloudWatch::Alarm")
    topic, _ = data.only("AWS::SNS::Topic", "Alarms")
    for alarm in alarms.values():
        assert alarm["AlarmActions"] == [{"Ref": topic}]
        assert len(alarm["AlarmDescription"]) > 20
    watched = {(each["Namespace"], each["MetricName"], _subject(each)) for each in alarms.values()}
    for name in ("Changes", "Feedback"):
        assert ("AWS/SQS", "ApproximateAgeOfOldestMessage", f"{name}Queue") in watched
        assert ("AWS/SQS", "ApproximateNumberOfMessagesVisible", f"{name}DeadLetters") in watched
    assert ("AWS/SQS", "ApproximateNumberOfMessagesVisible", "UnpublishedChanges") in watched
    assert {("AWS/SES", "Reputation.BounceRate", ""), ("AWS/SES", "Reputation.ComplaintRate", "")} <= watched
    assert {("AWS/Lambda", "Errors", "Processor"), ("AWS/Lambda", "IteratorAge", "Processor")} <= watched
    # `ThrottledRequests` is counted by operation: asked of a table alone, it never says anything.
    throttled = {metric for namespace, metric, _ in watched if namespace == "AWS/DynamoDB"}
    assert throttled == {"ReadThrottleEvents", "WriteThrottleEvents"}
    _, policy = data.only("AWS::SNS::TopicPolicy", "Alarms")
    allowed = [each for each in policy["PolicyDocument"]["Statement"] if each["Effect"] == "Allow"]
    assert [each["Principal"] for each in allowed] == [{"Service": "cloudwatch.amazonaws.com"}]
    _, listener = data.only("AWS::SNS::Subscription", "Alarms")
    assert (listener["Protocol"], listener["Endpoint"]) == ("email", "data-team@shop.example.com")


def test_reputation_is_watched_below_what_ses_reviews(data: Template) -> None:
    _, bounces = data.only("AWS::CloudWatch::Alarm", "BouncesAlarm")
    _, complaints = data.only("AWS::CloudWatch::Alarm", "ComplaintsAlarm")
    assert bounces["Threshold"] < 0.05
    assert complaints["Threshold"] < 0.001


def _subject(alarm: Any) -> str:
    dimensions = alarm.get("Dimensions", [])
    return target_of(dimensions[0]["Value"])[:-8] if dimensions else ""
