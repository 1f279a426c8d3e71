"""What a provider's words say about everything we send, whatever the code that came with them."""

import re

from engagement_pipeline.delivery.mailer import HeldBackError, PausedError

# Amazon SES, Gmail, Microsoft 365 and Postfix say these in full; a mailbox that is full or disabled must not match.
_ENOUGH_FOR_TODAY = re.compile(r"\bdaily\b.{0,40}\b(quota|limit)", re.IGNORECASE)
_NOTHING_GOES = re.compile(
    r"\bsending\b (is |was |has been )?(paused|suspended|disabled|shut ?down)"
    r"|\brelay(ing)?\b.{0,20}\b(denied|prohibited|not permitted|not allowed)|unable to relay|not permitted to relay"
    r"|\bauthentication (is )?required",
    re.IGNORECASE,
)
_NOT_VERIFIED = re.compile(
    r"not verified.*failed the check in region [^:]*:(?P<identities>.*)", re.IGNORECASE | re.DOTALL
)


def about_us(words: str, sender: str) -> type[PausedError] | None:
    """Return the error where a refusal is about us rather than about one message, else None.

    Args:
        words: what the provider said.
        sender: our address. In its sandbox SES refuses a recipient that is not verified in the same words as a sender;
            only the identities that it lists tell them apart.
    """
    if _ENOUGH_FOR_TODAY.search(words):
        return HeldBackError
    unverified = _NOT_VERIFIED.search(words)
    if _NOTHING_GOES.search(words) or (unverified and sender.lower() in unverified["identities"].lower()):
        return PausedError
    return None


def without_recipient(words: str, recipient: str) -> str:
    """Return the words without the recipient's mailbox name, which many servers repeat alone."""
    mailbox, _, domain = recipient.rpartition("@")
    if not mailbox:
        return words
    name = rf"(?<![\w.-]){re.escape(mailbox)}(@{re.escape(domain)}|\b)"
    return re.sub(name, "<address>", words, flags=re.IGNORECASE)
