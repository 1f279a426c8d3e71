"""The mailer for any SMTP server: one kept-open connection for each thread that sends."""

import re
import threading
from email.utils import parseaddr
from functools import lru_cache

from engagement_pipeline.delivery import mime
from engagement_pipeline.delivery.mailer import Allowance, MailerError, Message, PausedError, PermanentError, Receipt
from engagement_pipeline.delivery.mailers.smtp_connection import DeadConnectionError, SmtpConnection
from engagement_pipeline.delivery.mailers.smtp_replies import queue_id
from engagement_pipeline.platform.settings import SmtpSettings

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
        self._mine = threading.local()
        self._all: list[SmtpConnection] = []
        self._lock = threading.Lock()

    def allowance(self) -> Allowance:
        try:
            try:
                self._connection().check()
            except MailerError:
                # A connection that was kept may have been closed meanwhile; a new one tells.
                self._connection().check()
        except PausedError:
            raise
        except MailerError as error:
            raise PausedError(f"the SMTP server does not answer as it should: {error.reason}") from error
        return Allowance(per_second=self._settings.per_second, per_day=self._settings.per_day)

    def send(self, message: Message) -> Receipt:
        sender, recipient = _address_in(message.sender), message.recipient
        if not (_IN_ENVELOPE.fullmatch(sender) and _IN_ENVELOPE.fullmatch(recipient)):
            raise PermanentError("the address cannot stand in an SMTP envelope")
        try:
            content = mime.to_bytes(message)
        except ValueError as error:
            raise PermanentError(str(error)) from error
        if self._signer is not None:
            content = self._signer.sign(content)
        try:
            words = self._connection().deliver(sender, recipient, content)
        except DeadConnectionError:
            words = self._connection().deliver(sender, recipient, content)
        return Receipt(queue_id(words) or mime.message_id(message))

    def was_accepted(self, email_id: str) -> bool | None:
        return None

    def close(self) -> None:
        with self._lock:
            connections, self._all = self._all, []
        for connection in connections:
            connection.quit()

    def _connection(self) -> SmtpConnection:
        """Return this thread's connection, a new one where there is none or it was closed."""
        kept: SmtpConnection | None = getattr(self._mine, "connection", None)
        if kept is not None and kept.is_open:
            return kept
        connection = SmtpConnection(self._settings)
        self._mine.connection = connection
        with self._lock:
            self._all = [*(other for other in self._all if other is not kept and other.is_open), connection]
        return connection


@lru_cache(maxsize=8)
def _address_in(header: str) -> str:
    return parseaddr(header)[1]
