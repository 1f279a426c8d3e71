"""kill -9 at random moments of import, scoring and sending; then one clean run: nothing twice, nothing lost."""

import csv
import os
import random
import signal
import subprocess
import sys
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from engagement_pipeline_tests.conftest import NOW
from engagement_pipeline_tests.end_to_end.mortal_pipeline import pipeline_in

pytestmark = pytest.mark.integration

USERS = 1_500
LIFE_SECONDS = 60


def write_files(folder: Path) -> Path:
    """Write users and orders, several a user, of whom most are silent for a while."""
    draw = random.Random(7)
    with (folder / "users.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["user_id", "email", "name", "consent", "time_zone"])
        # Every tenth shares an address with the one before.
        writer.writerows(
            [f"u{number}", f"u{number - (number % 10 == 1)}@example.com", "Ada Example", "true", "UTC"]
            for number in range(USERS)
        )
    with (folder / "orders.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["order_id", "user_id", "ordered_at", "total_value", "item_count"])
        for number in range(USERS):
            last = draw.randint(1, 400)
            for order in range(draw.randint(1, 6)):
                moment = NOW - timedelta(days=last + 20 * order, minutes=draw.randint(0, 600))
                writer.writerow([f"o{number}-{order}", f"u{number}", moment.isoformat(), draw.randint(0, 90), 1])
    return folder / "orders.csv"


def start(folder: Path, orders: Path) -> subprocess.Popen[bytes]:
    module = "engagement_pipeline_tests.end_to_end.mortal_pipeline"
    environment = {**os.environ, "DAGSTER_HOME": str(folder / "dagster")}
    command = [sys.executable, "-m", module, str(folder), str(orders)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def run_to_the_end(folder: Path, orders: Path) -> None:
    process = start(folder, orders)
    _, errors = process.communicate(timeout=LIFE_SECONDS)
    assert process.returncode == 0, errors.decode()[-2000:]


def result(folder: Path) -> dict[str, Any]:
    """What stands in both stores and in the outbox, without the moments at which it was written."""
    pipeline = pipeline_in(folder)
    try:
        with pipeline.database.read() as connection:
            ledger = connection.exec_driver_sql("SELECT user_id, step, status FROM emails ORDER BY 1, 2").fetchall()
            users = connection.exec_driver_sql(
                "SELECT user_id, order_count, order_days, average_order_value, touches_since_order, steps FROM users"
            ).fetchall()
            scores = connection.exec_driver_sql("SELECT user_id, score, band FROM scores").fetchall()
        with pipeline.warehouse(read_only=True) as con:
            orders = con.execute("SELECT order_id, total_value FROM raw_orders").fetchall()
            mirrored = con.execute("SELECT user_id, step, status FROM email_deliveries").fetchall()
        return {
            "ledger": sorted(map(tuple, ledger)),
            "users": sorted(map(tuple, users)),
            "scores": sorted(map(tuple, scores)),
            "orders": sorted(orders),
            "mirrored": sorted(mirrored),
            "outbox": len(list(pipeline.settings.outbox_dir.glob("*.eml"))),
        }
    finally:
        pipeline.database.close()


@pytest.mark.parametrize("kills", [2, pytest.param(50, marks=[pytest.mark.soak, pytest.mark.timeout(1800)])])
def test_killed_anywhere_nothing_is_done_twice_or_lost(kills: int, tmp_path: Path) -> None:
    orders = write_files(tmp_path)
    undisturbed, killed = tmp_path / "undisturbed", tmp_path / "killed"
    undisturbed.mkdir()
    killed.mkdir()
    run_to_the_end(undisturbed, orders)
    draw = random.Random(kills)
    for _ in range(kills):
        process = start(killed, orders)
        try:
            process.communicate(timeout=draw.uniform(0.5, 8))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.communicate()
    run_to_the_end(killed, orders)

    found = result(killed)
    expected = result(undisturbed)
    # Where an earlier life had sent already, its e-mails lower the score of this one: scores are compared further down.
    assert {**found, "scores": None} == {**expected, "scores": None}
    sent = [user_id for user_id, _, status in found["ledger"] if status == "delivered"]
    assert found["outbox"] == len(sent) > 300
    assert Counter(sent).most_common(1)[0][1] == 1
    assert len({order_id for order_id, _ in found["orders"]}) == len(orders.read_text().splitlines()) - 1

    for folder in (undisturbed, killed):
        run_to_the_end(folder, orders)
    assert result(killed) == result(undisturbed)
