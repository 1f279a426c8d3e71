"""The life of a ledger row as pure rules: what may follow what, and what each status means to the rest of the system.

    draft -> queued -> sending -> sent -> failed -> delivered -> opened -> clicked -> bounced -> complained
    draft, queued -> skipped            the gate said no at the moment of sending, or a person to what it says
    sending -> queued                   certainly not handed over: tried again
    sending -> unknown, failed          nobody can tell; or handed over and refused for good
    unknown -> sent and later, failed   resolved by the provider's word or by a person, never by sending again

What the provider reports arrives late, twice and in any order, so a report moves a row only to a graver status; the
ledger puts `may_become(status)` in the predicate of its UPDATE, which makes any order end the same. `failed` stands
between `sent` and `delivered`: a provider may take a message and then refuse it, and what was delivered did not fail.
A report beats what we believed: a row that waits for another try, or was skipped at it, was sent if so reported.
"""

from typing import Final, Literal, get_args

Status = Literal[
    "draft",
    "held_out",
    "queued",
    "sending",
    "sent",
    "delivered",
    "opened",
    "clicked",
    "bounced",
    "complained",
    "skipped",
    "failed",
    "unknown",
]

ALL: Final[tuple[Status, ...]] = get_args(Status)

# What can be learned of a message that was handed over, from the mildest to the gravest.
BY_SEVERITY: Final[tuple[Status, ...]] = ("sent", "delivered", "opened", "clicked", "bounced", "complained")

# What a provider, a sender or a person can say of a message; a graver word overrides a milder one.
REPORTED: Final[tuple[Status, ...]] = ("sent", "failed", *BY_SEVERITY[1:])

OPEN: Final[frozenset[Status]] = frozenset({"draft", "queued", "sending"})

# Written, and in nobody's hands.
WAITING: Final[frozenset[Status]] = frozenset({"draft", "queued"})

# The recipient got, or may have got, an e-mail. `unknown` counts: when in doubt nobody is written to twice.
EMAILED: Final[frozenset[Status]] = frozenset({*BY_SEVERITY, "unknown"})

# Both arms of the experiment go through the same cool-down: for the hold-out, being chosen is the touch.
TOUCHES: Final[frozenset[Status]] = EMAILED | {"held_out"}

CLOSED: Final[frozenset[Status]] = frozenset(ALL) - OPEN

# No other e-mail may go to an address while one of these rows holds it.
HOLDS_ADDRESS: Final[frozenset[Status]] = EMAILED | {"sending"}

_UNREPORTED: Final[frozenset[Status]] = frozenset({"queued", "skipped", "sending", "unknown"})

_BEFORE: Final[dict[Status, frozenset[Status]]] = {
    "draft": frozenset(),
    "held_out": frozenset(),
    "queued": frozenset({"draft", "sending"}),
    "sending": frozenset({"queued"}),
    "skipped": WAITING,
    "unknown": frozenset({"sending"}),
}


def may_become(status: Status) -> frozenset[Status]:
    """Return the statuses from which a row may move to `status`."""
    if status in REPORTED:
        return _UNREPORTED | frozenset(REPORTED[: REPORTED.index(status)])
    return _BEFORE[status]


def follow(current: Status, reported: Status) -> Status:
    """Return the status after a report: `reported` where that is a step forward, else `current`."""
    return reported if current in may_become(reported) else current
