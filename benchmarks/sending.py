"""Sending by SMTP, ledger and rendering included, beside a bare loop that sends ready messages.

    python -m benchmarks.sending [--emails 20_000] [--only "bare loop; one sender"] [--memory]

All send into postfix's `smtp-sink` on this machine. The bare loop is what one would write by hand: the standard
library's smtplib over one connection, with messages that are ready, and no record of what was sent. Ours claims rows,
judges each again, renders it, and keeps its ledger in SQLite, durably, once for each message.

With `--memory` one sender's peak is measured for 10,000 and for 200,000 messages.
"""

import argparse
import json
import os
import resource
import shutil
import smtplib
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path

from engagement_pipeline.copywriting.brand import Brand, load_brand
from engagement_pipeline.delivery.assembly import sender_for
from engagement_pipeline.delivery.entries import NewEmail
from engagement_pipeline.delivery.stores import stores_for
from engagement_pipeline.migrations import upgrade
from engagement_pipeline.pipeline import Pipeline
from engagement_pipeline.platform.settings import PROJECT_ROOT, Settings
from engagement_pipeline.platform.sql import Database
from engagement_pipeline.users.models import User

NOW = datetime(2026, 3, 2, 15, tzinfo=timezone.utc)
BATCH = 5_000
SINK = shutil.which("smtp-sink") or "/usr/sbin/smtp-sink"

# Name: how many senders, each in a process of its own, and how many messages each has in hand at once.
CONTESTANTS = {
    "one sender": (1, 1),
    "one sender, two at once": (1, 2),
    "two senders": (2, 1),
    "four senders": (4, 1),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--emails", type=lambda text: int(text.replace("_", "")), default=20_000)
    parser.add_argument("--only", default=f"bare loop;{';'.join(CONTESTANTS)}")
    parser.add_argument("--memory", action="store_true", help="measure memory instead of speed")
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        folder, port, lanes = options.child
        send(Path(folder), int(port), int(lanes))
        return
    if not Path(SINK).exists():
        raise SystemExit("smtp-sink is not installed: apt-get install postfix")
    if options.memory:
        measure_memory()
        return
    names = [name.strip() for name in options.only.split(";")]
    measure_speed(names, options.emails)


def measure_speed(names: list[str], emails: int) -> None:
    print(f"{emails:,} e-mails{'':14}{'per second':>12}{'x bare loop':>13}{'CPU ms each':>13}")
    bare = 0.0
    for name in names:
        rate, cpu = bare_loop(emails) if name == "bare loop" else contest(emails, *CONTESTANTS[name])[:2]
        bare = rate if name == "bare loop" else bare
        ratio = f"{rate / bare:.2f}" if bare else ""
        print(f"{name:30}{rate:12,.0f}{ratio:>13}{cpu:13.2f}", flush=True)


def measure_memory() -> None:
    print(f"{'e-mails':>12}{'per second':>12}{'peak MB':>10}")
    for emails in (10_000, 200_000):
        rate, _, megabytes = contest(emails, 1, 1)
        print(f"{emails:12,}{rate:12,.0f}{megabytes:10.0f}", flush=True)


def bare_loop(emails: int) -> tuple[float, float]:
    """Send copies of one real message."""
    with tempfile.TemporaryDirectory() as folder:
        prepare(Path(folder), 1)
        settings = Settings(data_dir=Path(folder), gate={"hold_out_share": 0})
        sender_for(settings, stores_for(settings, Database(settings.store_url)), brand()).run(lambda: NOW)
        content = next((Path(folder) / "outbox").glob("*.eml")).read_bytes()
    with sink() as port, smtplib.SMTP("127.0.0.1", port) as smtp:
        cpu, start = time.process_time(), time.perf_counter()
        for number in range(emails):
            smtp.sendmail("shop@our-shop.net", f"u{number}@example.com", content)
        seconds = time.perf_counter() - start
    return emails / seconds, 1000 * (time.process_time() - cpu) / emails


def contest(emails: int, senders: int, lanes: int) -> tuple[float, float, float]:
    """Return messages a second, milliseconds of CPU for each, and the most memory a sender held."""
    with tempfile.TemporaryDirectory() as folder, sink() as port:
        command = [sys.executable, "-m", "benchmarks.sending", "--child", folder, str(port), str(lanes)]
        # In a process of its own: on Linux, a process begins with the peak of the one that started it.
        prepare_apart = f"from benchmarks.sending import *; prepare(Path({folder!r}), {emails})"
        subprocess.run([sys.executable, "-c", prepare_apart], check=True, cwd=PROJECT_ROOT)
        children = [
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=PROJECT_ROOT)
            for _ in range(senders)
        ]
        for child in children:
            assert child.stdout is not None
            assert child.stdout.readline() == "ready\n"
        start = time.perf_counter()
        for child in children:
            assert child.stdin is not None
            child.stdin.close()
        results = [json.loads(child.stdout.readline()) for child in children if child.stdout is not None]
        seconds = time.perf_counter() - start
        for child in children:
            child.wait()
        if sum(result["sent"] for result in results) != emails:
            raise SystemExit(f"not everything was sent: {results}")
    cpu = sum(result["cpu"] for result in results)
    return emails / seconds, 1000 * cpu / emails, max(result["megabytes"] for result in results)


def send(folder: Path, port: int, lanes: int) -> None:
    """Be one sender: say when ready, and begin when told to."""
    settings = live_settings(folder, port, lanes)
    database = Database(settings.store_url)
    sender = sender_for(settings, stores_for(settings, database), brand())
    print("ready", flush=True)
    sys.stdin.read()
    began = time.process_time()
    report = sender.run(lambda: NOW)
    cpu = time.process_time() - began
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"sent": report.sent, "cpu": cpu, "megabytes": megabytes}), flush=True)


def live_settings(folder: Path, port: int, lanes: int) -> Settings:
    return Settings.model_validate(
        {
            "data_dir": folder,
            "send_mode": "live",
            "secret_key": "a key for benchmarks",
            "gate": {"hold_out_share": 0},
            "delivery": {
                "provider": "smtp",
                "public_url": "https://mail.our-shop.net",
                "senders": lanes,
                "warm_up": False,
            },
            "smtp": {"host": "127.0.0.1", "port": port, "security": "none"},
        }
    )


def brand() -> Brand:
    ours = {"from_address": "stylists@our-shop.net", "site_url": "https://www.our-shop.net"}
    return load_brand(PROJECT_ROOT / "data" / "brand.yaml").model_copy(update=ours)


def prepare(folder: Path, emails: int) -> None:
    """Store silent users and queue an e-mail for each."""
    pipeline = Pipeline(live_settings(folder, 1, 1) if emails > 1 else Settings(data_dir=folder))
    upgrade(pipeline.database)
    for first in range(0, emails, BATCH):
        users = [user(number) for number in range(first, min(first + BATCH, emails))]
        pipeline.store.put_users(users, NOW - timedelta(days=90))
        stored = pipeline.store.get_users(user.user_id for user in users)
        pipeline.ledger.create_drafts([draft(one.user_id, one.address_key or "") for one in stored], NOW)
    pipeline.ledger.queue(pipeline.settings.campaign, NOW)


def user(number: int) -> User:
    return User(
        user_id=f"u{number:07}",
        email=f"u{number}@example.com",
        name=("Ada Example", "Zoë Ångström", "Grace Example")[number % 3],
        consent=True,
        time_zone="UTC",
        order_count=2,
        average_order_value=40.0,
        last_order_at=NOW - timedelta(days=90),
    )


def draft(user_id: str, address_key: str) -> NewEmail:
    return NewEmail(
        user_id=user_id,
        address_key=address_key,
        campaign="win-back",
        step=1,
        score=30.0,
        band="at_risk",
        value_at_risk=float(user_id[1:]),
        decided_at=NOW,
        variant="plain",
        copy={
            "subject": "It has been a while, {{first_name}}",
            "preheader": "A few pieces that our stylists kept aside for you.",
            "greeting": "Hi {{first_name}},",
            "paragraphs": [
                "It has been a while since your last visit, and our stylists have kept a few pieces aside for you.",
                "Tell us what you are looking for these days, and somebody with an eye for it will choose with you.",
            ],
            "call_to_action": "Have a look",
        },
        copywriter="template",
    )


@contextmanager
def sink() -> Iterator[int]:
    """Run a server that takes everything, on a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    user = ["-u", "nobody"] if os.getuid() == 0 else []
    process = subprocess.Popen(
        [SINK, *user, f"127.0.0.1:{port}", "1000"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    time.sleep(0.5)
    try:
        yield port
    finally:
        process.kill()
        process.wait()


if __name__ == "__main__":
    main()
