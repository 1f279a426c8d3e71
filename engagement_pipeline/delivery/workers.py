"""Who holds a row: names for senders that let a successor on the same machine see that they are gone.

The lease's end is what counts everywhere else. Taking over too early costs nothing either: a row is marked by whoever
still holds it, and a message in flight is judged by the mailer's own answer, never by this guess.
"""

import itertools
import os
import socket
import sys
import uuid

# A process id comes back, above all in containers; this tells its lives apart.
_LIFE = uuid.uuid4().hex[:8]
_numbers = itertools.count(1)


def new_worker() -> str:
    """Return a name for a sender in this process, unique and at most 64 characters long."""
    return f"{_host()}:{os.getpid()}:{_LIFE}:{next(_numbers)}"


def is_gone(worker: str) -> bool:
    """Tell whether the process behind the name has certainly ended; False where nobody here can tell."""
    host, pid, life, _ = worker.rsplit(":", 3)
    if host != _host() or sys.platform == "win32":
        return False
    if int(pid) == os.getpid():
        return life != _LIFE
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def _host() -> str:
    return socket.gethostname()[:32]
