"""Where a request comes from."""

import pytest
from starlette.requests import Request

from engagement_pipeline.web.security.hosts import is_from_another_site, is_local, is_loopback


def request(client: str | None = "127.0.0.1", host: str = "127.0.0.1:8000", **headers: str) -> Request:
    named = {"host": host} | {name.replace("_", "-"): value for name, value in headers.items()}
    raw = [(name.encode(), value.encode()) for name, value in named.items()]
    return Request({"type": "http", "headers": raw, "client": None if client is None else (client, 40_000)})


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "::1", "[::1]", "localhost", "LOCALHOST"])
def test_names_of_this_machine(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host", ["", "0.0.0.0", "10.0.0.1", "localhost.evil.example", "127.0.0.1.nip.io", "evil.example", "::", "1"]
)
def test_other_names(host: str) -> None:
    assert not is_loopback(host)


def test_requests_of_this_machine_for_its_own_name() -> None:
    assert is_local(request())
    assert is_local(request(client="::1", host="[::1]:8000"))
    assert is_local(request(host="localhost"))


@pytest.mark.parametrize(
    "other",
    [
        request(client="10.0.0.9"),
        request(client=None),
        request(client="testclient"),
        # A page whose own name was made to lead here.
        request(host="evil.example:8000"),
        request(host=""),
        request(host="[::1"),
        # A proxy on this machine asks for somebody else.
        request(x_forwarded_for="127.0.0.1"),
        request(forwarded="for=127.0.0.1"),
        request(via="1.1 proxy"),
    ],
)
def test_requests_that_are_not(other: Request) -> None:
    assert not is_local(other)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, False),
        ({"sec_fetch_site": "same-origin"}, False),
        ({"sec_fetch_site": "none"}, False),
        ({"sec_fetch_site": "cross-site"}, True),
        ({"sec_fetch_site": "same-site"}, True),
        ({"origin": "http://127.0.0.1:8000"}, False),
        ({"origin": "http://127.0.0.1:9000"}, True),
        ({"origin": "https://evil.example"}, True),
        ({"origin": "null"}, True),
    ],
)
def test_pages_of_other_sites(headers: dict[str, str], expected: bool) -> None:
    assert is_from_another_site(request(**headers)) is expected
