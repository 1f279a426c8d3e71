"""`engagement demo` on one's own files, in processes of their own."""

import json
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
import sqlalchemy as sa

from engagement_pipeline.cli.demo import HISTORY_DAYS, demo_settings
from engagement_pipeline.pipeline import Pipeline
from engagement_pipeline.platform.run_marks import run_marks
from engagement_pipeline.platform.settings import Settings
from engagement_pipeline.platform.settings_groups import CopywritingSettings
from engagement_pipeline.web.queries import metrics
from engagement_pipeline_tests.cli.test_cli import engagement

pytestmark = pytest.mark.integration


def own_files(folder: Path) -> None:
    """Twenty users who have been silent for two months, of whom one shares an address, and one bad order."""
    silent = (datetime.now(timezone.utc) - timedelta(days=60)).date()
    users = [f"u{number},u{max(number, 1)}@example.com,Ada,true,Europe/Berlin" for number in range(20)]
    orders = [f"o{number},u{number},{silent},25.00,1" for number in range(20)]
    (folder / "users.csv").write_text("\n".join(["user_id,email,name,consent,time_zone", *users]) + "\n")
    header = "order_id,user_id,ordered_at,total_value,item_count"
    (folder / "orders.csv").write_text("\n".join([header, *orders, "o99,u1,yesterday,5,1"]) + "\n")


def test_own_files_go_through_and_a_second_run_sends_nothing_new_and_names_the_next_steps(tmp_path: Path) -> None:
    own_files(tmp_path)
    arguments = ("demo", "--orders", "orders.csv", "--users", "users.csv")
    first = engagement(tmp_path, *arguments, "--json", ENGAGEMENT_GATE__HOLD_OUT_SHARE="0")
    assert first.returncode == 0, first.stderr
    shown = json.loads(first.stdout)
    assert shown["imported"]["orders"]["rejected"] == 1
    assert shown["rejected_by_reason"] == {"not_a_date": 1}
    assert shown["decisions_by_reason"] == {"mail: eligible": 19, "skip: duplicate_address": 1}
    assert shown["outbox"] == {"emails": 19, "new": 19}
    assert shown["effect"][0].startswith("Not enough data yet")
    second = engagement(tmp_path, *arguments, ENGAGEMENT_GATE__HOLD_OUT_SHARE="0").stdout
    assert "Outbox: 19 e-mails, 0 of them new" in second
    for part in ("Users by band", "Hold-out:", "engagement explain"):
        assert part in second
    last_words = second.split("Where to look next")[1]
    for address in ("http://127.0.0.1:8000 ", "http://127.0.0.1:8000/api/docs", "http://127.0.0.1:3000"):
        assert f"make dev, then {address}" in last_words
    assert_the_overview_is_full(tmp_path / "local")


def assert_the_overview_is_full(data_dir: Path) -> None:
    """The dashboard has something to show at once: also how bands moved, and which runs there were."""
    pipeline = Pipeline(Settings(data_dir=data_dir))
    with pipeline.database.read() as connection:
        shown = metrics.overview(connection)
        jobs = connection.execute(sa.select(run_marks.c.job).order_by(run_marks.c.job)).scalars().all()
    assert [step.users for step in shown.funnel.steps][:4] == [20, 19, 19, 19]
    assert len(shown.users_by_band.over_time) == HISTORY_DAYS + 1
    assert sum(shown.users_by_band.over_time[-1].model_dump(exclude={"day"}).values()) == 20
    assert jobs == ["record_score_history", "refresh_engagement", "send_emails"]


def test_orders_alone_get_made_up_users(tmp_path: Path) -> None:
    own_files(tmp_path)
    result = engagement(tmp_path, "demo", "--orders", "orders.csv", "--json")
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["imported"]["users"]["created"] == 20


def test_where_a_model_writes_the_demo_has_a_budget_and_waits_for_no_batch() -> None:
    writing = demo_settings(Settings()).copywriting
    assert (writing.budget_usd, writing.batch_above) == (1.0, None)
    chosen = CopywritingSettings(budget_usd=5, texts_per_brief=2)
    writing = demo_settings(Settings(copywriting=chosen)).copywriting
    assert (writing.budget_usd, writing.texts_per_brief) == (5, 2)
