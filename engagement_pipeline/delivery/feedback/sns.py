"""Amazon SNS: who sent a message, and whether it is as it was sent.

https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html. A message's age is not looked at: SNS
tries to deliver for weeks and a queue keeps for two, so an old message is not a forged one, and as each event is kept
once, sending it again achieves nothing.
"""

import base64
import logging
import re
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, Literal, cast, get_args
from urllib.parse import urlsplit

from engagement_pipeline.delivery.feedback.errors import BadEventError, ForgedError
from engagement_pipeline.delivery.feedback.json_text import read_object

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

logger = logging.getLogger(__name__)

EnvelopeKind = Literal["Notification", "SubscriptionConfirmation", "UnsubscribeConfirmation"]

_HOST: Final = re.compile(r"sns\.[a-z]{2,4}(-[a-z]+)+-[0-9]{1,2}\.amazonaws\.com(\.cn)?")
_ARN: Final = re.compile(r"arn:[a-z-]{1,16}:sns:[a-z0-9-]{1,32}:[0-9]{12}:[A-Za-z0-9_.-]{1,256}")
_SIGNED: Final[dict[EnvelopeKind, tuple[str, ...]]] = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
    "UnsubscribeConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
}
_OPTIONAL: Final = "Subject"

_TIMEOUT_SECONDS: Final = 10
_LARGEST: Final = 100_000
_NOT_THERE: Final = (400, 403, 404, 410)
_MOST_CERTIFICATES: Final = 16


@dataclass(frozen=True)
class Envelope:
    """A message of the expected topic.

    Attributes:
        kind: what it is for.
        message: what was published; of the confirmations a text for people.
        message_id: SNS's own.
        subscribe_url: which to visit to confirm, on a host of SNS; only of the confirmations.
    """

    kind: EnvelopeKind
    message: str
    message_id: str
    subscribe_url: str | None


class Certificates:
    """The public keys of the certificates with which SNS signs, each fetched once; threads may share it.

    Args:
        fetch: returns what is at a URL of SNS; see `fetch`.
    """

    def __init__(self, fetch: Callable[[str], bytes]) -> None:
        self._fetch = fetch
        self._keys: dict[str, RSAPublicKey] = {}
        self._lock = Lock()

    def key(self, url: str) -> "RSAPublicKey":
        """Return the public key of a certificate.

        Raises:
            ForgedError: the URL is not one of SNS, or there is no certificate that signs with RSA.
        """
        if not _is_of_sns(url) or not urlsplit(url).path.endswith(".pem") or "?" in url:
            raise ForgedError("the certificate is not on a host of SNS")
        with self._lock:
            known = self._keys.get(url)
        if known is not None:
            return known
        key = _rsa_key(self._fetch(url))
        with self._lock:
            while len(self._keys) >= _MOST_CERTIFICATES:
                del self._keys[next(iter(self._keys))]
            self._keys[url] = key
        return key


def open_envelope(text: str, topic_arn: str, certificates: Certificates | None) -> Envelope:
    """Read and check a message of SNS.

    Args:
        text: as SNS delivers it.
        topic_arn: the only topic from which anything is taken.
        certificates: check the signature; None skips that, for an emulator, which cannot sign.

    Raises:
        BadEventError: it is no message of SNS.
        ForgedError: it is of another topic, or not as SNS has sent it; this is logged.
        OSError: the certificate cannot be fetched for now; nothing is said about the message.
    """
    fields = read_object(text)
    kind = fields.get("Type")
    if kind not in get_args(EnvelopeKind):
        raise BadEventError("Type", "is not one of SNS")
    kind = cast("EnvelopeKind", kind)
    _require_texts(fields, kind)
    try:
        if not topic_arn or fields["TopicArn"] != topic_arn:
            raise ForgedError("it is of another topic")
        if certificates is not None:
            _check_signature(fields, kind, certificates)
        subscribe_url = None if kind == "Notification" else fields["SubscribeURL"]
        if subscribe_url is not None and not _is_of_sns(subscribe_url):
            raise ForgedError("the confirmation's URL is not on a host of SNS")
    except ForgedError as error:
        topic = fields["TopicArn"] if _ARN.fullmatch(fields["TopicArn"]) else "none"
        logger.warning("A message of SNS was refused: %s (its topic: %s).", error, topic)
        raise
    return Envelope(kind, fields["Message"], fields["MessageId"], subscribe_url)


def fetch(url: str) -> bytes:
    """Return what is at an https URL of SNS: a certificate, or the answer to a confirmation. Follows no redirect.

    Raises:
        ForgedError: SNS says that there is no such thing, or the URL is not one of SNS.
        OSError: SNS cannot be reached, or not now.
    """
    if not _is_of_sns(url):
        raise ForgedError("the URL is not on a host of SNS")
    try:
        with urllib.request.build_opener(_NoRedirect).open(url, timeout=_TIMEOUT_SECONDS) as answer:
            return bytes(answer.read(_LARGEST))
    except urllib.error.HTTPError as error:
        if error.code in _NOT_THERE:
            raise ForgedError(f"SNS answers {error.code} to the URL") from None
        raise


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


def _require_texts(fields: dict[str, Any], kind: EnvelopeKind) -> None:
    for name in _SIGNED[kind]:
        value = fields.get(name)
        if not isinstance(value, str) and not (name == _OPTIONAL and value is None):
            raise BadEventError(name, "is missing or not text")


def _check_signature(fields: dict[str, Any], kind: EnvelopeKind, certificates: Certificates) -> None:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.hashes import SHA1, SHA256

    # SHA-1 is what SNS uses unless the topic is told otherwise; forging one needs a second preimage, not a collision.
    digest = {"1": SHA1, "2": SHA256}.get(str(fields.get("SignatureVersion")))
    if digest is None:
        raise ForgedError("its signature's version is neither 1 nor 2")
    signed = "".join(f"{name}\n{fields[name]}\n" for name in _SIGNED[kind] if fields.get(name) is not None)
    try:
        signature = base64.b64decode(str(fields.get("Signature")), validate=True)
        key = certificates.key(str(fields.get("SigningCertURL")))
        key.verify(signature, signed.encode(), PKCS1v15(), digest())
    except (InvalidSignature, ValueError) as error:
        if isinstance(error, ForgedError):
            raise
        raise ForgedError("its signature does not hold") from None


def _is_of_sns(url: str) -> bool:
    """Tell whether a URL is https on a host of SNS, with nothing that could lead elsewhere."""
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        return False
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    # The whole authority, so that neither a user nor a port can be before or behind the host.
    return parts.scheme == "https" and _HOST.fullmatch(parts.netloc) is not None and not parts.fragment


def _rsa_key(pem: bytes) -> "RSAPublicKey":
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.x509 import load_pem_x509_certificate

    try:
        key = load_pem_x509_certificate(pem).public_key()
    except ValueError:
        raise ForgedError("there is no certificate at its URL") from None
    if not isinstance(key, RSAPublicKey):
        raise ForgedError("its certificate does not sign with RSA")
    return key
