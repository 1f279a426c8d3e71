"""The seam to whoever delivers: what handing a message over can bring, and nothing about how."""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from engagement_pipeline.delivery.message import Message

_ADDRESS = re.compile(r"[^\s<>@]+@[^\s<>@]+")
_LONGEST_REASON = 200


@dataclass(frozen=True)
class Receipt:
    """The mailer's word that it has taken the message, and the id under which it speaks of it."""

    message_id: str


@dataclass(frozen=True)
class Allowance:
    """What the provider allows; None where it sets no limit.

    Attributes:
        per_second: messages a second.
        left_today: messages that may still go now, by the provider's own count of the last 24 hours.
        per_day: messages in a day (UTC), for a provider that does not count itself.
    """

    per_second: float | None = None
    left_today: int | None = None
    per_day: int | None = None


class Mailer(Protocol):
    """Hands messages over, one call each. Several threads may use one mailer at once.

    `send` returns only when the other side has taken the message, and raises one of the errors below otherwise. After
    any other exception, or none because the process died, the row is resolved by `was_accepted`.
    """

    @property
    def name(self) -> str:
        """What the ledger records as the provider; at most 32 characters."""

    @property
    def delivers(self) -> bool:
        """Whether taking a message is already delivering it, as for a folder; else delivery is reported later."""

    def allowance(self) -> Allowance:
        """Ask what may be sent now; this is also how a run finds out that the provider answers.

        Raises:
            PausedError: it does not answer, or lets this account send nothing.
        """

    def send(self, message: "Message") -> Receipt:
        """Hand one message over.

        Raises:
            ThrottledError: it was not taken because messages come too fast.
            TransientError: it was not taken; later it may be.
            PermanentError: it was refused and always will be.
            PausedError: nothing can be sent for now, this message or another.
            UncertainError: nobody can tell whether it was taken.
        """

    def was_accepted(self, email_id: str) -> bool | None:
        """Tell whether a message was taken; None where nobody can tell."""

    def close(self) -> None:
        """Let go of connections."""


class MailerError(Exception):
    """Why a message was not taken, in words fit for the ledger: short, and without the address."""

    def __init__(self, reason: str) -> None:
        # Others' words can hold what no database keeps.
        printable = "".join(sign if sign.isprintable() else " " for sign in reason)
        self.reason = _ADDRESS.sub("<address>", " ".join(printable.split()))[:_LONGEST_REASON]
        super().__init__(self.reason)


class TransientError(MailerError):
    """Not taken; worth another try after a while."""


class ThrottledError(TransientError):
    """Not taken because messages come too fast: its turn comes again, and this does not count as an attempt."""


class PermanentError(MailerError):
    """Refused for good."""


class PausedError(MailerError):
    """The mailer as a whole cannot send: the campaign stops, the rest stays queued."""


class HeldBackError(PausedError):
    """Nothing more may be sent for now, and nothing is wrong: a day's limit is reached, the rest goes another day."""


class UncertainError(MailerError):
    """Handed over without an answer: it must not be sent again by itself."""
