"""Over real connections, to the server as it is run."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote

import pytest
import sqlalchemy as sa

from engagement_pipeline.delivery import tokens
from engagement_pipeline.delivery.tables import emails
from engagement_pipeline.platform.audit import audit_log
from engagement_pipeline.platform.sql import Database
from engagement_pipeline.web.security.requests import MOST_BYTES
from engagement_pipeline.web.tracking import PIXEL
from engagement_pipeline_tests.delivery.test_tracking import BROWSERS
from engagement_pipeline_tests.users.builders import SECRET
from engagement_pipeline_tests.web.conftest import Shop
from engagement_pipeline_tests.web.server import Server, running

pytestmark = pytest.mark.integration

SITE = "https://stitchfix.example.com"
URLENCODED = {"Content-Type": "application/x-www-form-urlencoded"}
MULTIPART = {"Content-Type": "multipart/form-data; boundary=b"}
PERSON = {"User-Agent": BROWSERS["firefox"]}


@pytest.fixture
def server(shop: Shop, tmp_path: Path) -> Iterator[Server]:
    with running(shop.settings.database_url, tmp_path) as server:
        yield server


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (URLENCODED, b"List-Unsubscribe=One-Click"),
        (MULTIPART, b'--b\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--b--\r\n'),
    ],
)
def test_one_click_in_both_encodings(shop: Shop, server: Server, headers: dict[str, str], body: bytes) -> None:
    for method in ("GET", "HEAD"):
        answer, content = server.ask(method, shop.way_out)
        assert answer.status == 200
        assert bool(content) == (method == "GET")
    assert shop.suppressed() == []
    for _ in range(2):
        answer, content = server.ask("POST", shop.way_out, body, headers)
        assert answer.status == 200
        assert b"unsubscribed" in content
        assert answer.getheader("Set-Cookie") is None
        assert answer.getheader("Location") is None
    assert shop.suppressed() == [(shop.row.address_key, "unsubscribed")]
    assert [(kind, source) for kind, source, _ in shop.events()] == [("unsubscribe", "one_click")]


def test_an_email_is_opened_and_clicked(shop: Shop, server: Server) -> None:
    answer, content = server.ask("GET", f"/o/{shop.token('open')}.gif", headers=PERSON)
    assert (answer.status, content) == (200, PIXEL)
    answer, _ = server.ask("GET", f"/c/{shop.token('click', SITE)}?to={quote(SITE, safe='')}", headers=PERSON)
    assert (answer.status, answer.getheader("Location")) == (302, SITE)
    assert eventually(lambda: shop.row.status == "clicked")


def test_no_token_and_no_address_is_in_the_log(shop: Shop, server: Server) -> None:
    server.ask("GET", shop.way_out)
    server.ask("POST", shop.way_out, b"List-Unsubscribe=One-Click", URLENCODED)
    server.ask("GET", f"/o/{shop.token('open')}.gif")
    server.ask("GET", "/unsubscribe?token=ada@example.com")
    server.ask("POST", "/unsubscribe", b"x" * (MOST_BYTES + 1))
    log = server.log.read_text()
    assert "Uvicorn running on" in log
    assert "token=" not in log
    assert shop.token("unsubscribe") not in log
    assert "@" not in log
    assert shop.token("open") not in log


def test_a_machine_that_nobody_logs_in_to_is_given_its_first_token(shop: Shop, tmp_path: Path) -> None:
    token = "egp_" + "x" * 43
    for _ in range(2):
        with running(shop.settings.database_url, tmp_path, ENGAGEMENT_WEB__FIRST_TOKEN=token) as server:
            assert server.ask("GET", "/api/system")[0].status == 401
            answer, _ = server.ask("GET", "/api/system", headers={"Authorization": f"Bearer {token}"})
            assert answer.status == 200
            assert token not in server.log.read_text()
    with shop.database.read() as connection:
        added = connection.execute(sa.select(audit_log.c.entity_id, audit_log.c.details)).all()
    assert [tuple(each) for each in added] == [("first", {"scope": "write"})]


def test_a_body_without_end_is_not_read_to_its_end(server: Server) -> None:
    """It says that a gigabyte follows; the answer comes long before."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        head = b"POST /unsubscribe HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\n"
        connection.sendall(head + b"x" * (MOST_BYTES + 1))
        assert b" 413 " in connection.recv(100)


def test_many_at_once_while_a_sender_writes(shop: Shop, server: Server) -> None:
    """A writer that takes the store's lock again and again only makes the others wait."""
    email_ids = [shop.write_to(f"many{number}") for number in range(30)]
    stop = threading.Event()
    writes = 0

    def send() -> None:
        nonlocal writes
        sender = Database(shop.settings.database_url)
        while not stop.is_set():
            with sender.write() as connection:
                connection.execute(sa.update(emails).values(attempts=emails.c.attempts + 1))
            time.sleep(0.001)
            writes += 1
        sender.close()

    def leave(email_id: str) -> int:
        token = tokens.issue(email_id, "unsubscribe", SECRET)
        path = f"/unsubscribe?token={token}"
        return server.ask("POST", path, b"List-Unsubscribe=One-Click", URLENCODED)[0].status

    def open_it(email_id: str) -> bytes:
        return server.ask("GET", f"/o/{tokens.issue(email_id, 'open', SECRET)}.gif", headers=PERSON)[1]

    sender = threading.Thread(target=send)
    sender.start()
    try:
        with ThreadPoolExecutor(20) as many:
            seen = many.map(open_it, email_ids)
            left = many.map(leave, email_ids)
            assert list(seen) == [PIXEL] * len(email_ids)
            assert list(left) == [200] * len(email_ids)
        both = ["open"] * len(email_ids) + ["unsubscribe"] * len(email_ids)
        assert eventually(lambda: sorted(kind for kind, _, _ in shop.events()) == both)
    finally:
        stop.set()
        sender.join()
    assert writes > 10
    assert len(shop.suppressed()) == len(email_ids)


def eventually(is_so: Callable[[], bool]) -> bool:
    give_up = time.monotonic() + 30
    while time.monotonic() < give_up:
        if is_so():
            return True
        time.sleep(0.05)
    return False
