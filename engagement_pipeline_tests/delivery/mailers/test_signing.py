import base64
from pathlib import Path

import dkim
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from hypothesis import given
from hypothesis import strategies as st

from engagement_pipeline.delivery.mailers.signing import DkimSigner, SigningKeyError
from engagement_pipeline.delivery.mailers.smtp import SmtpMailer
from engagement_pipeline.platform.settings_groups import SmtpSettings
from engagement_pipeline_tests.delivery.mailers.messages import assert_is_whole, message
from engagement_pipeline_tests.smtp_server import SmtpServer

LINE = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1, max_size=120)
BODY = st.lists(st.sampled_from([b" ", b"\t", b"\r\n", b".", b"word", b" \r\n", b"\r\n\r\n"]), max_size=20).map(
    b"".join
)


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture(scope="module")
def key_file(key: rsa.RSAPrivateKey, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("dkim") / "key.pem"
    path.write_bytes(pem(key))
    return path


@pytest.fixture(scope="module")
def signer(key_file: Path) -> DkimSigner:
    return DkimSigner(key_file, "s1", "shop.example.com")


def pem(key: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey, kind: str = "PKCS8") -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, getattr(serialization.PrivateFormat, kind), serialization.NoEncryption()
    )


def verifies(content: bytes, key: rsa.RSAPrivateKey) -> bool:
    """Ask dkimpy, with a DNS that knows only our record."""
    public = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    records = {b"s1._domainkey.shop.example.com.": b"v=DKIM1; k=rsa; p=" + base64.b64encode(public)}
    return bool(dkim.verify(content, dnsfunc=lambda name, timeout=5: records.get(name)))


def test_what_arrives_is_signed(key: rsa.RSAPrivateKey, key_file: Path, smtp_server: SmtpServer) -> None:
    mailer = SmtpMailer(
        SmtpSettings(
            host=smtp_server.host,
            port=smtp_server.port,
            security="none",
            dkim_key_file=key_file,
            dkim_selector="s1",
            dkim_domain="shop.example.com",
        )
    )
    mailer.send(message())
    mailer.close()
    content = smtp_server.received[0].content
    assert_is_whole(content, message())
    assert verifies(content, key)
    assert max(len(line) for line in content.split(b"\r\n")) < 150


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"token=abc", b"token=xyz"),
        (b"One-Click", b"Two-Click"),
        (b"Stitch Fix", b"Switch Fix"),
        (b"\r\nFrom:", b"\r\nFrom: Someone <x@example.org>\r\nFrom:"),
        (b"\r\nSubject:", b"\r\nSubject: You have won\r\nSubject:"),
        (b"\r\nTo: zoe@", b"\r\nTo: zoo@"),
        (b"\r\nR3L", b"\r\nR4L"),
        (b"d=shop.", b"d=shop2."),
    ],
)
def test_what_was_changed_on_the_way_does_not_verify(
    signer: DkimSigner, key: rsa.RSAPrivateKey, old: bytes, new: bytes
) -> None:
    content = signer.sign(message().content)
    assert verifies(content, key)
    assert old in content
    assert not verifies(content.replace(old, new), key)


def test_what_every_server_does_to_a_message_does_no_harm(signer: DkimSigner, key: rsa.RSAPrivateKey) -> None:
    content = signer.sign(message(1, unsubscribe="mailto:leave@shop.example.com").content)
    assert verifies(b"Received: from here\r\n" + content + b"\r\n\r\n", key)
    assert verifies(content.replace(b"MIME-Version: 1.0", b"mime-version:  1.0 "), key)


@given(subject=LINE, text=LINE)
def test_any_message_verifies(signer: DkimSigner, key: rsa.RSAPrivateKey, subject: str, text: str) -> None:
    assert verifies(signer.sign(message(1, subject=subject, text=text, html=text).content), key)


@given(body=BODY)
def test_any_body_verifies(signer: DkimSigner, key: rsa.RSAPrivateKey, body: bytes) -> None:
    assert verifies(signer.sign(b"From: a@shop.example.com\r\nSubject:  a \r\n\tb\r\n\r\n" + body), key)


@pytest.mark.parametrize("kind", ["PKCS8", "TraditionalOpenSSL"])
def test_both_ways_to_write_a_key_are_read(tmp_path: Path, key: rsa.RSAPrivateKey, kind: str) -> None:
    path = tmp_path / "key.pem"
    path.write_bytes(pem(key, kind))
    assert verifies(DkimSigner(path, "s1", "shop.example.com").sign(message().content), key)


@pytest.mark.parametrize("content", [None, b"no key", pem(ed25519.Ed25519PrivateKey.generate())])
def test_a_key_that_cannot_be_used_is_refused_at_once(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "dkim.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SigningKeyError, match="DKIM_KEY_FILE"):
        SmtpMailer(SmtpSettings(dkim_key_file=path, dkim_selector="s1", dkim_domain="shop.example.com"))
