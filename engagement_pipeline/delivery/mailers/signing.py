"""DKIM signatures (RFC 6376), for an SMTP server that does not sign by itself."""

from pathlib import Path

import dkim
from dkim.crypto import parse_pem_private_key

from engagement_pipeline.platform.errors import BadInputError

# Both List-Unsubscribe headers must be covered (RFC 8058, section 4). From and Subject once more than they occur:
# nobody can add a second one.
_SIGNED = [
    b"from",
    b"from",
    b"to",
    b"subject",
    b"subject",
    b"date",
    b"message-id",
    b"list-unsubscribe",
    b"list-unsubscribe-post",
    b"mime-version",
    b"content-type",
]


class SigningKeyError(BadInputError):
    """The private key cannot be read."""


class DkimSigner:
    """Signs in the name of one domain (rsa-sha256, relaxed/relaxed).

    Args:
        key_file: RSA private key, PEM.
        selector: the key's name in DNS.
        domain: whose DNS has the public key.

    Raises:
        SigningKeyError: the file cannot be read, or holds no such key.
    """

    def __init__(self, key_file: Path, selector: str, domain: str) -> None:
        self._selector = selector.encode("ascii")
        self._domain = domain.encode("ascii")
        try:
            self._key = key_file.read_bytes()
            parse_pem_private_key(self._key)
        except OSError as error:
            raise SigningKeyError(f"ENGAGEMENT_SMTP__DKIM_KEY_FILE: {key_file}: {error.strerror}") from error
        except dkim.crypto.UnparsableKeyError as error:
            raise SigningKeyError(f"ENGAGEMENT_SMTP__DKIM_KEY_FILE: {key_file}: no RSA private key (PEM)") from error

    def sign(self, content: bytes) -> bytes:
        """Return the e-mail with its signature in front."""
        signature: bytes = dkim.sign(
            content,
            self._selector,
            self._domain,
            self._key,
            canonicalize=(b"relaxed", b"relaxed"),
            include_headers=_SIGNED,
        )
        return signature + content
