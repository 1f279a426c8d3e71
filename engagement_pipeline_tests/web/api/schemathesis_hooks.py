"""What schemathesis cannot know of the API; named in schemathesis.toml."""

import uuid
from typing import Any

import schemathesis
from schemathesis.generation.meta import TestPhase


@schemathesis.hook
def before_call(context: schemathesis.HookContext, case: "schemathesis.Case[Any]", kwargs: dict[str, Any]) -> None:
    """Make every Idempotency-Key a new one.

    The first key that occurs to it is always the same, and what was created under it once is answered again even when
    it has been deleted since; `test_idempotency` has what a key does.
    """
    is_stateful = case.meta is not None and case.meta.phase.name is TestPhase.STATEFUL
    if is_stateful and case.headers and "idempotency-key" in case.headers:
        case.headers["idempotency-key"] = f"{uuid.uuid4().hex}"
