"""Several senders at once: no row twice, none left."""

import threading
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from engagement_pipeline.delivery.send_report import SendReport
from engagement_pipeline_tests.conftest import NOW
from engagement_pipeline_tests.delivery.parts import Counting, Parts, outbox_ids, silent_user


@pytest.mark.parametrize("senders", [2, 4])
def test_senders_share_the_work_and_never_a_row(parts: Parts, tmp_path: Path, senders: int) -> None:
    # Each address twice, one after the other, so that two senders hold the two rows of one address at the same time.
    # An emulator of DynamoDB takes its time for each write.
    addresses = 150 if parts.dynamo is None else 40
    users = [silent_user(number, f"shared{number // 2}@example.com") for number in range(2 * addresses)]
    parts.add_users(users, NOW)
    parts.add_drafts([user.user_id for user in users], NOW)
    counts: Counter[str] = Counter()
    reports: list[SendReport] = []
    start = threading.Barrier(senders)

    def send() -> None:
        sender = replace(parts).sender(Counting(tmp_path / "outbox", counts))
        start.wait()
        reports.append(sender.run(lambda: NOW))

    threads = [threading.Thread(target=send) for _ in range(senders)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(reports) == senders
    assert sum(report.sent for report in reports) == addresses
    assert sum(sum(report.skipped_by_reason.values()) for report in reports) == addresses
    assert set(counts.values()) == {1}
    rows = parts.rows().values()
    delivered = [row for row in rows if row.status == "delivered"]
    assert outbox_ids(tmp_path / "outbox") == sorted(row.email_id for row in delivered)
    assert len({row.address_key for row in delivered}) == addresses
    assert {row.status for row in rows} == {"delivered", "skipped"}
