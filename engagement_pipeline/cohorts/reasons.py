"""The gate's words: what may be decided and why. The rules themselves are in `gate.sql` and `blocked_by_others.sql`."""

from enum import Enum
from typing import Literal, NamedTuple

Decision = Literal["mail", "hold_out", "skip"]


class Reason(str, Enum):
    """Why a decision was taken, in order of precedence: the first that applies is the one named.

    Lasting and legal reasons come first, then those that an order removes, then those that time alone removes.
    """

    NO_ADDRESS = "no_address"
    SUPPRESSED = "suppressed"
    NO_CONSENT = "no_consent"
    NO_ORDERS = "no_orders"
    NOT_AT_RISK = "not_at_risk"
    SILENCE_TOO_SHORT = "silence_too_short"
    SILENCE_TOO_LONG = "silence_too_long"
    MAX_EMAILS_REACHED = "max_emails_reached"
    COOL_DOWN = "cool_down"
    ADDRESS_COOL_DOWN = "address_cool_down"
    DUPLICATE_ADDRESS = "duplicate_address"
    HOLD_OUT = "hold_out"
    ELIGIBLE = "eligible"

    @property
    def meaning(self) -> str:
        """One sentence that a marketer understands."""
        return _MEANINGS[self]


class Verdict(NamedTuple):
    """What the gate says about one user, and why."""

    decision: Decision
    reason: Reason


_MEANINGS = {
    Reason.NO_ADDRESS: "There is no e-mail address to write to.",
    Reason.SUPPRESSED: "The address unsubscribed, complained or bounces, and is never written to.",
    Reason.NO_CONSENT: "The user has not agreed to receive e-mails.",
    Reason.NO_ORDERS: "The user has never ordered, so there is no silence to break.",
    Reason.NOT_AT_RISK: "The score is at or above the threshold (seen only when a decision is checked again).",
    Reason.SILENCE_TOO_SHORT: "The last order is too recent; also the reason when somebody orders before we write.",
    Reason.SILENCE_TOO_LONG: "The last order is so long ago that the user no longer counts as a client to win back.",
    Reason.MAX_EMAILS_REACHED: "Enough e-mails have been written since the last order; only an order starts anew.",
    Reason.COOL_DOWN: "The last e-mail, or the moment at which the hold-out would have had one, is too recent.",
    Reason.ADDRESS_COOL_DOWN: "Another user with the same address was written to too recently.",
    Reason.DUPLICATE_ADDRESS: "Another user with the same address has more value at risk and is written to instead.",
    Reason.HOLD_OUT: "The address belongs to the random share that is never written to, to measure the effect.",
    Reason.ELIGIBLE: "Every rule is met: this user is written to.",
}
