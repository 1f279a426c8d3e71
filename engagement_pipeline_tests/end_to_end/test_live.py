"""Live, the whole way: jobs, a real mail server, and what recipients and the provider answer."""

import json
import re
from datetime import timedelta
from pathlib import Path

import boto3
import dagster as dg
import pytest
import yaml
from fastapi.testclient import TestClient

from engagement_pipeline.definitions import build_defs
from engagement_pipeline.delivery.statuses import Status
from engagement_pipeline.pipeline import Pipeline
from engagement_pipeline.platform.settings import PROJECT_ROOT
from engagement_pipeline.web.app import create_app
from engagement_pipeline_tests.aws_server import REGION, sent_through_ses
from engagement_pipeline_tests.defs.conftest import Clock, silent_user
from engagement_pipeline_tests.delivery.live import live_settings, ses_settings, smtp_settings
from engagement_pipeline_tests.delivery.mailers.messages import parsed
from engagement_pipeline_tests.smtp_server import SmtpServer

pytestmark = pytest.mark.integration

GATE = {"hold_out_share": 0, "sending_hour_from": 0, "sending_hour_to": 24}


@pytest.fixture
def brand_file(tmp_path: Path) -> Path:
    """The sample brand, as a shop that exists."""
    content = yaml.safe_load((PROJECT_ROOT / "data" / "brand.yaml").read_text())
    content |= {"from_address": "stylists@our-shop.net", "site_url": "https://www.our-shop.net"}
    path = tmp_path / "brand.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


class Shop:
    """Runs the jobs that schedules would run."""

    def __init__(self, pipeline: Pipeline, clock: Clock) -> None:
        self.pipeline = pipeline
        self.clock = clock
        self._instance = dg.DagsterInstance.ephemeral()

    def run(self, job: str) -> dg.ExecuteInProcessResult:
        defs = build_defs(self.pipeline.settings, {"pipeline": self.pipeline})
        return defs.resolve_job_def(job).execute_in_process(instance=self._instance, raise_on_error=False)

    def write_and_send(self) -> None:
        assert self.run("refresh_engagement").success
        assert self.run("send_emails").success

    def statuses(self) -> dict[Status, int]:
        return self.pipeline.ledger.count_by_status(self.pipeline.settings.campaign)


def hard_bounce(message_id: str, address: str) -> dict[str, object]:
    """What SES publishes when a mailbox does not exist."""
    sent_at, bounced_at = "2026-03-02T15:00:00.000Z", "2026-03-02T15:00:05.000Z"
    return {
        "eventType": "Bounce",
        "mail": {"messageId": message_id, "timestamp": sent_at, "destination": [address]},
        "bounce": {
            "bounceType": "Permanent",
            "bounceSubType": "General",
            "timestamp": bounced_at,
            "feedbackId": "f-1",
            "bouncedRecipients": [{"emailAddress": address}],
        },
    }


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_who_unsubscribes_is_never_written_to_again(
    smtp_server: SmtpServer, tmp_path: Path, brand_file: Path, clock: Clock
) -> None:
    settings = smtp_settings(smtp_server, data_dir=tmp_path, brand_file=brand_file, gate=GATE)
    shop = Shop(Pipeline(settings, clock), clock)
    shop.pipeline.store.put_users([silent_user(1), silent_user(2)], clock())
    shop.write_and_send()
    assert sorted(message.recipients[0] for message in smtp_server.received) == [
        "user-1@example.com",
        "user-2@example.com",
    ]
    mail = parsed(next(m.content for m in smtp_server.received if m.recipients[0] == "user-1@example.com"))
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    one_click = re.fullmatch(r"<https://mail\.our-shop\.net(/unsubscribe\?token=\S+)>", mail["List-Unsubscribe"])
    assert one_click is not None
    with TestClient(create_app(shop.pipeline)) as web:
        assert web.post(one_click[1], data={"List-Unsubscribe": "One-Click"}).status_code == 200
    clock.moment += timedelta(days=40)
    shop.write_and_send()
    recipients = [message.recipients[0] for message in smtp_server.received]
    assert recipients.count("user-1@example.com") == 1
    assert recipients.count("user-2@example.com") == 2
    shop.pipeline.database.close()


def test_a_server_that_is_down_fails_the_campaign_and_no_reaction(
    smtp_server: SmtpServer, tmp_path: Path, brand_file: Path, clock: Clock
) -> None:
    settings = smtp_settings(smtp_server, data_dir=tmp_path, brand_file=brand_file, gate=GATE)
    shop = Shop(Pipeline(settings, clock), clock)
    shop.pipeline.store.put_users([silent_user(1)], clock())
    smtp_server.stop()
    assert shop.run("react_to_changes").success, "it has scored, decided and written; repeating it would bring nothing"
    assert shop.statuses() == {"queued": 1}
    assert not shop.run("send_emails").success
    assert shop.statuses() == {"queued": 1}
    shop.pipeline.database.close()


def test_staging_never_mails_real_people(
    smtp_server: SmtpServer, tmp_path: Path, brand_file: Path, clock: Clock
) -> None:
    allowed = {"provider": "smtp", "public_url": "https://mail.our-shop.net", "allow_list": ["user-2@EXAMPLE.com"]}
    settings = smtp_settings(smtp_server, data_dir=tmp_path, brand_file=brand_file, gate=GATE)
    settings = settings.model_copy(update={"delivery": type(settings.delivery).model_validate(allowed)})
    shop = Shop(Pipeline(settings, clock), clock)
    shop.pipeline.store.put_users([silent_user(number) for number in range(5)], clock())
    shop.write_and_send()
    assert [message.recipients for message in smtp_server.received] == [("user-2@example.com",)]
    assert shop.statuses() == {"sent": 1, "skipped": 4}
    shop.pipeline.database.close()


def test_a_bounce_that_comes_by_the_queue_suppresses(
    ministack: str, tmp_path: Path, brand_file: Path, clock: Clock
) -> None:
    options = {"endpoint_url": ministack, "region_name": REGION}
    boto3.client("sesv2", **options).create_email_identity(EmailIdentity="our-shop.net")
    sns, sqs = boto3.client("sns", **options), boto3.client("sqs", **options)
    topic = sns.create_topic(Name="events")["TopicArn"]
    queue = sqs.create_queue(QueueName="events")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    ses = {"configuration_set": "engagement", "feedback_topic_arn": topic, "feedback_queue_url": queue}
    settings = ses_settings(ministack, data_dir=tmp_path, brand_file=brand_file, gate=GATE, ses=ses)
    shop = Shop(Pipeline(settings, clock), clock)
    shop.pipeline.store.put_users([silent_user(1), silent_user(2)], clock())
    shop.write_and_send()
    first = next(mail for mail in sent_through_ses(ministack) if mail["To"] == ["user-1@example.com"])
    sns.publish(TopicArn=topic, Message=json.dumps(hard_bounce(first["MessageId"], "user-1@example.com")))
    assert shop.run("collect_feedback").success
    assert shop.statuses() == {"bounced": 1, "sent": 1}
    clock.moment += timedelta(days=40)
    shop.write_and_send()
    recipients = [mail["To"][0] for mail in sent_through_ses(ministack)]
    assert (recipients.count("user-1@example.com"), recipients.count("user-2@example.com")) == (1, 2)
    shop.pipeline.database.close()


def test_live_that_is_not_ready_sends_nothing_and_says_what_is_missing(tmp_path: Path, clock: Clock) -> None:
    settings = live_settings(data_dir=tmp_path, gate=GATE, delivery={"public_url": ""})
    shop = Shop(Pipeline(settings, clock), clock)
    shop.pipeline.store.put_users([silent_user(1)], clock())
    assert shop.run("refresh_engagement").success
    result = shop.run("send_emails")
    assert not result.success
    [failure] = [event for event in result.all_events if event.is_step_failure]
    assert "PUBLIC_URL" in str(failure.step_failure_data.error)
    assert shop.statuses() == {"draft": 1}
    shop.pipeline.database.close()
