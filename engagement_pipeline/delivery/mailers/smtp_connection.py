"""One kept-open connection to an SMTP server, and the exact moment from which a message may have been taken."""

import selectors
import smtplib
import socket
import ssl
from collections.abc import Iterator
from contextlib import suppress

from engagement_pipeline.delivery.mailer import MailerError, PausedError, ThrottledError, TransientError, UncertainError
from engagement_pipeline.delivery.mailers.smtp_replies import CLOSING, Stage, refusal
from engagement_pipeline.platform.settings_groups import SmtpSettings

_QUIT_WITHIN = 2.0
_HUNG_UP = (
    smtplib.SMTPServerDisconnected,
    ConnectionResetError,
    ConnectionAbortedError,
    BrokenPipeError,
    ssl.SSLEOFError,
)
_STAGES: tuple[Stage, ...] = ("MAIL", "RCPT", "DATA")


class DeadConnectionError(Exception):
    """The connection had been closed since its last message; the one at hand did not begin."""


class SmtpConnection:
    """Connected, encrypted and logged in; for one thread at a time.

    Raises:
        PausedError: the server cannot be reached, is not who it should be, or does not let us in.
        ThrottledError: it is too busy to let us in just now.
    """

    def __init__(self, settings: SmtpSettings) -> None:
        self._smtp = _open(settings)
        self._pipelining = self._smtp.has_extn("pipelining")
        self._takes_size = self._smtp.has_extn("size")
        self._is_fresh = True
        self._readable = selectors.DefaultSelector()
        self._readable.register(_socket_of(self._smtp), selectors.EVENT_READ)

    @property
    def is_open(self) -> bool:
        return self._smtp.sock is not None

    @property
    def is_silent(self) -> bool:
        """Whether the server has neither spoken nor hung up since its last answer."""
        return not self._readable.select(0)

    def deliver(self, sender: str, recipient: str, content: bytes) -> str:
        """Hand over one message.

        Args:
            sender: the envelope's sender, ASCII, without angle brackets.
            recipient: the envelope's recipient, likewise.
            content: the message, 7-bit, lines ended by CRLF.

        Returns:
            The words of the server's yes.

        Raises:
            DeadConnectionError: nothing was said yet, and the connection was gone; never on a new one.
            MailerError: see `Mailer.send`.
        """
        try:
            self._envelope(sender, recipient, len(content))
            self._send_content(content)
            code, words = self._end_content()
        except (MailerError, DeadConnectionError):
            raise
        except BaseException:
            # Wherever this was, the next message must not begin in the middle of it.
            self.close()
            raise
        if code >= 400:
            raise self._refused("content", code, words, sender, recipient)
        return words

    def check(self) -> None:
        """Ask whether the server is there.

        Raises:
            DeadConnectionError: the connection was gone; never on a new one.
            TransientError: the server does not answer as it should.
        """
        fresh, self._is_fresh = self._is_fresh, False
        try:
            code, words = self._smtp.noop()
        except smtplib.SMTPException as error:
            self.close()
            if not fresh:
                raise DeadConnectionError from error
            raise TransientError(f"the server closed the connection: {error}") from error
        if code >= 400:
            self.close()
            raise TransientError(f"{code} {_text(words)}")

    def quit(self) -> None:
        """Take leave, if there is still somebody to take leave of."""
        if self._smtp.sock is not None:
            self._smtp.sock.settimeout(_QUIT_WITHIN)
            with suppress(smtplib.SMTPException, OSError):
                self._smtp.quit()
        self.close()

    def close(self) -> None:
        self._readable.close()
        self._smtp.close()

    def _envelope(self, sender: str, recipient: str, size: int) -> None:
        fresh, self._is_fresh = self._is_fresh, False
        commands = (
            f"MAIL FROM:<{sender}>" + (f" SIZE={size}" if self._takes_size else ""),
            f"RCPT TO:<{recipient}>",
            "DATA",
        )
        replies = self._converse(commands)
        for stage in _STAGES:
            try:
                code, words = next(replies)
            except smtplib.SMTPException as error:
                self.close()
                if stage == "MAIL" and not fresh:
                    raise DeadConnectionError from error
                raise TransientError(f"the server closed the connection at {stage}: {error}") from error
            if not (code == 354 if stage == "DATA" else 200 <= code < 300):
                if code != CLOSING:
                    self._start_over(replies, in_content=200 <= code < 400)
                raise self._refused(stage, code, words, sender, recipient)

    def _converse(self, commands: tuple[str, ...]) -> Iterator[tuple[int, str]]:
        """Say everything at once where the server allows it (RFC 2920): one round trip instead of three."""
        if self._pipelining:
            self._smtp.send("\r\n".join(commands) + "\r\n")
        for command in commands:
            if not self._pipelining:
                self._smtp.send(f"{command}\r\n")
            yield self._reply()

    def _start_over(self, replies: Iterator[tuple[int, str]], *, in_content: bool) -> None:
        """After a refusal make the connection ready for the next message, or give it up.

        A server that invites the content of what it has refused is left with none: only hanging up is sure to be a no.
        """
        try:
            if self._pipelining:
                in_content = any(code == 354 for code, _ in replies) or in_content
            ready = not in_content and self._smtp.rset()[0] == 250
        except smtplib.SMTPException:
            ready = False
        if not ready:
            self.close()

    def _send_content(self, content: bytes) -> None:
        """Send everything but the final dot: until that is on its way no server takes a message."""
        try:
            _socket_of(self._smtp).sendall(_stuffed(content))
            # Who has answered or hung up by now has not taken it; asked after the dot, nobody could tell.
            answered = not self.is_silent
        except OSError as error:
            self.close()
            raise TransientError(f"the connection broke within the message: {error}") from error
        if answered:
            self._answered_too_early()

    def _answered_too_early(self) -> None:
        try:
            code, words = self._reply()
        except smtplib.SMTPException as error:
            raise TransientError(f"the connection broke within the message: {error}") from error
        finally:
            self.close()
        raise TransientError(f"the server broke off within the message: {code} {words}")

    def _end_content(self) -> tuple[int, str]:
        try:
            _socket_of(self._smtp).sendall(b".\r\n")
            code, words = self._reply()
        except (OSError, smtplib.SMTPException) as error:
            self.close()
            raise UncertainError(f"the connection broke before the server answered: {error}") from error
        if 200 <= code < 300 or 400 <= code < 600:
            return code, words
        self.close()
        raise UncertainError(f"the server's answer is neither yes nor no: {code} {words}")

    def _refused(self, stage: Stage, code: int, words: str, sender: str, recipient: str) -> MailerError:
        if code == CLOSING:
            self.close()
        if code < 400:
            return TransientError(f"the server's answer to {stage} makes no sense: {code} {words}")
        return refusal(stage, code, words, sender, recipient)

    def _reply(self) -> tuple[int, str]:
        code, words = self._smtp.getreply()
        return code, _text(words)


def _open(settings: SmtpSettings) -> smtplib.SMTP:
    try:
        return _logged_in(settings)
    except smtplib.SMTPResponseException as error:
        reason = f"{error.smtp_code} {_text(error.smtp_error)}"
        if 400 <= error.smtp_code < 500:
            raise ThrottledError(reason) from error
        raise PausedError(f"the SMTP server does not let us in: {reason}") from error
    except _HUNG_UP as error:
        raise ThrottledError(f"the SMTP server hung up before it let us in: {error}") from error
    except smtplib.SMTPException as error:
        raise PausedError(f"the SMTP server does not offer what the settings ask for: {error}") from error
    except OSError as error:
        raise PausedError(f"the SMTP server {settings.host}:{settings.port} cannot be reached: {error}") from error
    except UnicodeError as error:
        raise PausedError("the SMTP user name and password must be ASCII") from error


def _logged_in(settings: SmtpSettings) -> smtplib.SMTP:
    smtp = _connected(settings)
    try:
        # The content and its final dot are two packets; waiting for the first to be acknowledged would cost 40 ms.
        _socket_of(smtp).setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if settings.security == "starttls":
            smtp.starttls(context=ssl.create_default_context())
        smtp.ehlo_or_helo_if_needed()
        if settings.user:
            smtp.login(settings.user, settings.password.get_secret_value())
    except BaseException:
        smtp.close()
        raise
    return smtp


def _connected(settings: SmtpSettings) -> smtplib.SMTP:
    address = (settings.host, settings.port)
    if settings.security == "tls":
        return smtplib.SMTP_SSL(*address, timeout=settings.timeout_seconds, context=ssl.create_default_context())
    return smtplib.SMTP(*address, timeout=settings.timeout_seconds)


def _socket_of(smtp: smtplib.SMTP) -> socket.socket:
    if smtp.sock is None:
        raise smtplib.SMTPServerDisconnected("the connection is closed")
    return smtp.sock


def _stuffed(content: bytes) -> bytes:
    """Double the dot at the start of a line (RFC 5321, section 4.5.2), and end the last line."""
    stuffed = content.replace(b"\r\n.", b"\r\n..")
    if stuffed.startswith(b"."):
        stuffed = b"." + stuffed
    return stuffed if stuffed.endswith(b"\r\n") else stuffed + b"\r\n"


def _text(words: bytes | str) -> str:
    return words.decode("ascii", "replace") if isinstance(words, bytes) else words
