"""What an SMTP server's refusal means for the message and for the campaign (RFC 5321, RFC 3463)."""

import re
from typing import Literal

from engagement_pipeline.delivery.mailer import MailerError, PausedError, PermanentError, ThrottledError, TransientError
from engagement_pipeline.delivery.mailers.refusals import about_us, without_recipient

Stage = Literal["MAIL", "RCPT", "DATA", "content"]

CLOSING = 421
_TOO_LARGE = 552
_SLOW_DOWN = {CLOSING, 454}
_LOG_IN = {530, 534, 535, 538}
_TOO_FAST = re.compile(
    r"^4\.3\.|\btoo (many|much|fast|frequent)|\brate\b|\blimit(ed|s)?\b|throttl|slow down|concurren", re.IGNORECASE
)
_MAILBOX = re.compile(r"^4\.2\.")
_QUEUED = re.compile(
    r"\bqueued (?:mail for delivery )?as <?(?P<queue>[^\s<>;,]{4,200})|^Ok:? (?P<ses>[0-9a-f][0-9a-f-]{30,100})$",
    re.IGNORECASE,
)


def refusal(stage: Stage, code: int, words: str, sender: str, recipient: str) -> MailerError:
    """Return the error for a reply of 400 or above.

    Args:
        stage: what was refused; `content` is the reply to the final dot.
        code: the reply's three digits.
        words: the reply's text, with its enhanced code where it has one.
        sender: the envelope's sender; the same for all messages.
        recipient: the envelope's recipient, who is kept out of the reason.
    """
    reason = without_recipient(f"{code} {words}", recipient)
    stop = PausedError if code in _LOG_IN else about_us(words, sender)
    if stop is not None:
        return stop(reason)
    if code >= 500:
        # Who we are is the same for the next message; only its size is not.
        is_sender = stage == "MAIL" and code != _TOO_LARGE
        return PausedError(f"our sender address is refused: {reason}") if is_sender else PermanentError(reason)
    if code in _SLOW_DOWN or (_TOO_FAST.search(words) and not _MAILBOX.match(words)):
        return ThrottledError(reason)
    return TransientError(reason)


def queue_id(words: str) -> str | None:
    """Return the id that the server gave the message in its yes (Postfix, Exim, Microsoft, Amazon SES)."""
    found = _QUEUED.search(words)
    queue = (found["queue"] or found["ses"]) if found else None
    # What no database keeps would turn a yes into a fault.
    return queue if queue and queue.isprintable() else None
