"""The sample: real orders moved to end yesterday, made-up users, and nothing new the second time."""

from datetime import date, datetime, timedelta, timezone
from pathlib import Path

import pytest

from engagement_pipeline.platform.settings import PROJECT_ROOT
from engagement_pipeline.platform.sql import Database
from engagement_pipeline.users.importing import UnreadableFileError
from engagement_pipeline.users.sample import load_sample, synthetic_user
from engagement_pipeline_tests.conftest import NOW
from engagement_pipeline_tests.users.builders import newest_seq, store_of, user

ORDERS = """order_id,user_id,ordered_at,total_value
o1,cd-1,1998-06-28,10
o2,cd-2,1998-06-30,20
o3,cd-1,some day,5
"""


def test_dates_move_so_that_the_last_order_was_yesterday_and_stay(database: Database, tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    path.write_text(ORDERS)
    store = store_of(database)
    today = NOW.date()
    report = load_sample(store, path, None, today, NOW)
    assert (report.users.created, report.orders.created, report.orders.rejected) == (2, 2, 1)
    assert report.last_order_on == today - timedelta(days=1)
    assert report.shift_days == (report.last_order_on - date(1998, 6, 30)).days
    assert [order.ordered_at.date() for order in store.orders_of("cd-1")] == [today - timedelta(days=3)]
    seq = newest_seq(database)
    again = load_sample(store, path, None, today + timedelta(days=5), NOW + timedelta(days=5))
    assert (again.shift_days, again.orders.unchanged, again.users.unchanged) == (report.shift_days, 2, 2)
    assert newest_seq(database) == seq


def test_what_changed_about_a_made_up_user_stays(database: Database, tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    path.write_text(ORDERS)
    store = store_of(database)
    load_sample(store, path, None, NOW.date(), NOW)
    store.put_users([user("cd-1", consent=False, name="Changed Since")], NOW)
    load_sample(store, path, None, NOW.date(), NOW)
    stored = store.get_user("cd-1")
    assert stored is not None
    assert stored.name == "Changed Since"


def test_ones_own_users(database: Database, tmp_path: Path) -> None:
    orders, users = tmp_path / "orders.csv", tmp_path / "users.csv"
    orders.write_text(ORDERS)
    users.write_text("user_id,name\ncd-1,Ada Test\n")
    report = load_sample(store_of(database), orders, users, NOW.date(), NOW)
    assert (report.users.created, report.orders.created, report.orders.rejected) == (1, 1, 2)


def test_a_file_without_a_valid_order(database: Database, tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    path.write_text("order_id,user_id,ordered_at,total_value\no1,u1,never,1\n")
    with pytest.raises(UnreadableFileError, match="no valid order"):
        load_sample(store_of(database), path, None, NOW.date(), NOW)


def test_the_same_id_is_always_the_same_user() -> None:
    made_up = synthetic_user("cdnow-00001", NOW)
    assert (made_up.email, made_up.name) == ("cdnow-00001@example.com", "Layla Edwards")
    assert made_up.preferred_categories == ("dresses", "activewear")
    assert (made_up.consent, made_up.time_zone) == (True, "America/Chicago")
    assert synthetic_user("cdnow-00001", NOW) == made_up


def test_made_up_users_are_many_and_varied() -> None:
    users = [synthetic_user(f"cdnow-{number:05}", NOW) for number in range(3_000)]
    assert 0.9 < sum(each.consent for each in users) / len(users) < 0.94
    assert {len(each.preferred_categories) for each in users} == {1, 2, 3}
    assert len({each.time_zone for each in users}) == 6
    assert len({each.email for each in users}) == len(users)


def test_ids_spelled_alike_do_not_share_an_address() -> None:
    ids = ["a b", "a-b", "A B", "é", "x" * 100, "x" * 101, "-"]
    assert len({synthetic_user(user_id, NOW).email for user_id in ids}) == len(ids)


@pytest.mark.integration
def test_the_whole_sample(tmp_path: Path) -> None:
    from engagement_pipeline.migrations import upgrade

    database = Database(f"sqlite:///{tmp_path / 'sample.db'}")
    upgrade(database)
    file = PROJECT_ROOT / "data" / "cdnow" / "orders.csv.gz"
    read: list[int] = []
    moment = datetime(1998, 7, 1, tzinfo=timezone.utc)
    report = load_sample(store_of(database), file, None, moment.date(), moment, read.append)
    assert (report.users.created, report.orders.created, report.orders.rejected) == (23_570, 69_659, 0)
    assert report.shift_days == 0
    assert sum(read) == 23_570 + 69_659
    database.close()
