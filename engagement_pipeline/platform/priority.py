"""Who waits where the machine is busy: work that nobody watches gives way to pages that people wait for."""

import os
from typing import Final

# Of a contended core a process of this niceness gets about a tenth; of an idle one, all.
NICENESS: Final = 10


def give_way() -> None:
    """Let this process, and what it starts from now on, run after all others of the machine; cannot be taken back.

    Does nothing where the operating system knows no such order.
    """
    if hasattr(os, "setpriority"):
        os.setpriority(os.PRIO_PROCESS, 0, max(NICENESS, os.getpriority(os.PRIO_PROCESS, 0)))
