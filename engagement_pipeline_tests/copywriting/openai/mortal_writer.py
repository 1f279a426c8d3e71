"""A copywriter in a process of its own that dies of SIGKILL once so many texts are kept; run by test_writer.py."""

import os
import signal
import sys
from datetime import datetime

from engagement_pipeline.copywriting.openai.texts import StoredText, TextStore
from engagement_pipeline.platform.sql import Database
from engagement_pipeline_tests.copywriting.openai.parts import briefs, writer


def main(base_url: str, store_url: str, count: int, dies_after: int) -> None:
    keep = TextStore.keep
    kept = 0

    def keep_and_die(self: TextStore, text: StoredText, now: datetime, *, was_requested: bool = False) -> StoredText:
        nonlocal kept
        stored = keep(self, text, now, was_requested=was_requested)
        kept += 1
        if kept == dies_after:
            os.kill(os.getpid(), signal.SIGKILL)
        return stored

    TextStore.keep = keep_and_die  # type: ignore[method-assign]
    writer(base_url, Database(store_url), concurrency=1).write(briefs(count))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
