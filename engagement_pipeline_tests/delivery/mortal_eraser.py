"""Erases a person in a process of its own that dies of SIGKILL at a chosen step; run by test_erasure.py."""

import os
import signal
import sys
from pathlib import Path
from typing import Any

from engagement_pipeline.delivery import erasure
from engagement_pipeline.delivery.sql_ledger import SqlLedger
from engagement_pipeline.platform.settings import Settings
from engagement_pipeline.platform.sql import Database
from engagement_pipeline.users.store import SqlUserStore
from engagement_pipeline_tests.conftest import NOW
from engagement_pipeline_tests.delivery.parts import SECRET
from engagement_pipeline_tests.delivery.sql_stores import sql_stores

# In the order in which they are gone through; some are inside of a transaction, some between two.
STEPS = (
    "_close_waiting",
    "wait_for_senders",
    "_person",
    "_delete_files",
    "_forget_events",
    "_forget_answers",
    "_forget_in_audit",
    "anonymise",
    "delete_user",
    "wipe",
)


_PLACES: dict[str, object] = {"anonymise": SqlLedger, "delete_user": SqlUserStore} | dict.fromkeys(
    ("wait_for_senders", "wipe"), erasure
)


def _die(*_args: object, **_more: object) -> Any:
    os.kill(os.getpid(), signal.SIGKILL)


def main(url: str, folder: str, user_id: str, step: str) -> None:
    setattr(_PLACES.get(step, erasure._Erasure), step, _die)
    erasure.erase(sql_stores(Database(url)), Settings(data_dir=Path(folder), secret_key=SECRET), user_id, "cli", NOW)


if __name__ == "__main__":
    main(*sys.argv[1:])
