"""The whole way: from the ledger through the sender to a server, chosen by the settings."""

import boto3
import pytest

from engagement_pipeline.delivery.assembly import sender_for
from engagement_pipeline.platform.settings import Settings
from engagement_pipeline.platform.sql import Database
from engagement_pipeline_tests.aws_server import REGION, FaultProxy, sent_through_ses
from engagement_pipeline_tests.conftest import NOW
from engagement_pipeline_tests.delivery.live import our_brand, ses_settings, smtp_settings
from engagement_pipeline_tests.delivery.mailers.messages import parsed
from engagement_pipeline_tests.delivery.parts import Parts, silent_user
from engagement_pipeline_tests.delivery.sql_stores import sql_stores
from engagement_pipeline_tests.faults import Fault
from engagement_pipeline_tests.smtp_server import SmtpServer

pytestmark = pytest.mark.integration


def drafted(database: Database, count: int) -> Parts:
    parts = Parts(database)
    parts.add_users([silent_user(number) for number in range(count)], NOW)
    parts.add_drafts([silent_user(number).user_id for number in range(count)], NOW)
    return parts


def send(settings: Settings, database: Database) -> None:
    sender_for(settings, sql_stores(database), our_brand()).run(lambda: NOW)


def test_drafts_go_out_by_smtp(database: Database, smtp_server: SmtpServer) -> None:
    parts = drafted(database, 5)
    smtp_server.faults.add("RCPT", Fault("550 5.1.1 unknown"))
    send(smtp_settings(smtp_server), database)
    rows = parts.rows()
    assert [row.status for row in rows.values()] == ["failed", "sent", "sent", "sent", "sent"]
    assert {row.provider for row in rows.values() if row.status == "sent"} == {"smtp"}
    assert sorted(smtp_server.email_ids) == sorted(row.email_id for row in rows.values() if row.status == "sent")
    assert [row.provider_message_id for row in rows.values()][1:] == [f"Q{number:06}" for number in range(1, 5)]
    for received in smtp_server.received:
        assert received.sender == "stylists@our-shop.net"
        mail = parsed(received.content)
        assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        assert mail["List-Unsubscribe"].startswith("<https://")
    assert not smtp_server.transports, "the run has taken its leave"


def test_drafts_go_out_by_ses(database: Database, fault_proxy: FaultProxy, ministack: str) -> None:
    boto3.client("sesv2", endpoint_url=ministack, region_name=REGION).create_email_identity(
        EmailIdentity="our-shop.net"
    )
    parts = drafted(database, 3)
    fault_proxy.faults.add("/v2/email/outbound-emails", Fault(drop=True, taken=True))
    send(ses_settings(fault_proxy.url), database)
    rows = parts.rows()
    assert [row.status for row in rows.values()] == ["unknown", "sent", "sent"]
    taken = sent_through_ses(ministack)
    assert len(taken) == 3, "the first was taken, and is not sent again although nobody here knows"
    assert {row.provider_message_id for row in rows.values()} - {None} <= {message["MessageId"] for message in taken}


def test_an_account_that_may_not_send_leaves_everything_queued(database: Database, fault_proxy: FaultProxy) -> None:
    parts = drafted(database, 3)
    fault_proxy.faults.add("/v2/email/account", Fault("no", 403, "AccessDeniedException"))
    report = sender_for(ses_settings(fault_proxy.url), sql_stores(database), our_brand()).run(lambda: NOW)
    assert report.stopped is not None
    assert "does not let us in" in report.stopped
    assert set(parts.statuses().values()) == {"queued"}
