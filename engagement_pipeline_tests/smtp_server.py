"""A real SMTP server (aiosmtpd) on a port of its own, which does wrong what a test asks for."""

import asyncio
import socket
import ssl
import threading
from dataclasses import dataclass
from typing import Any

import trustme
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from engagement_pipeline_tests.faults import Fault, Faults

USER, PASSWORD = "engagement", "an open secret"


@dataclass(frozen=True)
class Received:
    """A message that the server has taken."""

    sender: str
    recipients: tuple[str, ...]
    content: bytes
    encrypted: bool
    logged_in: bool

    @property
    def email_id(self) -> str:
        head = self.content.partition(b"\r\n\r\n")[0].decode("ascii")
        return next(line.partition(": ")[2] for line in head.splitlines() if line.startswith("X-Engagement-Email-Id: "))


class SmtpServer:
    """Takes messages on 127.0.0.1; use as a context manager.

    Stages for `faults`: `connect`, `EHLO`, `AUTH`, `MAIL`, `RCPT`, `DATA` (before the content is invited), `within`
    (when the first line of the content has come), `content` (after the final dot).

    Args:
        certificate: serve with TLS; `starttls` on request, else from the first byte.
        starttls: see above.
        login: refuse MAIL without a login as USER with PASSWORD.
        pipelining: offer PIPELINING.
        size_limit: the largest message in bytes.
    """

    def __init__(
        self,
        *,
        certificate: trustme.LeafCert | None = None,
        starttls: bool = False,
        login: bool = False,
        pipelining: bool = True,
        size_limit: int = 10_000_000,
    ) -> None:
        self.faults = Faults()
        self.received: list[Received] = []
        self.connections = 0
        self.commands: list[str] = []
        self.host = "127.0.0.1"
        self.port = 0
        self.pipelining = pipelining
        self.transports: set[asyncio.Transport] = set()
        context = None
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            certificate.configure_cert(context)
        self._tls = None if starttls else context
        self._options: dict[str, Any] = {
            "data_size_limit": size_limit,
            "tls_context": context if starttls else None,
            "authenticator": _authenticate,
            "auth_required": login,
            "auth_require_tls": context is not None and starttls,
            "enable_SMTPUTF8": False,
        }
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> "SmtpServer":
        self._thread.start()
        server = asyncio.run_coroutine_threadsafe(
            self._loop.create_server(self._new_connection, sock=self._listening_socket(), ssl=self._tls), self._loop
        ).result()
        self.port = server.sockets[0].getsockname()[1]
        self._server = server
        return self

    def _listening_socket(self) -> socket.socket:
        # asyncio lets answers go at once (no Nagle) only on sockets that say by themselves that they are TCP.
        listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listening.bind((self.host, 0))
        # Otherwise a whole message fits in it: who hangs up in the middle would be noticed after the final dot, or not.
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
        return listening

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def stop(self) -> None:
        """Take no more connections, and hang up on those that there are."""
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result()

    def hang_up(self, farewell: bytes = b"") -> None:
        """Close all connections, as after a time without a word."""
        asyncio.run_coroutine_threadsafe(self._hang_up(farewell), self._loop).result()

    @property
    def email_ids(self) -> list[str]:
        return [message.email_id for message in self.received]

    async def _stop(self) -> None:
        self._server.close()
        await self._hang_up(b"")

    async def _hang_up(self, farewell: bytes) -> None:
        for transport in list(self.transports):
            transport.write(farewell)
            transport.close()
        self.transports.clear()
        await asyncio.sleep(0.05)

    def _new_connection(self) -> SMTP:
        return _Connection(self, **self._options)


class _Handler:
    """aiosmtpd's hooks for what it lets one decide."""

    def __init__(self, server: SmtpServer) -> None:
        self._server = server

    async def handle_EHLO(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        return [*responses[:-1], *(["250-PIPELINING"] if self._server.pipelining else []), responses[-1]]

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        fault = self._server.faults.take("content")
        if fault is None or fault.taken:
            assert isinstance(envelope.content, bytes)
            self._server.received.append(
                Received(
                    sender=envelope.mail_from or "",
                    recipients=tuple(envelope.rcpt_tos),
                    content=envelope.content,
                    encrypted=session.ssl is not None or self._server._tls is not None,
                    logged_in=bool(session.authenticated),
                )
            )
        if fault is None:
            return f"250 2.0.0 Ok: queued as Q{len(self._server.received):06}"
        return await _suffer(server, fault) or "250 2.0.0 Ok"


class _Connection(SMTP):
    """Goes wrong before aiosmtpd answers a command."""

    def __init__(self, owner: SmtpServer, **options: Any) -> None:
        super().__init__(_Handler(owner), hostname="mail.localhost", loop=owner._loop, **options)
        self._owner = owner

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        if self.transport is not None:
            # The same connection, encrypted from here on.
            self._owner.transports.add(transport)
            super().connection_made(transport)
            return
        self._owner.connections += 1
        self._owner.transports.add(transport)
        fault = self._owner.faults.take("connect")
        if fault is not None:
            transport.write(fault.reply.encode() + b"\r\n" if fault.reply else b"")
            transport.close()
            return
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        if self.transport is not None:
            self._owner.transports.discard(self.transport)
        if self._handler_coroutine is not None:
            super().connection_lost(error)

    async def smtp_EHLO(self, hostname: str) -> None:  # noqa: N802
        if not await self._wrong("EHLO"):
            await super().smtp_EHLO(hostname)

    async def smtp_AUTH(self, arg: str) -> None:  # noqa: N802
        if not await self._wrong("AUTH"):
            await super().smtp_AUTH(arg)

    async def smtp_MAIL(self, arg: str) -> None:  # noqa: N802
        self._owner.commands.append(f"MAIL {arg}")
        if not await self._wrong("MAIL"):
            await super().smtp_MAIL(arg)

    async def smtp_RCPT(self, arg: str) -> None:  # noqa: N802
        self._owner.commands.append(f"RCPT {arg}")
        if not await self._wrong("RCPT"):
            await super().smtp_RCPT(arg)

    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802
        if await self._wrong("DATA"):
            return
        fault = self._owner.faults.take("within")
        if fault is not None and self.envelope is not None and self.envelope.rcpt_tos:
            await self.push("354 go on")
            await self._reader.readline()
            await _suffer(self, fault, push=True)
            return
        await super().smtp_DATA(arg)

    async def _wrong(self, stage: str) -> bool:
        fault = self._owner.faults.take(stage)
        if fault is None:
            return False
        await _suffer(self, fault, push=True)
        return bool(fault.drop or fault.reply)


async def _suffer(server: SMTP, fault: Fault, *, push: bool = False) -> str:
    await asyncio.sleep(fault.delay)
    if fault.reply and push:
        await server.push(fault.reply)
    if fault.drop or fault.reply.startswith("421"):
        if fault.reply and not push:
            await server.push(fault.reply)
        if server.transport is not None:
            server.transport.close()
    return fault.reply


def _authenticate(server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: object) -> AuthResult:
    assert isinstance(data, LoginPassword)
    right = (data.login, data.password) == (USER.encode(), PASSWORD.encode())
    return AuthResult(success=right, handled=right)
