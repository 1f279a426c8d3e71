import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from engagement_pipeline.delivery.mailer import (
    Allowance,
    HeldBackError,
    MailerError,
    PausedError,
    PermanentError,
    ThrottledError,
    TransientError,
    UncertainError,
)
from engagement_pipeline.delivery.mailers import smtp_connection
from engagement_pipeline.delivery.mailers.smtp import SmtpMailer
from engagement_pipeline.delivery.mailers.smtp_connection import _stuffed
from engagement_pipeline.platform.settings_groups import SmtpSettings
from engagement_pipeline_tests.delivery.mailers.messages import assert_is_whole, message
from engagement_pipeline_tests.faults import Fault
from engagement_pipeline_tests.smtp_server import PASSWORD, USER, SmtpServer

# aiosmtpd's warning about a login without encryption; that is what is tested.
pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH")


@contextmanager
def mailer_to(server: SmtpServer, **changes: object) -> Iterator[SmtpMailer]:
    values = {"host": server.host, "port": server.port, "security": "none", "timeout_seconds": 5}
    mailer = SmtpMailer(SmtpSettings.model_validate(values | changes))
    try:
        yield mailer
    finally:
        mailer.close()


@pytest.fixture
def mailer(smtp_server: SmtpServer) -> Iterator[SmtpMailer]:
    with mailer_to(smtp_server) as mailer:
        yield mailer


@pytest.fixture
def cautious() -> Iterator[SmtpServer]:
    """A server without PIPELINING."""
    with SmtpServer(pipelining=False) as server:
        yield server


def kind_of(mailer: SmtpMailer, number: int = 1) -> type[MailerError] | None:
    try:
        mailer.send(message(number))
    except MailerError as error:
        return type(error)
    return None


# What arrives


def test_a_message_arrives_whole(smtp_server: SmtpServer, mailer: SmtpMailer) -> None:
    receipt = mailer.send(message())
    [received] = smtp_server.received
    assert received.sender == "stylists@shop.example.com"
    assert received.recipients == ("zoe@example.com",)
    assert_is_whole(received.content, message())
    assert receipt.message_id == "Q000001"
    assert (mailer.name, mailer.delivers, mailer.was_accepted(message().email_id)) == ("smtp", False, None)


def test_one_connection_carries_many_messages(smtp_server: SmtpServer, mailer: SmtpMailer) -> None:
    for number in range(20):
        mailer.send(message(number))
    assert smtp_server.email_ids == [message(number).email_id for number in range(20)]
    assert smtp_server.connections == 1


def test_a_server_without_pipelining_gets_one_command_at_a_time(cautious: SmtpServer) -> None:
    with mailer_to(cautious) as mailer:
        mailer.send(message())
        cautious.faults.add("RCPT", Fault("550 5.1.1 unknown"))
        assert kind_of(mailer) is PermanentError
        mailer.send(message(2))
    assert cautious.email_ids == [message(1).email_id, message(2).email_id]
    assert cautious.connections == 1


def test_messages_in_hand_at_once_have_a_connection_each_until_the_end(
    smtp_server: SmtpServer, mailer: SmtpMailer
) -> None:
    together = threading.Barrier(4)

    def send(lane: int) -> None:
        together.wait()
        for number in range(lane, 100, 4):
            mailer.send(message(number))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(send, range(4)))
    assert sorted(smtp_server.email_ids) == sorted(message(number).email_id for number in range(100))
    assert 1 < smtp_server.connections <= 4
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: mailer.send(message(number)), range(20)))
    assert smtp_server.connections <= 4, "other threads take over what is there"
    connections = smtp_server.connections
    mailer.close()
    until = time.monotonic() + 5
    while smtp_server.transports and time.monotonic() < until:
        time.sleep(0.01)
    assert not smtp_server.transports
    mailer.send(message())
    assert smtp_server.connections == connections + 1, "a closed mailer can be used again"


@given(st.lists(st.sampled_from([b".", b"..", b"x", b"\r\n", b"."]), max_size=30).map(b"".join))
def test_dots_are_doubled_so_that_no_line_ends_the_message(content: bytes) -> None:
    stuffed = _stuffed(content)
    assert stuffed.endswith(b"\r\n")
    lines = stuffed[:-2].split(b"\r\n")
    assert b"." not in lines
    undone = b"\r\n".join(line[1:] if line.startswith(b".") else line for line in lines)
    assert undone == content.removesuffix(b"\r\n")


# Getting in


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_message_goes_encrypted_after_a_login(security: str, certificate: trustme.LeafCert) -> None:
    with ExitStack() as stack:
        server = stack.enter_context(SmtpServer(certificate=certificate, starttls=security == "starttls", login=True))
        mailer = stack.enter_context(mailer_to(server, security=security, user=USER, password=PASSWORD))
        for number in range(3):
            mailer.send(message(number))
        assert [(received.encrypted, received.logged_in) for received in server.received] == [(True, True)] * 3
        assert server.connections == 1


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_server_that_cannot_prove_who_it_is_gets_nothing(security: str) -> None:
    certificate = trustme.CA().issue_cert("127.0.0.1")
    with ExitStack() as stack:
        server = stack.enter_context(SmtpServer(certificate=certificate, starttls=security == "starttls"))
        mailer = stack.enter_context(mailer_to(server, security=security, user=USER, password=PASSWORD))
        with pytest.raises(PausedError, match="certificate"):
            mailer.send(message())
        assert server.received == []
        assert server.commands == []


def test_a_server_without_encryption_gets_nothing_where_it_is_asked_for(smtp_server: SmtpServer) -> None:
    with mailer_to(smtp_server, security="starttls") as mailer, pytest.raises(PausedError, match="STARTTLS"):
        mailer.send(message())
    assert smtp_server.received == []


def test_a_wrong_password_stops_the_campaign_without_showing_it() -> None:
    with SmtpServer(login=True) as server:
        with mailer_to(server, user=USER, password=SecretStr("wrong")) as mailer:
            with pytest.raises(PausedError, match="535") as caught:
                mailer.send(message())
            assert "wrong" not in str(caught.value)
            with pytest.raises(PausedError):
                mailer.allowance()
        with mailer_to(server) as mailer:
            assert kind_of(mailer) is PausedError, "530: a login is needed"


def test_nobody_there_stops_the_campaign() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        mailer = SmtpMailer(SmtpSettings(host="127.0.0.1", port=closed.getsockname()[1], security="none"))
        with pytest.raises(PausedError, match="cannot be reached"):
            mailer.send(message())
        with pytest.raises(PausedError, match="cannot be reached"):
            mailer.allowance()
    with pytest.raises(PausedError, match="cannot be reached"):
        SmtpMailer(SmtpSettings(host="mail.invalid", port=25, security="none")).send(message())


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault("421 4.3.2 too many connections"), ThrottledError),
        (Fault("554 5.3.2 no mail service here"), PausedError),
        (Fault(drop=True), ThrottledError),
    ],
)
def test_a_server_that_does_not_let_us_in(smtp_server: SmtpServer, fault: Fault, expected: type[MailerError]) -> None:
    smtp_server.faults.add("connect", fault)
    with mailer_to(smtp_server) as mailer:
        assert kind_of(mailer) is expected
        assert kind_of(mailer) is None


# What the server refuses


@pytest.mark.parametrize(
    ("stage", "reply", "expected"),
    [
        ("MAIL", "451 4.3.0 try later", ThrottledError),
        ("MAIL", "450 4.1.8 no such domain just now", TransientError),
        ("MAIL", "530 5.7.0 log in first", PausedError),
        ("MAIL", "550 5.7.1 this sender may not send", PausedError),
        ("MAIL", "552 5.3.4 message too large", PermanentError),
        ("MAIL", "454 Throttling failure: Maximum sending rate exceeded", ThrottledError),
        ("RCPT", "450 4.7.1 greylisted, come back in five minutes", TransientError),
        ("RCPT", "450 4.7.1 rate limited", ThrottledError),
        ("RCPT", "451 4.7.0 too many messages from you", ThrottledError),
        ("RCPT", "452 4.2.2 mailbox is over its limit", TransientError),
        ("RCPT", "452 4.5.3 too many recipients", ThrottledError),
        ("RCPT", "550 5.1.1 unknown", PermanentError),
        ("RCPT", "550 5.2.1 the account is disabled", PermanentError),
        ("RCPT", "554 5.7.1 Relay access denied", PausedError),
        ("DATA", "451 4.3.0 no room", ThrottledError),
        ("DATA", "554 5.5.1 no", PermanentError),
        ("content", "421 4.3.0 shutting down", ThrottledError),
        ("content", "451 4.6.0 could not scan", TransientError),
        ("content", "454 Throttling failure: Maximum sending rate exceeded", ThrottledError),
        ("content", "454 Throttling failure: Daily message quota exceeded", HeldBackError),
        ("content", "550 5.7.1 looks like spam", PermanentError),
        ("content", "552 5.3.4 too large", PermanentError),
        ("content", "554 Sending paused for this account", PausedError),
        (
            "content",
            "554 Message rejected: Email address is not verified. The following identities failed the check in region "
            "EU-WEST-1: zoe@example.com",
            PermanentError,
        ),
        (
            "content",
            "554 Message rejected: Email address is not verified. The following identities failed the check in region "
            "EU-WEST-1: Stylists@shop.example.com, zoe@example.com",
            PausedError,
        ),
    ],
)
@pytest.mark.parametrize("pipelining", [True, False])
def test_a_refusal_is_a_definite_no_and_the_next_message_goes(
    stage: str, reply: str, expected: type[MailerError], pipelining: bool
) -> None:
    with SmtpServer(pipelining=pipelining) as server, mailer_to(server) as mailer:
        mailer.send(message(1))
        server.faults.add(stage, Fault(reply))
        with pytest.raises(expected) as caught:
            mailer.send(message(2))
        assert type(caught.value) is expected
        assert reply[:3] in caught.value.reason
        assert "zoe" not in caught.value.reason.lower()
        mailer.send(message(3))
    assert server.email_ids == [message(1).email_id, message(3).email_id]


def test_the_servers_limit_on_size_is_asked_for_before_anything_is_sent() -> None:
    with SmtpServer(size_limit=1000) as server, mailer_to(server) as mailer:
        with pytest.raises(PermanentError, match="552"):
            mailer.send(message())
        [command] = server.commands[:1]
        assert " SIZE=" in command, "the size is known before the content is sent"
        mailer.send(message(2, html="<p>Hi</p>", text="Hi"))
        assert len(server.received) == 1
        assert server.connections == 1


def test_a_recipient_that_is_named_alone_is_not_repeated(smtp_server: SmtpServer, mailer: SmtpMailer) -> None:
    smtp_server.faults.add("RCPT", Fault("550 5.1.1 zoe@example.com: no mailbox zoe here"))
    with pytest.raises(PermanentError, match=r"550 5\.1\.1 <address>: no mailbox <address> here"):
        mailer.send(message())


def test_a_queues_id_that_no_database_keeps_is_none(smtp_server: SmtpServer, mailer: SmtpMailer) -> None:
    smtp_server.faults.add("content", Fault("250 2.0.0 Ok: queued as 4ZbQ\x00x9Kk2z1", taken=True))
    assert mailer.send(message()).message_id == message().message_id


def test_content_that_is_invited_after_a_refusal_is_not_sent(smtp_server: SmtpServer, mailer: SmtpMailer) -> None:
    # RFC 2920 lets a server answer DATA with 354 although it has refused the only recipient.
    smtp_server.faults.add("RCPT", Fault("550 5.1.1 unknown"))
    smtp_server.faults.add("DATA", Fault("354 go on"))
    assert kind_of(mailer) is PermanentError
    mailer.send(message(2))
    assert smtp_server.email_ids == [message(2).email_id]
    assert smtp_server.connections == 2


# Connections that break


@pytest.mark.parametrize("farewell", [b"", b"421 4.4.2 idle for too long\r\n"])
@pytest.mark.parametrize("pipelining", [True, False])
def test_an_idle_connection_that_was_closed_is_opened_again_unnoticed(farewell: bytes, pipelining: bool) -> None:
    with SmtpServer(pipelining=pipelining) as server, mailer_to(server) as mailer:
        mailer.send(message(1))
        server.hang_up(farewell)
        mailer.send(message(2))
        server.hang_up(farewell)
        assert mailer.allowance() == Allowance()
    assert server.email_ids == [message(1).email_id, message(2).email_id]


def test_a_server_that_says_goodbye_to_a_message_is_not_pressed(smtp_server: SmtpServer, mailer: SmtpMailer) -> None:
    mailer.send(message(1))
    smtp_server.faults.add("MAIL", Fault("421 4.7.0 too many messages, come back later"))
    assert kind_of(mailer, 2) is ThrottledError
    assert smtp_server.connections == 1
    mailer.send(message(3))
    assert smtp_server.connections == 2


def test_a_connection_that_breaks_as_the_message_begins_is_opened_again(
    smtp_server: SmtpServer, mailer: SmtpMailer
) -> None:
    mailer.send(message(1))
    smtp_server.faults.add("MAIL", Fault(drop=True))
    mailer.send(message(2))
    assert smtp_server.email_ids == [message(1).email_id, message(2).email_id]


def test_who_hangs_up_before_the_final_dot_is_noticed(
    smtp_server: SmtpServer, mailer: SmtpMailer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slowly(content: bytes) -> bytes:
        time.sleep(0.2)
        return content

    monkeypatch.setattr(smtp_connection, "_stuffed", slowly)
    smtp_server.faults.add("DATA", Fault("354 go on", drop=True))
    assert kind_of(mailer) is TransientError


def test_a_restart_of_the_server_is_not_noticed(smtp_server: SmtpServer, mailer: SmtpMailer) -> None:
    together = threading.Barrier(4)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: (together.wait(), mailer.send(message(number))), range(4)))
    smtp_server.hang_up()
    for number in range(4, 8):
        mailer.send(message(number))
    assert len(set(smtp_server.email_ids)) == len(smtp_server.email_ids) == 8


def test_a_new_connection_that_breaks_at_once_is_not_tried_for_ever(smtp_server: SmtpServer) -> None:
    smtp_server.faults.add("MAIL", Fault(drop=True), times=2)
    with mailer_to(smtp_server) as mailer:
        assert kind_of(mailer) is TransientError
        assert smtp_server.connections == 1
        assert kind_of(mailer) is TransientError
        assert kind_of(mailer) is None


@pytest.mark.parametrize("stage", ["RCPT", "DATA", "within"])
@pytest.mark.parametrize("fault", [Fault(drop=True), Fault("421 4.3.2 going down")])
def test_before_the_final_dot_a_lost_connection_is_a_no(smtp_server: SmtpServer, stage: str, fault: Fault) -> None:
    large = message(2, html="<p>Grüße</p>" * 400_000)
    with mailer_to(smtp_server) as mailer:
        mailer.send(message(1))
        smtp_server.faults.add(stage, fault)
        with pytest.raises(TransientError):
            mailer.send(large)
        mailer.send(message(3))
    assert smtp_server.email_ids == [message(1).email_id, message(3).email_id]


@pytest.mark.parametrize(
    "fault", [Fault(drop=True), Fault(drop=True, taken=True), Fault("999 what"), Fault("nonsense")]
)
def test_after_the_final_dot_nobody_can_tell(smtp_server: SmtpServer, mailer: SmtpMailer, fault: Fault) -> None:
    mailer.send(message(1))
    smtp_server.faults.add("content", fault)
    with pytest.raises(UncertainError):
        mailer.send(message(2))
    mailer.send(message(3))
    assert smtp_server.email_ids.count(message(2).email_id) == int(fault.taken)
    assert message(3).email_id in smtp_server.email_ids


@pytest.mark.parametrize(
    ("stage", "expected"),
    [("MAIL", TransientError), ("RCPT", TransientError), ("DATA", TransientError), ("content", UncertainError)],
)
def test_a_server_that_is_too_slow_is_not_waited_for(
    smtp_server: SmtpServer, stage: str, expected: type[MailerError]
) -> None:
    smtp_server.faults.add(stage, Fault(delay=1, taken=True))
    with mailer_to(smtp_server, timeout_seconds=0.3) as mailer:
        assert kind_of(mailer) is expected
    with mailer_to(smtp_server) as mailer:
        smtp_server.faults.add(stage, Fault(delay=0.5, taken=True))
        assert kind_of(mailer, 2) is None, "slow, but in time"


# Values that do not belong into a header or command


@pytest.mark.parametrize("field", ["sender", "recipient", "subject", "unsubscribe"])
@pytest.mark.parametrize("ending", ["\r\nBcc: all@example.com", "\nRCPT TO:<all@example.com>", "\rX: y"])
def test_no_value_can_add_a_header_or_a_command(
    smtp_server: SmtpServer, mailer: SmtpMailer, field: str, ending: str
) -> None:
    with pytest.raises(PermanentError):
        mailer.send(message(1, **{field: f"{getattr(message(), field)}{ending}"}))
    assert smtp_server.commands == []


@pytest.mark.parametrize(
    "recipient", ["a@example.com> SIZE=1", "<a@example.com>", "a b@example.com", "zoë@example.com", ""]
)
def test_an_address_that_is_none_is_not_sent_to(smtp_server: SmtpServer, mailer: SmtpMailer, recipient: str) -> None:
    with pytest.raises(PermanentError):
        mailer.send(message(1, recipient=recipient))
    assert smtp_server.commands == []


# What is allowed


def test_the_settings_say_what_is_allowed(smtp_server: SmtpServer) -> None:
    with mailer_to(smtp_server, per_second=7, per_day=1000) as mailer:
        assert mailer.allowance() == Allowance(per_second=7, per_day=1000)
    with mailer_to(smtp_server) as mailer:
        assert mailer.allowance() == Allowance()
