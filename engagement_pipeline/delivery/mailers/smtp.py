"""The mailer for any SMTP server, over as many kept-open connections as there are messages in hand at once."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.utils import parseaddr
from functools import lru_cache
from typing import TypeVar

from engagement_pipeline.delivery.mailer import Allowance, MailerError, PausedError, PermanentError, Receipt
from engagement_pipeline.delivery.mailers.smtp_connection import DeadConnectionError, SmtpConnection
from engagement_pipeline.delivery.mailers.smtp_replies import queue_id
from engagement_pipeline.delivery.message import Message
from engagement_pipeline.platform.settings_groups import SmtpSettings

_Result = TypeVar("_Result")

_IN_ENVELOPE = re.compile(r"[!-;=?A-~]+@[A-Za-z0-9.-]+")


class SmtpMailer:
    """Hands messages to one SMTP server.

    Raises:
        SigningKeyError: the DKIM key in the settings cannot be used.
    """

    name = "smtp"
    delivers = False

    def __init__(self, settings: SmtpSettings) -> None:
        self._settings = settings
        self._signer = None
        if settings.dkim_key_file is not None:
            from engagement_pipeline.delivery.mailers.signing import DkimSigner

            self._signer = DkimSigner(settings.dkim_key_file, settings.dkim_selector, settings.dkim_domain)
        self._idle: list[SmtpConnection] = []

    def allowance(self) -> Allowance:
        try:
            self._do(SmtpConnection.check)
        except PausedError:
            raise
        except MailerError as error:
            raise PausedError(f"the SMTP server does not answer as it should: {error.reason}") from error
        return Allowance(per_second=self._settings.per_second, per_day=self._settings.per_day)

    def send(self, message: Message) -> Receipt:
        sender, recipient = _address_in(message.sender), message.recipient
        if not (_IN_ENVELOPE.fullmatch(sender) and _IN_ENVELOPE.fullmatch(recipient)):
            raise PermanentError("the address cannot stand in an SMTP envelope")
        content = message.content
        if self._signer is not None:
            content = self._signer.sign(content)
        words = self._do(lambda connection: connection.deliver(sender, recipient, content))
        return Receipt(queue_id(words) or message.message_id)

    def was_accepted(self, email_id: str) -> bool | None:
        return None

    def close(self) -> None:
        while self._idle:
            self._idle.pop().quit()

    def _do(self, action: Callable[[SmtpConnection], _Result]) -> _Result:
        """Act on a connection that was kept; on a new one where there is none, or it was closed meanwhile."""
        try:
            with self._lent(self._kept()) as connection:
                return action(connection)
        except DeadConnectionError:
            with self._lent(None) as connection:
                return action(connection)

    @contextmanager
    def _lent(self, kept: SmtpConnection | None) -> Iterator[SmtpConnection]:
        connection = kept or SmtpConnection(self._settings)
        try:
            yield connection
        finally:
            if connection.is_open:
                self._idle.append(connection)

    def _kept(self) -> SmtpConnection | None:
        """Return the connection that was used last and is still silent: what a server says unasked is a farewell."""
        while True:
            try:
                connection = self._idle.pop()
            except IndexError:
                return None
            if connection.is_silent:
                return connection
            connection.close()


@lru_cache(maxsize=8)
def _address_in(header: str) -> str:
    return parseaddr(header)[1]
