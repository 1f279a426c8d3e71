import base64
import json
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import boto3
import pytest

from engagement_pipeline.delivery.mailer import (
    HeldBackError,
    MailerError,
    PausedError,
    PermanentError,
    ThrottledError,
    TransientError,
    UncertainError,
)
from engagement_pipeline.delivery.mailers import ses
from engagement_pipeline.delivery.mailers.ses import SesMailer
from engagement_pipeline.platform.settings import Settings
from engagement_pipeline.platform.settings_groups import SesSettings
from engagement_pipeline_tests.aws_server import REGION, FaultProxy, sent_through_ses
from engagement_pipeline_tests.delivery.mailers.messages import assert_is_whole, message
from engagement_pipeline_tests.faults import Fault

pytestmark = pytest.mark.integration

SEND = "/v2/email/outbound-emails"
ACCOUNT = "/v2/email/account"


def settings(url: str) -> Settings:
    return Settings(
        aws_endpoint_url=url, aws_region=REGION, campaign="win-back", ses=SesSettings(configuration_set="engagement")
    )


@pytest.fixture
def verified(ministack: str) -> None:
    """Our sender may send."""
    client = boto3.client("sesv2", endpoint_url=ministack, region_name=REGION)
    client.create_email_identity(EmailIdentity="shop.example.com")


@pytest.fixture
def mailer(fault_proxy: FaultProxy, verified: None) -> Iterator[SesMailer]:
    mailer = SesMailer(settings(fault_proxy.url))
    yield mailer
    mailer.close()


def kind_of(mailer: SesMailer) -> type[MailerError] | None:
    try:
        mailer.send(message())
    except MailerError as error:
        return type(error)
    return None


def test_a_message_arrives_whole(fault_proxy: FaultProxy, mailer: SesMailer, ministack: str) -> None:
    receipt = mailer.send(message())
    [taken] = sent_through_ses(ministack)
    assert taken["MessageId"] == receipt.message_id
    assert taken["To"] == ["zoe@example.com"]
    assert taken["Subject"] == message().subject
    assert taken["BodyHtml"] == message().html
    assert taken["BodyText"] == message().text
    [request] = fault_proxy.requests
    sent = json.loads(request.body)
    assert_is_whole(base64.b64decode(sent["Content"]["Raw"]["Data"]), message())
    assert sent["ConfigurationSetName"] == "engagement"
    assert sent["EmailTags"] == [
        {"Name": "email_id", "Value": message().email_id},
        {"Name": "campaign", "Value": "win-back"},
    ]
    assert (mailer.name, mailer.delivers, mailer.was_accepted(message().email_id)) == ("ses", False, None)


def test_threads_share_a_mailer(mailer: SesMailer, ministack: str) -> None:
    with ThreadPoolExecutor(8) as pool:
        receipts = list(pool.map(lambda number: mailer.send(message(number)), range(64)))
    taken = sent_through_ses(ministack)
    assert {message["MessageId"] for message in taken} == {receipt.message_id for receipt in receipts}
    assert len(taken) == len(receipts) == 64


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault("Too many requests", 429, "TooManyRequestsException"), ThrottledError),
        (Fault("Maximum sending rate exceeded.", 400, "ThrottlingException"), ThrottledError),
        (Fault("Maximum sending rate exceeded.", 400, "LimitExceededException"), ThrottledError),
        (Fault("Daily message quota exceeded.", 400, "LimitExceededException"), HeldBackError),
        (Fault("Daily message quota exceeded.", 429, "TooManyRequestsException"), HeldBackError),
        (Fault("slow down", 429), ThrottledError),
        (Fault("suspended", 400, "AccountSuspendedException"), PausedError),
        (Fault("paused", 400, "SendingPausedException"), PausedError),
        (Fault("not verified", 400, "MailFromDomainNotVerifiedException"), PausedError),
        (Fault("Configuration set <x> does not exist.", 404, "NotFoundException"), PausedError),
        (Fault("no", 403, "AccessDeniedException"), PausedError),
        (Fault("The security token is expired", 403, "ExpiredTokenException"), PausedError),
        (Fault("The security token is invalid", 403, "UnrecognizedClientException"), PausedError),
        (Fault("Signature expired", 403, "InvalidSignatureException"), PausedError),
        (Fault("illegal content", 400, "MessageRejected"), PermanentError),
        (Fault("Domain starts with dot", 400, "BadRequestException"), PermanentError),
        (Fault("oh", 503, "ServiceUnavailable"), TransientError),
        (Fault("who knows", 409, "ConflictException"), TransientError),
        (Fault("a proxy's page", 403), TransientError),
    ],
)
def test_a_refusal_is_a_definite_no_and_is_not_repeated(
    fault_proxy: FaultProxy, mailer: SesMailer, ministack: str, fault: Fault, expected: type[MailerError]
) -> None:
    fault_proxy.faults.add(SEND, fault)
    assert kind_of(mailer) is expected
    assert len(fault_proxy.requests) == 1, "boto3 must not try again by itself"
    assert sent_through_ses(ministack) == []
    assert kind_of(mailer) is None


@pytest.mark.parametrize("code", ["InternalServiceErrorException", "InternalFailure"])
@pytest.mark.parametrize("taken", [True, False])
def test_a_fault_within_ses_tells_nothing(
    fault_proxy: FaultProxy, mailer: SesMailer, ministack: str, code: str, taken: bool
) -> None:
    fault_proxy.faults.add(SEND, Fault("an unknown error, exception or failure", 500, code, taken=taken))
    assert kind_of(mailer) is UncertainError
    assert len(sent_through_ses(ministack)) == int(taken)


@pytest.mark.parametrize("status", [500, 502, 504])
@pytest.mark.parametrize("taken", [True, False])
@pytest.mark.parametrize("page", ["<html>oh</html>", "oh", ""])
def test_a_gateways_page_tells_nothing(
    fault_proxy: FaultProxy, mailer: SesMailer, ministack: str, status: int, taken: bool, page: str
) -> None:
    fault_proxy.faults.add(SEND, Fault(page, status, taken=taken))
    assert kind_of(mailer) is UncertainError
    assert len(sent_through_ses(ministack)) == int(taken)
    assert len(fault_proxy.requests) == 1


def test_a_yes_from_something_that_is_not_ses_tells_nothing(fault_proxy: FaultProxy, mailer: SesMailer) -> None:
    fault_proxy.faults.add(SEND, Fault("<html>log in to this network</html>", 200))
    assert kind_of(mailer) is UncertainError


@pytest.mark.parametrize("taken", [True, False])
def test_a_connection_that_breaks_before_the_answer_tells_nothing(
    fault_proxy: FaultProxy, mailer: SesMailer, ministack: str, taken: bool
) -> None:
    mailer.send(message(2))
    fault_proxy.faults.add(SEND, Fault(drop=True, taken=taken))
    assert kind_of(mailer) is UncertainError
    assert len(sent_through_ses(ministack)) == 1 + int(taken)
    assert kind_of(mailer) is None


def test_an_answer_that_comes_too_late_tells_nothing(
    fault_proxy: FaultProxy, verified: None, ministack: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ses, "_ANSWER_WITHIN", 0.5)
    mailer = SesMailer(settings(fault_proxy.url))
    fault_proxy.faults.add(SEND, Fault(delay=1.5, taken=True))
    assert kind_of(mailer) is UncertainError
    assert len(sent_through_ses(ministack)) == 1, "taken once, and not asked again"


def test_nobody_there_is_a_no(ministack: str) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        mailer = SesMailer(settings(f"http://127.0.0.1:{closed.getsockname()[1]}"))
        assert kind_of(mailer) is TransientError


def test_without_credentials_nothing_starts(fault_proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    mailer = SesMailer(settings(fault_proxy.url))
    with pytest.raises(PausedError, match="credentials"):
        mailer.send(message())
    with pytest.raises(PausedError, match="credentials"):
        mailer.allowance()
    assert fault_proxy.requests == []


def test_a_sender_that_is_not_verified_stops_the_campaign(fault_proxy: FaultProxy, ministack: str) -> None:
    mailer = SesMailer(settings(fault_proxy.url))
    with pytest.raises(PausedError, match="not verified") as caught:
        mailer.send(message())
    assert "@" not in caught.value.reason


def test_in_the_sandbox_a_recipient_that_is_not_verified_fails_alone(mailer: SesMailer, ministack: str) -> None:
    client = boto3.client("sesv2", endpoint_url=ministack, region_name=REGION)
    client.put_account_details(
        MailType="MARKETING", WebsiteURL="https://shop.example.com", ProductionAccessEnabled=False
    )
    assert kind_of(mailer) is PermanentError
    mailer.send(message(2, recipient="success@simulator.amazonses.com"))
    client.create_email_identity(EmailIdentity="zoe@example.com")
    assert kind_of(mailer) is None


@pytest.mark.parametrize("field", ["sender", "recipient", "subject", "unsubscribe"])
@pytest.mark.parametrize("ending", ["\r\nBcc: all@example.com", "\nX: y", "\rX: y"])
def test_no_value_can_add_a_header(fault_proxy: FaultProxy, mailer: SesMailer, field: str, ending: str) -> None:
    with pytest.raises(PermanentError):
        mailer.send(message(1, **{field: f"{getattr(message(), field)}{ending}"}))
    assert fault_proxy.requests == []


def test_what_is_allowed_is_what_ses_says(mailer: SesMailer) -> None:
    mailer.send(message())
    allowance = mailer.allowance()
    assert (allowance.per_second, allowance.left_today, allowance.per_day) == (14, 49_999, None)


def account(**changes: object) -> Fault:
    quota = {"Max24HourSend": 200.0, "MaxSendRate": 1.0, "SentLast24Hours": 201.0}
    answer = {"SendingEnabled": True, "SendQuota": quota | changes} | {
        name: value for name, value in changes.items() if name == "SendingEnabled"
    }
    return Fault(json.dumps(answer), 200)


def test_no_limit_and_nothing_left_are_told_apart(fault_proxy: FaultProxy, mailer: SesMailer) -> None:
    fault_proxy.faults.add(ACCOUNT, account(Max24HourSend=-1.0))
    assert mailer.allowance().left_today is None
    fault_proxy.faults.add(ACCOUNT, account())
    assert mailer.allowance().left_today == 0


def test_an_account_that_may_not_send_stops_the_campaign(fault_proxy: FaultProxy, mailer: SesMailer) -> None:
    fault_proxy.faults.add(ACCOUNT, account(SendingEnabled=False))
    with pytest.raises(PausedError, match="paused sending"):
        mailer.allowance()


def test_asking_what_is_allowed_may_be_repeated(fault_proxy: FaultProxy, mailer: SesMailer) -> None:
    fault_proxy.faults.add(ACCOUNT, Fault("Rate exceeded", 429, "TooManyRequestsException"), times=2)
    assert mailer.allowance().per_second == 14
    assert len(fault_proxy.requests) == 3
    fault_proxy.faults.add(ACCOUNT, Fault("no", 403, "AccessDeniedException"))
    with pytest.raises(PausedError, match="does not let us in"):
        mailer.allowance()
