"""From a ledger row and its user to the message that is handed over. Names and addresses enter an e-mail only here."""

from collections.abc import Collection
from datetime import datetime
from typing import Final

from email_validator import EmailNotValidError, validate_email
from pydantic import ValidationError

from engagement_pipeline.copywriting.brand import Brand
from engagement_pipeline.copywriting.copy import Copy
from engagement_pipeline.copywriting.render import Recipient, Renderer
from engagement_pipeline.delivery.entries import Entry
from engagement_pipeline.delivery.mailer import PermanentError
from engagement_pipeline.delivery.message import Message, mailbox
from engagement_pipeline.delivery.tracking import links_for
from engagement_pipeline.platform.settings_groups import DeliverySettings

NOT_ON_ALLOW_LIST: Final = "not_on_allow_list"
INVALID_ADDRESS: Final = "invalid_address"


class CannotRenderError(ValueError):
    """No message can be made of a row; `reason` is the code that the ledger keeps."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class MessageMaker:
    """Renders messages in the name of one brand.

    Args:
        brand: in whose name.
        settings: the public address of links, tracking, and who may be written to at all.
        secret_key: signs the links.
    """

    def __init__(self, brand: Brand, settings: DeliverySettings, secret_key: str) -> None:
        self._renderer = Renderer(brand)
        self._sender = mailbox(brand.sender_name, brand.from_address)
        self._site = brand.site_url
        self._settings = settings
        self._secret_key = secret_key

    def make(self, entry: Entry, email: str, name: str | None, now: datetime) -> Message:
        """Return the message for a row.

        Raises:
            CannotRenderError: `invalid_address`; `not_on_allow_list`; `invalid_copy` where the row's copy is not what
                we write; `invalid_header` where it cannot stand in a header.
        """
        recipient = checked_address(email)
        if not is_allowed(recipient, self._settings.allow_list):
            raise CannotRenderError(NOT_ON_ALLOW_LIST)
        links = links_for(
            entry.email_id, self._site, self._settings.public_url, self._secret_key, self._settings.tracking
        )
        try:
            copy = Copy.model_validate(entry.copy)
        except ValidationError as error:
            raise CannotRenderError("invalid_copy") from error
        rendered = self._renderer.render(copy, Recipient(name), links)
        message = Message(
            email_id=entry.email_id,
            sender=self._sender,
            recipient=recipient,
            subject=rendered.subject,
            html=rendered.html,
            text=rendered.text,
            unsubscribe=links.unsubscribe,
            created_at=now,
        )
        try:
            # Made now, ahead of the message's turn.
            _ = message.content
        except PermanentError as error:
            raise CannotRenderError("invalid_header") from error
        return message


def is_allowed(address: str, allow_list: Collection[str]) -> bool:
    """Tell whether an address may be written to: it or its domain is on the list, or there is no list."""
    folded = address.lower()
    return not allow_list or folded in allow_list or f"@{folded.rpartition('@')[2]}" in allow_list


def checked_address(email: str) -> str:
    """Return the address as it may stand in a header: ASCII, an international domain in its encoded form.

    Raises:
        CannotRenderError: it is no address, or one that only mail systems with SMTPUTF8 could take.
    """
    try:
        address = validate_email(email, check_deliverability=False).ascii_email
    except EmailNotValidError:
        # The validator's own words quote the address.
        raise CannotRenderError(INVALID_ADDRESS) from None
    if address is None:
        raise CannotRenderError(INVALID_ADDRESS)
    return address
