"""A stand-in for SNS's signing: a key and certificate of our own, and messages really signed with it."""

import base64
import json
from datetime import timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import NameOID

from engagement_pipeline.delivery.feedback.sns import Certificates
from engagement_pipeline_tests.conftest import NOW

TOPIC = "arn:aws:sns:us-east-1:123456789012:ses-events"
CERTIFICATE_URL = "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-0123456789abcdef.pem"
SUBSCRIBE_URL = "https://sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn=t&Token=2336412f37"


class Signer:
    """Signs as SNS does, by its documentation."""

    def __init__(self) -> None:
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.certificate = certificate(self._key)
        self.fetched: list[str] = []

    def certificates(self) -> Certificates:
        return Certificates(self.fetch)

    def fetch(self, url: str) -> bytes:
        self.fetched.append(url)
        return self.certificate

    def notification(self, message: str, version: str = "1", **fields: Any) -> str:
        return self.signed({"Type": "Notification", "Message": message}, version, **fields)

    def confirmation(self, kind: str = "SubscriptionConfirmation", version: str = "1", **fields: Any) -> str:
        chosen = {"Type": kind, "Message": "You have chosen to subscribe.", "Token": "2336412f37"}
        return self.signed({**chosen, "SubscribeURL": SUBSCRIBE_URL}, version, **fields)

    def signed(self, given: dict[str, Any], version: str, **fields: Any) -> str:
        body = {
            "MessageId": "da41e39f-ea4d-435a-b922-c6aae3915ebe",
            "TopicArn": TOPIC,
            "Timestamp": "2012-04-25T21:49:25.719Z",
            "SignatureVersion": version,
            "SigningCertURL": CERTIFICATE_URL,
            "UnsubscribeURL": "https://sns.us-east-1.amazonaws.com/?Action=Unsubscribe",
            **given,
            **fields,
        }
        names = ["Message", "MessageId"]
        names += ["SubscribeURL", "Timestamp", "Token"] if "Token" in body else ["Subject", "Timestamp"]
        lines = [
            line for name in (*names, "TopicArn", "Type") if body.get(name) is not None for line in (name, body[name])
        ]
        digest = hashes.SHA1() if version == "1" else hashes.SHA256()
        signature = self._key.sign(("\n".join(lines) + "\n").encode(), padding.PKCS1v15(), digest)
        return json.dumps({**body, "Signature": base64.b64encode(signature).decode()})


def certificate(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOW - timedelta(days=1))
        .not_valid_after(NOW + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM)
