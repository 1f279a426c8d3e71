"""DKIM signatures (RFC 6376, rsa-sha256, relaxed/relaxed), for an SMTP server that does not sign by itself.

The tests verify with dkimpy. It does not sign here, because its RSA, written in Python, takes 7 ms for each message.
"""

import re
from base64 import b64encode
from hashlib import sha256
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from engagement_pipeline.platform.errors import BadInputError

# Both List-Unsubscribe headers must be covered (RFC 8058, section 4). Those named once more than they occur cannot be
# added a second time by anybody.
_ONCE = ("to", "date", "message-id", "list-unsubscribe", "list-unsubscribe-post", "mime-version", "content-type")
_SIGNED = ("from", "from", "subject", "subject", *_ONCE)

_NEXT_FIELD = re.compile(rb"\r\n(?![ \t])")
_BLANKS = re.compile(rb"[ \t]+")
_BLANKS_AT_END = re.compile(rb"[ \t]+(?=\r\n)")
_LINE = 72


class SigningKeyError(BadInputError):
    """The private key cannot be used."""


class DkimSigner:
    """Signs in the name of one domain; threads may share it.

    Args:
        key_file: RSA private key, PEM, without a password.
        selector: the key's name in DNS.
        domain: whose DNS has the public key.

    Raises:
        SigningKeyError: the file cannot be read, or holds no such key.
    """

    def __init__(self, key_file: Path, selector: str, domain: str) -> None:
        self._key = _read_key(key_file)
        self._tags = (
            f"v=1; a=rsa-sha256; c=relaxed/relaxed; d={domain}; s={selector};\r\n h={':'.join(_SIGNED)};\r\n bh="
        )

    def sign(self, content: bytes) -> bytes:
        """Return the e-mail, lines ended by CRLF, with its signature in front."""
        head, _, body = content.partition(b"\r\n\r\n")
        body_hash = b64encode(sha256(_relaxed_body(body)).digest()).decode()
        unsigned = f"DKIM-Signature: {self._tags}{body_hash};\r\n b="
        covered = _covered(head) + _relaxed_field(unsigned.encode("ascii"))
        signature = b64encode(self._key.sign(covered, PKCS1v15(), SHA256())).decode()
        folded = "\r\n ".join(signature[start : start + _LINE] for start in range(0, len(signature), _LINE))
        return f"{unsigned}{folded}\r\n".encode("ascii") + content


def _read_key(key_file: Path) -> RSAPrivateKey:
    try:
        key = load_pem_private_key(key_file.read_bytes(), password=None)
    except OSError as error:
        raise SigningKeyError(f"ENGAGEMENT_SMTP__DKIM_KEY_FILE: {key_file}: {error.strerror}") from error
    except (ValueError, TypeError) as error:
        raise SigningKeyError(f"ENGAGEMENT_SMTP__DKIM_KEY_FILE: {key_file}: no private key in PEM") from error
    if not isinstance(key, RSAPrivateKey):
        raise SigningKeyError(f"ENGAGEMENT_SMTP__DKIM_KEY_FILE: {key_file}: not an RSA key")
    return key


def _covered(head: bytes) -> bytes:
    """Return the signed fields in the order of the h tag; one that is named but not there stands for nothing."""
    fields: dict[str, list[bytes]] = {}
    for field in _NEXT_FIELD.split(head):
        fields.setdefault(field.partition(b":")[0].strip().lower().decode("ascii"), []).append(field)
    lines = [_relaxed_field(fields[name].pop()) for name in _SIGNED if fields.get(name)]
    return b"".join(line + b"\r\n" for line in lines)


def _relaxed_field(field: bytes) -> bytes:
    name, _, value = field.partition(b":")
    return name.strip().lower() + b":" + _BLANKS.sub(b" ", value.replace(b"\r\n", b"")).strip(b" ")


def _relaxed_body(body: bytes) -> bytes:
    lines = _BLANKS.sub(b" ", _BLANKS_AT_END.sub(b"", body)).rstrip(b"\r\n")
    return lines + b"\r\n" if lines else b""
