"""What a test server does wrong, and when."""

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong at one stage of one conversation.

    Attributes:
        reply: what is answered instead of the truth: an SMTP reply, or the body of an HTTP answer.
        status: the HTTP answer's status.
        code: the HTTP answer's AWS error code; empty: none, as from a gateway.
        delay: seconds before anything else happens.
        drop: hang up instead of answering.
        cut: hang up in the middle of the HTTP answer.
        taken: whether the message is taken all the same, before the fault is seen.
    """

    reply: str = ""
    status: int = 0
    code: str = ""
    delay: float = 0
    drop: bool = False
    cut: bool = False
    taken: bool = False


class Faults:
    """Faults in the order in which they were asked for, each used once; `decide` is asked where none is left."""

    def __init__(self) -> None:
        self.decide: Callable[[str], Fault | None] = lambda stage: None
        self._planned: dict[str, deque[Fault]] = {}
        self._lock = threading.Lock()

    def add(self, stage: str, fault: Fault, times: int = 1) -> None:
        with self._lock:
            self._planned.setdefault(stage, deque()).extend([fault] * times)

    def take(self, stage: str) -> Fault | None:
        with self._lock:
            planned = self._planned.get(stage)
            return planned.popleft() if planned else self.decide(stage)
