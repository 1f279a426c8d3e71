"""E-mail addresses: one spelling per mailbox, and a keyed hash that stands for it everywhere but in the mailer."""

import hashlib
import hmac

from email_validator import EmailNotValidError, validate_email

from engagement_pipeline.platform.errors import BadInputError


class InvalidAddressError(BadInputError):
    """The text is no address that mail can be sent to. The message never repeats it."""


def normalise(email: str) -> str:
    """Return the one spelling that all spellings of an address share.

    Surrounding blanks go, letters become small, an international domain becomes its ASCII form. Dots and `+tags` in the
    local part stay: what they mean is up to each provider.

    Raises:
        InvalidAddressError: not an address, or one with a local part that many providers cannot deliver to.
    """
    try:
        parts = validate_email(email.strip(), check_deliverability=False, allow_smtputf8=False, strict=True)
    except EmailNotValidError:
        raise InvalidAddressError("is not an e-mail address that mail can be sent to") from None
    return f"{parts.local_part}@{parts.ascii_domain}".lower()


def address_key(email: str, secret: str) -> str:
    """Return the keyed hash (HMAC-SHA256, hexadecimal) of the normalised address.

    Without the secret nobody can test whether a given address is among the keys.
    """
    return hmac.new(secret.encode(), normalise(email).encode(), hashlib.sha256).hexdigest()
