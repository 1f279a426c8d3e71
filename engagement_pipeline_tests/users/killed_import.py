"""An import that is killed again and again: the process that imports, and the one that kills it.

`make soak` calls `kill_repeatedly` with many kills, the suite with a few.
"""

import random
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

from engagement_pipeline.platform.sql import Database
from engagement_pipeline.users.importing import ImportReport, import_path, load
from engagement_pipeline_tests.conftest import NOW
from engagement_pipeline_tests.users.builders import store_of

USERS = 200
ORDERS = 3_000
VERSIONS = 2
# Small, so that a kill falls between or into many transactions.
_BATCH = 40


def write_files(folder: Path) -> list[Path]:
    """Two versions of the same orders, so that every run has something to write; a bad line and a duplicate in each."""
    chance = random.Random(7)
    users = "".join(f"u{number},u{number}@example.com\n" for number in range(USERS))
    (folder / "users.csv").write_text(f"user_id,email\n{users}")
    days = [chance.randrange(1, 700) for _ in range(ORDERS)]
    paths = []
    for version in range(VERSIONS):
        lines = ["order_id,user_id,ordered_at,total_value,status"]
        for number, ago in enumerate(days):
            status = "returned" if number % 5 == version else "delivered"
            day = (NOW - timedelta(days=ago)).date()
            lines.append(f"o{number},u{number % USERS},{day},{number % 90 + version}.25,{status}")
        lines += ["bad,u0,some day,1,delivered", lines[1]]
        path = folder / f"orders_{version}.csv"
        path.write_text("\n".join(lines) + "\n")
        paths.append(path)
    return paths


def kill_repeatedly(database: Database, folder: Path, kills: int, seed: int) -> int:
    """Import, killed `kills` times at random moments, ending with the last version; return how many were hit alive."""
    chance = random.Random(seed)
    paths = write_files(folder)
    url = database.engine.url.render_as_string(hide_password=False)
    import_path(store_of(database), "user", folder / "users.csv", NOW)
    hit = 0
    for number in range(kills):
        command = [sys.executable, "-m", __name__, url, str(paths[number % VERSIONS])]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            for _ in range(chance.randrange(1, ORDERS // _BATCH)):
                process.stdout.readline()
            try:
                process.wait(chance.random() * 0.02)
            except subprocess.TimeoutExpired:
                process.kill()
                hit += 1
    return hit


def clean_run(database: Database, folder: Path) -> ImportReport:
    """Import the last version undisturbed."""
    return import_path(store_of(database), "order", folder / f"orders_{VERSIONS - 1}.csv", NOW)


def main(url: str, file: str) -> None:
    load._BATCH = _BATCH
    load._MAX_WAITING = _BATCH
    database = Database(url)
    import_path(store_of(database), "order", Path(file), NOW, lambda read: print(read, flush=True))  # noqa: T201


if __name__ == "__main__":
    main(*sys.argv[1:])
