"""The API under a steady load, in peace and while an import and a full scoring run go on.

    python -m benchmarks.web [--users 1_000_000] [--rate 50] [--seconds 60] [--store FOLDER]

Requests begin at their moments, whether or not earlier ones are answered: one that has to wait counts its waiting. The
store is SQLite with three e-mails for each user. The import writes 100,000 new users; the scoring run reads all users
into the warehouse, scores them and publishes the scores that have moved. Both give way to the server, as `engagement
import` and everything under `engagement dev` do.
"""

import argparse
import asyncio
import csv
import os
import random
import socket
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from benchmarks import web_store
from engagement_pipeline.pipeline import Pipeline
from engagement_pipeline.platform.settings import PROJECT_ROOT, Settings
from engagement_pipeline.web.queries.cursors import Cursors, Position, list_name
from engagement_pipeline.web.security import tokens

IMPORTED = 100_000
LIMIT = 50

Paths = Mapping[str, Callable[[], str]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=lambda text: int(text.replace("_", "")), default=1_000_000)
    parser.add_argument("--rate", type=float, default=50, help="requests a second")
    parser.add_argument("--seconds", type=float, default=60, help="of each part")
    parser.add_argument("--store", type=Path, help="keep the store in this folder, or use the one that is there")
    parser.add_argument("--child", choices=("fill", "score"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        {"fill": _fill, "score": _score}[options.child](options.store, options.users)
        return
    with tempfile.TemporaryDirectory(prefix="bench-") as temporary:
        folder = options.store or Path(temporary)
        if not (folder / "engagement.db").exists():
            _child("fill", folder, options.users).wait()
        measure(folder, options.users, options.rate, options.seconds)


def measure(folder: Path, users: int, rate: float, seconds: float) -> None:
    pipeline = Pipeline(Settings(data_dir=folder))
    with pipeline.database.write() as connection:
        token = tokens.add(connection, f"bench-{time.time_ns()}", "read", pipeline.now())
    paths = _paths(pipeline, users)
    print(f"{users:,} users, {users * web_store.EMAILS_PER_USER:,} e-mails, {rate:g} requests a second")
    print(f"{'':24}{'requests':>10}{'median ms':>12}{'p99 ms':>10}{'worst ms':>10}")
    with _server(folder) as (url, pid):
        asyncio.run(_load(url, token, paths, rate, 5))
        before = _megabytes(pid)
        _report("in peace", asyncio.run(_load(url, token, paths, rate, seconds)))
        with _busy(folder, users) as others:
            _report("import and scoring", asyncio.run(_load(url, token, paths, rate, seconds, others)))
        print(f"memory of the server: {before:.0f} MB, then {_megabytes(pid):.0f} MB")


def _paths(pipeline: Pipeline, users: int) -> Paths:
    cursors, name = Cursors(pipeline.secret_key), list_name("/api/users", [])

    def page_10_000() -> str:
        place = min(10_000 * LIMIT, users - LIMIT) + random.randrange(LIMIT)
        return f"/api/users?limit={LIMIT}&cursor={cursors.write(Position(0, (web_store.user_id(place),)), name)}"

    return {
        "user": lambda: f"/api/users/{web_store.user_id(random.randrange(users))}",
        "list, page 1": lambda: f"/api/users?limit={LIMIT}",
        "list, page 10,000": page_10_000,
        "search": lambda: f"/api/users?q={random.choice(['ada', 'eva5', 'lovelace1', 'gauss77', 'nobody'])}",
        "overview": lambda: "/api/metrics/overview",
        "e-mails": lambda: f"/api/emails?status={random.choice(['delivered', 'clicked'])}",
    }


async def _load(
    url: str,
    token: str,
    paths: Paths,
    rate: float,
    seconds: float,
    others: "list[subprocess.Popen[bytes]] | None" = None,
) -> dict[str, list[float]]:
    """Ask so often for so long, or until the others have ended; return milliseconds by what was asked for."""
    import httpx2

    took: dict[str, list[float]] = defaultdict(list)
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx2.AsyncClient(base_url=url, headers=headers, timeout=60) as client:

        async def ask(name: str, due: float) -> None:
            answer = await client.get(paths[name]())
            answer.raise_for_status()
            took[name].append(1000 * (time.perf_counter() - due))

        start = time.perf_counter()
        asked: list[asyncio.Task[None]] = []
        while time.perf_counter() - start < seconds or any(other.poll() is None for other in others or ()):
            due = start + len(asked) / rate
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            asked.append(asyncio.create_task(ask(random.choice(list(paths)), due)))
        await asyncio.gather(*asked)
    return took


def _report(title: str, took: Mapping[str, list[float]]) -> None:
    print(title)
    for name, values in sorted(took.items()):
        ordered = sorted(values)
        median, p99 = ordered[len(ordered) // 2], ordered[int(len(ordered) * 0.99)]
        print(f"  {name:22}{len(ordered):10,}{median:12.1f}{p99:10.1f}{ordered[-1]:10.1f}", flush=True)


@contextmanager
def _server(folder: Path) -> Iterator[tuple[str, int]]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with (folder / "web.log").open("wb") as log:
        process = _engagement(folder, log.fileno(), "web", "--port", str(port))
    try:
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                if process.poll() is not None:
                    raise SystemExit((folder / "web.log").read_text()) from None
                time.sleep(0.1)
        yield f"http://127.0.0.1:{port}", process.pid
    finally:
        process.terminate()
        process.wait()


@contextmanager
def _busy(folder: Path, users: int) -> "Iterator[list[subprocess.Popen[bytes]]]":
    """Import and score meanwhile."""
    file = folder / "new_users.csv"
    with file.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["user_id", "email", "name", "consent"])
        mark = time.time_ns()
        for n in range(IMPORTED):
            writer.writerow([f"new-{mark}-{n}", f"new-{mark}-{n}@example.com", "Ada New", "true"])
    children = [_engagement(folder, subprocess.DEVNULL, "import", "users", str(file)), _child("score", folder, users)]
    try:
        yield children
    finally:
        for child in children:
            if child.wait():
                raise SystemExit("the import or the scoring run failed")


def _engagement(folder: Path, output: int, *arguments: str) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-c", "from engagement_pipeline.cli import main; main()", *arguments]
    environment = os.environ | {"ENGAGEMENT_DATA_DIR": str(folder)}
    return subprocess.Popen(command, cwd=PROJECT_ROOT, env=environment, stdout=output, stderr=output)


def _child(what: str, folder: Path, users: int) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "benchmarks.web", "--child", what, "--store", str(folder), "--users", str(users)]
    return subprocess.Popen(command, cwd=PROJECT_ROOT)


def _fill(folder: Path, users: int) -> None:
    web_store.fill(folder / "engagement.db", users)


def _score(folder: Path, _: int) -> None:
    from engagement_pipeline.platform.priority import give_way
    from engagement_pipeline.scoring.publish import publish
    from engagement_pipeline.scoring.scores import rescore
    from engagement_pipeline.users.mirror import pull

    give_way()
    pipeline = Pipeline(Settings(data_dir=folder))
    now = pipeline.now()
    with pipeline.warehouse() as con:
        pull(con, pipeline.database)
        rescore(con, now.date(), pipeline.settings.scoring, full=True, now=now)
        publish(con, pipeline.database, now)


def _megabytes(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


if __name__ == "__main__":
    main()
