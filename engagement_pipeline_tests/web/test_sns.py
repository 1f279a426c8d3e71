"""SNS's endpoint: what each of `delivery.feedback`'s verdicts becomes over HTTP."""

import pytest
from fastapi.testclient import TestClient

from engagement_pipeline.web.security.requests import MOST_BYTES
from engagement_pipeline_tests.delivery.feedback.examples import text
from engagement_pipeline_tests.delivery.feedback.signing import CERTIFICATE_URL, SUBSCRIBE_URL, TOPIC, Signer
from engagement_pipeline_tests.web.conftest import Shop

PATH = "/webhooks/ses"


@pytest.fixture(scope="module")
def signer() -> Signer:
    return Signer()


@pytest.fixture
def sns(shop: Shop, signer: Signer) -> TestClient:
    signer.fetched.clear()
    return shop.client(signer.fetch, ses={"feedback_topic_arn": TOPIC})


def post(client: TestClient, body: str | bytes) -> int:
    return int(client.post(PATH, content=body, headers={"Content-Type": "text/plain; charset=UTF-8"}).status_code)


def test_an_event_of_ses_is_taken(shop: Shop, sns: TestClient, signer: Signer) -> None:
    body = signer.notification(text("event_delivery", shop.email_id))
    assert [post(sns, body), post(sns, body)] == [200, 200]
    assert shop.row.status == "delivered"
    assert [(kind, source) for kind, source, _ in shop.events()] == [("delivery", "ses")]
    assert signer.fetched == [CERTIFICATE_URL]


def test_a_subscription_is_confirmed(sns: TestClient, signer: Signer) -> None:
    assert post(sns, signer.confirmation()) == 200
    assert signer.fetched == [CERTIFICATE_URL, SUBSCRIBE_URL]


def test_a_foreign_subscription_is_not(sns: TestClient, signer: Signer) -> None:
    assert post(sns, signer.confirmation(TopicArn=TOPIC + "2")) == 403
    assert post(sns, signer.confirmation(SubscribeURL="https://evil.example/")) == 403
    assert "https://evil.example/" not in signer.fetched
    assert SUBSCRIBE_URL not in signer.fetched


def test_forged_messages_are_refused_without_a_word(
    shop: Shop, sns: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    body = Signer().notification(text("event_complaint", shop.email_id))
    answer = sns.post(PATH, content=body)
    assert (answer.status_code, answer.content) == (403, b"")
    assert shop.events() == []
    assert shop.suppressed() == []
    assert "refused" in caplog.text
    assert "@" not in caplog.text


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"null", b"\xff\xfe", b"{" * 10_000, b'{"Type": 1}'])
def test_what_is_no_message_of_sns_is_refused(shop: Shop, sns: TestClient, body: bytes) -> None:
    answer = sns.post(PATH, content=body)
    assert (answer.status_code, answer.content) == (400, b"")
    assert shop.events() == []


def test_too_long_a_message_is_not_read(sns: TestClient) -> None:
    assert post(sns, b"x" * (MOST_BYTES + 1)) == 413


def test_sns_is_asked_to_send_again_when_its_certificate_cannot_be_fetched(shop: Shop, signer: Signer) -> None:
    def unreachable(_: str) -> bytes:
        raise TimeoutError

    client = shop.client(unreachable, ses={"feedback_topic_arn": TOPIC})
    assert post(client, signer.notification(text("event_delivery", shop.email_id))) == 503
    assert shop.events() == []


def test_without_a_topic_there_is_no_such_endpoint(shop: Shop, client: TestClient, signer: Signer) -> None:
    assert post(client, signer.notification(text("event_delivery", shop.email_id))) == 404
    assert shop.events() == []
