"""Fixtures of real servers that e-mails go through, for the tests of all rooms."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import trustme

from engagement_pipeline_tests.aws_server import CREDENTIALS, MINISTACK, FaultProxy, reset, running_ministack
from engagement_pipeline_tests.model_server import ModelServer, running_model_server
from engagement_pipeline_tests.smtp_server import SmtpServer


def skip_without(program: Path) -> None:
    """Skip a test where a program is not installed that has an environment of its own."""
    if not program.exists():
        pytest.skip(f"This needs {program.name} in {program.parents[1].name}: `make test` installs it there.")


@pytest.fixture
def smtp_server() -> Iterator[SmtpServer]:
    """An SMTP server without encryption or login."""
    with SmtpServer() as server:
        yield server


@pytest.fixture(scope="session")
def certificate_authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def certificate(certificate_authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> trustme.LeafCert:
    """A certificate for 127.0.0.1 that this process trusts, as it trusts public authorities."""
    authority = tmp_path / "authority.pem"
    certificate_authority.cert_pem.write_to_path(str(authority))
    monkeypatch.setenv("SSL_CERT_FILE", str(authority))
    return certificate_authority.issue_cert("127.0.0.1")


@pytest.fixture(scope="session")
def _service_models_are_read_once() -> Iterator[None]:
    """Let all sessions of boto3 share what they know of AWS's services: each would read it anew, for 0.2 seconds."""
    import botocore.session

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.session, "create_loader", cache(botocore.session.create_loader))
        yield


@pytest.fixture(scope="session")
def _ministack_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    skip_without(MINISTACK)
    with running_ministack(tmp_path_factory.mktemp("ministack") / "log") as url:
        yield url


@pytest.fixture
def ministack(_ministack_process: str, _service_models_are_read_once: None, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of an AWS-compatible server, empty; boto3 finds credentials for it."""
    reset(_ministack_process)
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    return _ministack_process


@pytest.fixture
def fault_proxy(ministack: str) -> Iterator[FaultProxy]:
    """A proxy before the AWS-compatible server."""
    with FaultProxy(ministack) as proxy:
        yield proxy


@pytest.fixture(scope="session")
def _model_server_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModelServer]:
    with running_model_server(tmp_path_factory.mktemp("model_server") / "log") as server:
        yield server


@pytest.fixture
def model_server(_model_server_process: ModelServer) -> ModelServer:
    """An OpenAI-compatible server that answers at once, and was never asked before."""
    _model_server_process.reset()
    return _model_server_process
