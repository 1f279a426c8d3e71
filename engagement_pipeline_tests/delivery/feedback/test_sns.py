import json
import logging
import re
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from engagement_pipeline.delivery.feedback import sns
from engagement_pipeline.delivery.feedback.errors import BadEventError, ForgedError
from engagement_pipeline.delivery.feedback.sns import Certificates, Envelope, open_envelope
from engagement_pipeline_tests.delivery.feedback.signing import (
    CERTIFICATE_URL,
    SUBSCRIBE_URL,
    TOPIC,
    Signer,
    certificate,
)

SECRET_TEXT = "jane@example.com is in here"


@pytest.fixture(scope="module")
def signer() -> Signer:
    return Signer()


@pytest.mark.parametrize("version", ["1", "2"])
@pytest.mark.parametrize("subject", [{}, {"Subject": "Amazon SES Email Event Notification"}, {"Subject": None}])
def test_a_signed_notification_is_opened(signer: Signer, version: str, subject: dict[str, Any]) -> None:
    text = signer.notification('{"ä":\n1}', version, **subject)
    assert open_envelope(text, TOPIC, signer.certificates()) == Envelope(
        "Notification", '{"ä":\n1}', "da41e39f-ea4d-435a-b922-c6aae3915ebe", None
    )


@pytest.mark.parametrize("version", ["1", "2"])
@pytest.mark.parametrize("kind", ["SubscriptionConfirmation", "UnsubscribeConfirmation"])
def test_a_signed_confirmation_tells_its_url(signer: Signer, version: str, kind: str) -> None:
    envelope = open_envelope(signer.confirmation(kind, version), TOPIC, signer.certificates())
    assert (envelope.kind, envelope.subscribe_url) == (kind, SUBSCRIBE_URL)


@pytest.mark.parametrize("version", ["1", "2"])
@pytest.mark.parametrize("name", ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"])
def test_changing_anything_that_is_signed_is_noticed(signer: Signer, version: str, name: str) -> None:
    body = json.loads(signer.notification("text", version, Subject="subject"))
    body[name] = {"Type": "SubscriptionConfirmation"}.get(name, body[name] + "x")
    body |= {"Token": "t", "SubscribeURL": SUBSCRIBE_URL}
    with pytest.raises(ForgedError):
        open_envelope(json.dumps(body), body["TopicArn"], signer.certificates())


@pytest.mark.parametrize("name", ["SubscribeURL", "Token"])
def test_changing_what_only_a_confirmation_signs_is_noticed(signer: Signer, name: str) -> None:
    body = json.loads(signer.confirmation())
    body[name] += "x"
    with pytest.raises(ForgedError, match="signature does not hold"):
        open_envelope(json.dumps(body), TOPIC, signer.certificates())


@pytest.mark.parametrize(
    "changes",
    [
        {"SignatureVersion": "2"},
        {"SignatureVersion": "3"},
        {"SignatureVersion": 1.0},
        {"SignatureVersion": None},
        {"Signature": ""},
        {"Signature": "not base64!"},
        {"Signature": None},
        {"Signature": "AAAA"},
    ],
)
def test_a_signature_of_another_kind_or_none_is_refused(signer: Signer, changes: dict[str, Any]) -> None:
    body = json.loads(signer.notification("text")) | changes
    with pytest.raises(ForgedError):
        open_envelope(json.dumps(body), TOPIC, signer.certificates())


def test_a_message_signed_by_somebody_else_is_refused(signer: Signer) -> None:
    with pytest.raises(ForgedError, match="signature does not hold"):
        open_envelope(Signer().notification("text"), TOPIC, signer.certificates())


FOREIGN_URLS = [
    "http://sns.us-east-1.amazonaws.com/x.pem",
    "file:///etc/passwd.pem",
    "https://evil.example/x.pem",
    "https://sns.us-east-1.amazonaws.com.evil.example/x.pem",
    "https://evil.example/sns.us-east-1.amazonaws.com/x.pem",
    "https://sns.us-east-1.amazonaws.com@evil.example/x.pem",
    "https://user@sns.us-east-1.amazonaws.com/x.pem",
    "https://sns.us-east-1.amazonaws.com:8443/x.pem",
    "https://sns.us-east-1.amazonaws.com:443/x.pem",
    "https://evil-sns.us-east-1.amazonaws.com/x.pem",
    "https://sns-us-east-1.amazonaws.com/x.pem",
    "https://sns.us-east-1.amazonaws.org/x.pem",
    "https://snsxus-east-1.amazonaws.com/x.pem",
    "https://sns.bucket.amazonaws.com/x.pem",
    "https://s3.us-east-1.amazonaws.com/x.pem",
    "https://sns.evil.us-east-1.amazonaws.com/x.pem",
    "https://sns.us-east-1.amazonaws.com.cn.evil.example/x.pem",
    "https://sns.us-east-1.amazonaws.com\\@evil.example/x.pem",
    "https://sns.us-east-1.amazonaws.com\n.evil.example/x.pem",
    "https://sns.us-east-1.amazonaws.com%2eevil.example/x.pem",
    "https://sns.uѕ-east-1.amazonaws.com/x.pem",
    "https://[::1]/x.pem",
    "https://[/x.pem",
    "",
]


@pytest.mark.parametrize("url", FOREIGN_URLS)
def test_a_certificate_from_a_foreign_host_is_not_even_fetched(signer: Signer, url: str) -> None:
    signer.fetched.clear()
    with pytest.raises(ForgedError, match="certificate is not on a host of SNS"):
        open_envelope(signer.notification("text", SigningCertURL=url), TOPIC, signer.certificates())
    assert not signer.fetched


@pytest.mark.parametrize("tail", ["x.crt", "", "?x.pem", "x.pem?y", "x.pem?", "x.pem#y"])
def test_what_is_no_certificate_on_a_host_of_sns_is_not_even_fetched(signer: Signer, tail: str) -> None:
    signer.fetched.clear()
    url = f"https://sns.us-east-1.amazonaws.com/{tail}"
    with pytest.raises(ForgedError):
        open_envelope(signer.notification("text", SigningCertURL=url), TOPIC, signer.certificates())
    assert not signer.fetched


@pytest.mark.parametrize("url", [url for url in FOREIGN_URLS if url])
def test_a_confirmation_that_leads_elsewhere_is_refused_even_if_signed(signer: Signer, url: str) -> None:
    with pytest.raises(ForgedError, match="URL is not on a host of SNS"):
        open_envelope(signer.confirmation(SubscribeURL=url), TOPIC, signer.certificates())
    with pytest.raises(ForgedError):
        sns.fetch(url)


@pytest.mark.parametrize("region", ["eu-west-1", "us-gov-west-1", "cn-north-1", "ap-southeast-4"])
def test_every_region_has_its_host(signer: Signer, region: str) -> None:
    end = ".cn" if region.startswith("cn") else ""
    url = f"https://sns.{region}.amazonaws.com{end}/SimpleNotificationService-0.pem"
    open_envelope(signer.notification("text", SigningCertURL=url), TOPIC, signer.certificates())


@pytest.mark.parametrize(
    "topic", ["", TOPIC[:-1], TOPIC + "2", TOPIC.upper(), "arn:aws:sns:us-east-1:999999999999:ses-events"]
)
def test_another_topic_is_refused_with_and_without_signature(signer: Signer, topic: str) -> None:
    text = signer.notification("text", TopicArn=topic)
    for certificates in (signer.certificates(), None):
        with pytest.raises(ForgedError, match="another topic"):
            open_envelope(text, TOPIC, certificates)


def test_where_no_topic_is_expected_none_is_taken(signer: Signer) -> None:
    with pytest.raises(ForgedError, match="another topic"):
        open_envelope(signer.notification("text", TopicArn=""), "", signer.certificates())


def test_refusals_are_logged_without_what_the_message_says(signer: Signer, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        for fields in ({"TopicArn": "arn:aws:sns:us-east-1:999999999999:foreign"}, {"TopicArn": f"{SECRET_TEXT}\n"}):
            with pytest.raises(ForgedError):
                open_envelope(signer.notification(SECRET_TEXT, **fields), TOPIC, signer.certificates())
        with pytest.raises(ForgedError) as caught:
            open_envelope(Signer().notification(SECRET_TEXT), TOPIC, signer.certificates())
    assert caplog.messages == [
        "A message of SNS was refused: it is of another topic (its topic: arn:aws:sns:us-east-1:999999999999:foreign).",
        "A message of SNS was refused: it is of another topic (its topic: none).",
        f"A message of SNS was refused: its signature does not hold (its topic: {TOPIC}).",
    ]
    assert SECRET_TEXT not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"Type": "Rumour"}, "Type is not one of SNS"),
        ({"Type": []}, "Type is not one of SNS"),
        ({"Message": None}, "Message is missing or not text"),
        ({"MessageId": 1}, "MessageId is missing or not text"),
        ({"Subject": {}}, "Subject is missing or not text"),
        ({"Type": "SubscriptionConfirmation"}, "SubscribeURL is missing or not text"),
    ],
)
def test_what_is_no_envelope_is_refused_as_such(signer: Signer, change: dict[str, Any], fault: str) -> None:
    body = json.loads(signer.notification("text")) | change
    with pytest.raises(BadEventError, match=f"^{re.escape(fault)}$"):
        open_envelope(json.dumps(body), TOPIC, signer.certificates())


def test_certificates_are_fetched_once_and_few_are_kept(signer: Signer) -> None:
    signer.fetched.clear()
    certificates = signer.certificates()
    urls = [CERTIFICATE_URL.replace("0123", f"{number:04}") for number in range(40)]
    for url in [urls[0], urls[0], *urls, urls[-1]]:
        certificates.key(url)
    assert signer.fetched == urls
    certificates.key(urls[0])
    assert signer.fetched == [*urls, urls[0]]


def test_what_is_no_rsa_certificate_is_refused() -> None:
    with pytest.raises(ForgedError, match="there is no certificate"):
        Certificates(lambda _: b"<html>").key(CERTIFICATE_URL)
    elliptic = certificate(ec.generate_private_key(ec.SECP256R1()))
    with pytest.raises(ForgedError, match="does not sign with RSA"):
        Certificates(lambda _: elliptic).key(CERTIFICATE_URL)


def test_a_certificate_that_cannot_be_fetched_says_nothing_about_the_message(signer: Signer) -> None:
    def fail(_: str) -> bytes:
        raise TimeoutError

    with pytest.raises(TimeoutError):
        open_envelope(signer.notification("text"), TOPIC, Certificates(fail))


class _Answers(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        status = int(self.path.strip("/"))
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "/200")
        self.send_header("Content-Length", "4")
        self.end_headers()
        self.wfile.write(b"body")

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


@pytest.fixture
def local_sns(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    # The one thing that is bent: a server of ours counts as a host of SNS.
    monkeypatch.setattr(sns, "_is_of_sns", lambda url: url.startswith("http://127.0.0.1:"))
    with ThreadingHTTPServer(("127.0.0.1", 0), _Answers) as server:
        Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_what_sns_answers_is_fetched(local_sns: str) -> None:
    assert sns.fetch(f"{local_sns}/200") == b"body"


@pytest.mark.parametrize("status", [403, 404])
def test_a_url_that_sns_does_not_know_is_not_its_own(local_sns: str, status: int) -> None:
    with pytest.raises(ForgedError, match=f"SNS answers {status}"):
        sns.fetch(f"{local_sns}/{status}")


@pytest.mark.parametrize("status", [302, 429, 500, 503])
def test_a_fault_of_sns_and_a_redirect_are_not_taken_for_an_answer(local_sns: str, status: int) -> None:
    with pytest.raises(OSError, match=str(status)):
        sns.fetch(f"{local_sns}/{status}")
