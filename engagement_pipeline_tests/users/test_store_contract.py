"""What every store of users and orders does, on SQLite, PostgreSQL and DynamoDB."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from engagement_pipeline.platform.audit import AuditEntry
from engagement_pipeline.users.addresses import address_key
from engagement_pipeline.users.importing import import_path
from engagement_pipeline.users.keys import SecretKeyChangedError
from engagement_pipeline.users.models import OrderStatus
from engagement_pipeline.users.rejects import Reject
from engagement_pipeline.users.store import (
    AlreadyThereError,
    ChangedMeanwhileError,
    NotThereError,
    Touches,
    UnknownUserError,
    WriteCounts,
)
from engagement_pipeline_tests.conftest import NOW
from engagement_pipeline_tests.users.builders import SECRET, later, order, user
from engagement_pipeline_tests.users.stores import Shop


def entry(action: str, entity_id: str = "u1", **details: int) -> AuditEntry:
    return AuditEntry("ada", action, "user", entity_id, details, NOW)


def test_users_are_created_updated_and_left_alone(shop: Shop) -> None:
    both = [user("u1"), user("u2", consent=True, preferred_categories=("denim", "shoes"))]
    assert shop.store.put_users(both, NOW) == WriteCounts(2, 0, 0)
    assert shop.store.put_users(both, later(1)) == WriteCounts(0, 0, 2)
    assert shop.store.put_users([user("u1"), user("u2", consent=False)], later(2)) == WriteCounts(0, 1, 1)
    second = shop.stored("u2")
    assert (second.consent, second.version, second.created_at, second.updated_at) == (False, 2, NOW, later(2))


def test_everything_about_a_user_comes_back(shop: Shop) -> None:
    given = user(
        consent=True,
        time_zone="America/New_York",
        preferred_categories=("denim", "shoes"),
        order_count=3,
        average_order_value=12.5,
        first_order_at=NOW - timedelta(days=300),
        last_order_at=NOW - timedelta(days=100, microseconds=1),
        created_at=NOW - timedelta(days=400),
        updated_at=NOW - timedelta(days=2),
    )
    shop.store.put_users([given], NOW)
    got = shop.stored()
    assert (got.email, got.name, got.time_zone) == (given.email, given.name, given.time_zone)
    assert got.preferred_categories == given.preferred_categories
    assert (got.order_count, got.order_days, got.average_order_value) == (3, 3, 12.5)
    assert (got.first_order_at, got.last_order_at) == (given.first_order_at, given.last_order_at)
    assert (got.created_at, got.updated_at) == (given.created_at, given.updated_at)
    assert (got.touched_at, got.steps, got.version) == ((), 0, 1)
    assert "ada" not in repr(got).lower()


def test_what_the_shop_no_longer_says_is_gone(shop: Shop) -> None:
    stated: dict[str, Any] = {"order_count": 3, "average_order_value": 9.0, "last_order_at": NOW - timedelta(days=9)}
    shop.store.put_users([user(consent=True, preferred_categories=("shoes",), **stated)], NOW)
    assert shop.store.put_users([user(email=None, name=None)], later(1)) == WriteCounts(0, 1, 0)
    got = shop.stored()
    assert (got.email, got.address_key, got.name, got.consent, got.preferred_categories) == (
        None,
        None,
        None,
        False,
        (),
    )
    assert (got.stated, got.order_count, got.last_order_at) == ((None, None, None, None), 0, None)


def test_two_spellings_of_an_address_share_a_key_and_no_address_has_none(shop: Shop) -> None:
    shop.store.put_users([user("u1", email="Ada@Example.com"), user("u2", email="ada@example.com")], NOW)
    shop.store.put_users([user("u3", email=None)], NOW)
    assert shop.stored("u1").address_key == shop.stored("u2").address_key is not None
    assert shop.stored("u3").address_key is None


def test_who_has_an_address_is_found(shop: Shop) -> None:
    shop.store.put_users([user("u1", email="a@example.com"), user("u2", email="A@example.com"), user("u3")], NOW)
    keys = {email: address_key(email, SECRET) for email in ("a@example.com", "u3@example.com", "nobody@example.com")}
    found = shop.store.user_ids_at(keys.values())
    assert found == {keys["a@example.com"]: {"u1", "u2"}, keys["u3@example.com"]: {"u3"}}
    shop.store.put_users([user("u2", email="elsewhere@example.com")], NOW)
    assert shop.store.user_ids_at([keys["a@example.com"]]) == {keys["a@example.com"]: {"u1"}}


def test_another_secret_key_is_refused_and_writes_nothing(shop: Shop) -> None:
    shop.store.put_users([user("u1")], NOW)
    with pytest.raises(SecretKeyChangedError, match="ENGAGEMENT_SECRET_KEY"):
        shop.with_key("quite another secret key").put_users([user("u2")], NOW)
    assert shop.store.known_user_ids(["u1", "u2"]) == {"u1"}


def test_orders_bring_their_users_aggregates_up_to_date(shop: Shop) -> None:
    shop.store.put_users([user("u1"), user("u2")], NOW)
    counts = shop.store.put_orders([order("a", days_ago=5, value=10), order("b", days_ago=40, value=20)], NOW)
    assert counts == WriteCounts(2, 0, 0)
    got = shop.stored()
    assert (got.order_count, got.order_days, got.average_order_value) == (2, 2, 15.0)
    assert got.last_order_at == NOW - timedelta(days=5)
    assert shop.stored("u2").order_count == 0
    assert [each.order_id for each in shop.store.orders_of("u1")] == ["b", "a"]


def test_replaying_orders_changes_nothing(shop: Shop) -> None:
    shop.store.put_users([user("u1")], NOW)
    batch = [order("a"), order("b", days_ago=3, value=0.1)]
    shop.store.put_orders(batch, NOW)
    before = shop.everything()
    assert shop.store.put_orders(batch, later(1)) == WriteCounts(0, 0, 2)
    assert shop.everything() == before


def test_orders_come_back_by_their_ids(shop: Shop) -> None:
    shop.store.put_users([user("u1"), user("u2")], NOW)
    batch = [order("a"), order("b", "u2", value=0.1, item_count=3, status=OrderStatus.SHIPPED)]
    shop.store.put_orders(batch, NOW)
    assert sorted(shop.store.get_orders(["b", "a", "c", "a"]), key=lambda each: each.order_id) == batch


def test_what_was_bought_comes_back_and_is_part_of_the_order(shop: Shop) -> None:
    shop.store.put_users([user("u1")], NOW)
    bought = order("a", skus=("DR-101", "AC/801 é", "DR-101"))
    shop.store.put_orders([order("a"), order("b", skus=("TO-201",))], NOW)
    assert shop.store.put_orders([bought], later(1)) == WriteCounts(0, 1, 0)
    assert shop.store.get_orders(["a"]) == [bought]
    assert shop.store.put_orders([bought, order("b")], later(2)) == WriteCounts(0, 1, 1)
    assert [each.skus for each in sorted(shop.store.orders_of("u1"), key=lambda each: each.order_id)] == [
        bought.skus,
        (),
    ]


def test_a_cancelled_order_no_longer_counts(shop: Shop) -> None:
    shop.store.put_users([user("u1")], NOW)
    shop.store.put_orders([order("a", days_ago=50), order("b", days_ago=2)], NOW)
    assert shop.store.put_orders([order("b", days_ago=2, status=OrderStatus.RETURNED)], NOW) == WriteCounts(0, 1, 0)
    got = shop.stored()
    assert (got.order_count, got.last_order_at) == (1, NOW - timedelta(days=50))


def test_an_order_that_moves_changes_both_users(shop: Shop) -> None:
    shop.store.put_users([user("u1"), user("u2")], NOW)
    shop.store.put_orders([order("a", "u1")], NOW)
    versions = shop.stored("u1").version, shop.stored("u2").version
    assert shop.store.put_orders([order("a", "u2")], NOW) == WriteCounts(0, 1, 0)
    assert (shop.stored("u1").order_count, shop.stored("u2").order_count) == (0, 1)
    assert (shop.stored("u1").version, shop.stored("u2").version) == (versions[0] + 1, versions[1] + 1)
    assert shop.store.orders_of("u1") == []
    assert shop.store.get_orders(["a"]) == shop.store.orders_of("u2") == [order("a", "u2")]


def test_of_several_records_with_one_id_the_last_counts(shop: Shop) -> None:
    assert shop.store.put_users([user("u1", name="Old"), user("u1", name="New")], NOW) == WriteCounts(1, 0, 1)
    assert shop.stored().name == "New"
    assert shop.store.put_orders([order("a", value=1), order("a", value=2)], NOW) == WriteCounts(1, 0, 1)
    assert shop.store.orders_of("u1")[0].total_value == 2


def test_orders_of_unknown_users_name_them_and_write_nothing(shop: Shop) -> None:
    shop.store.put_users([user("u1")], NOW)
    before = shop.everything()
    with pytest.raises(UnknownUserError) as caught:
        shop.store.put_orders([order("a", "u1"), order("b", "ghost"), order("c", "spirit")], NOW)
    assert caught.value.user_ids == {"ghost", "spirit"}
    assert shop.everything() == before
    assert shop.store.orders_of("u1") == []


def test_deleting_a_user_takes_the_orders_along(shop: Shop) -> None:
    shop.store.put_users([user("u1"), user("u2")], NOW)
    shop.store.put_orders([order("a", "u1"), order("b", "u2")], NOW)
    assert shop.store.delete_user("u1", NOW, audit=entry("user.deleted"))
    assert not shop.store.delete_user("u1", NOW, audit=entry("user.deleted"))
    assert shop.store.get_user("u1") is None
    assert shop.store.get_orders(["a", "b"]) == [order("b", "u2")]
    assert shop.store.orders_of("u1") == []
    assert shop.audited() == [("user.deleted", "user", "u1", {})]
    shop.store.put_users([user("u1")], NOW)
    assert shop.store.put_orders([order("a", "u2")], NOW) == WriteCounts(1, 0, 0)


def test_a_user_is_deleted_only_in_the_version_that_was_looked_at(shop: Shop) -> None:
    shop.store.put_users([user()], NOW)
    with pytest.raises(ChangedMeanwhileError):
        shop.store.delete_user("u1", NOW, version=2, audit=entry("user.deleted"))
    assert shop.stored().version == 1
    assert shop.audited() == []
    assert shop.store.delete_user("u1", NOW, version=1, audit=entry("user.deleted"))
    assert not shop.store.delete_user("u1", NOW, version=1)


def test_a_user_is_created_once(shop: Shop) -> None:
    got = shop.store.create_user(user(consent=True), NOW, entry("user.created", fields=3))
    assert got == shop.stored()
    assert (got.version, got.consent, got.created_at) == (1, True, NOW)
    before = shop.everything()
    with pytest.raises(AlreadyThereError):
        shop.store.create_user(user(name="Another"), later(1), entry("user.created"))
    assert shop.everything() == before
    assert shop.audited() == [("user.created", "user", "u1", {"fields": 3})]


def test_a_user_is_changed_only_in_the_version_that_was_looked_at(shop: Shop) -> None:
    with pytest.raises(NotThereError):
        shop.store.change_user(user(), 1, NOW, entry("user.changed"))
    shop.store.put_users([user()], NOW)
    got = shop.store.change_user(user(name="New"), 1, later(1), entry("user.changed"))
    assert got == shop.stored()
    assert (got.name, got.version, got.updated_at) == ("New", 2, later(1))
    with pytest.raises(ChangedMeanwhileError):
        shop.store.change_user(user(name="Newer"), 1, later(2), entry("user.changed"))
    assert shop.stored().name == "New"
    assert len(shop.audited()) == 1


def test_a_change_that_says_nothing_new_is_not_written(shop: Shop) -> None:
    shop.store.put_users([user()], NOW)
    before = shop.everything()
    assert shop.store.change_user(user(), 1, later(1), entry("user.changed")) == shop.stored()
    assert shop.everything() == before
    assert shop.audited() == []


def test_a_batch_of_orders_is_audited_also_where_it_changes_nothing(shop: Shop) -> None:
    def entries(counts: WriteCounts) -> list[AuditEntry]:
        return [entry("orders.written", created=counts.created, unchanged=counts.unchanged)]

    shop.store.put_users([user()], NOW)
    for _ in range(2):
        shop.store.put_orders([order("a"), order("b")], NOW, entries)
    assert [details for *_, details in shop.audited()] == [
        {"created": 2, "unchanged": 0},
        {"created": 0, "unchanged": 2},
    ]
    with pytest.raises(UnknownUserError):
        shop.store.put_orders([order("c", "ghost")], NOW, entries)
    assert len(shop.audited()) == 2


def test_touches_are_kept_newest_first_and_counted_since_the_last_order(shop: Shop) -> None:
    shop.store.put_users([user("u1")], NOW)
    shop.store.put_orders([order("a", days_ago=30)], NOW)
    moments = [NOW - timedelta(days=days) for days in (60, 2, 30, 10)]
    shop.touch([Touches("u1", moments, moments[3], 4)], NOW)
    got = shop.stored()
    assert got.touched_at == tuple(sorted(moments, reverse=True))
    # The touch at the very moment of the order came before it.
    assert (got.touches_since_order, got.last_touch_at, got.last_email_at) == (2, moments[1], moments[3])
    assert (got.steps, got.version) == (4, 3)
    shop.store.put_orders([order("b", days_ago=5)], NOW)
    assert shop.stored().touches_since_order == 1
    shop.store.put_orders([order("b", days_ago=5, status=OrderStatus.CANCELLED)], NOW)
    assert shop.stored().touches_since_order == 2


def test_touches_that_were_none_are_taken_back(shop: Shop) -> None:
    shop.store.put_users([user("u1")], NOW)
    shop.touch([Touches("u1", [NOW], NOW, 1)], NOW)
    shop.touch([Touches("u1", [], None, 1)], NOW)
    got = shop.stored()
    assert (got.touched_at, got.last_touch_at, got.last_email_at, got.steps) == ((), None, None, 1)


def test_at_most_twenty_touches_are_kept(shop: Shop) -> None:
    shop.store.put_users([user("u1")], NOW)
    shop.touch([Touches("u1", [NOW - timedelta(days=days) for days in range(50)], NOW, 50)], NOW)
    got = shop.stored()
    assert len(got.touched_at) == 20
    assert got.touched_at[0] == NOW


def test_describing_a_user_anew_keeps_orders_and_touches(shop: Shop) -> None:
    shop.store.put_users([user("u1")], NOW)
    shop.store.put_orders([order("a")], NOW)
    shop.touch([Touches("u1", [NOW], NOW, 1)], NOW)
    shop.store.put_users([user("u1", name="Another Name")], NOW)
    got = shop.stored()
    assert (got.order_count, got.steps, got.touched_at, got.touches_since_order) == (1, 1, (NOW,), 1)


def test_touches_of_a_deleted_user_are_passed_over(shop: Shop) -> None:
    before = shop.everything()
    shop.touch([Touches("ghost", [NOW], NOW, 1)], NOW)
    assert shop.everything() == before


def test_more_records_than_one_request_takes(shop: Shop) -> None:
    many = [user(f"u{number}", email=None) for number in range(230)]
    assert shop.store.put_users(many, NOW).created == 230
    assert len(shop.store.get_users(each.user_id for each in many)) == 230
    batch = [order(f"o{number}", f"u{number % 50}", days_ago=number // 50) for number in range(230)]
    batch += [order(f"p{number}", "u0", days_ago=number + 10) for number in range(70)]
    assert shop.store.put_orders(batch, NOW) == WriteCounts(300, 0, 0)
    assert shop.store.put_orders(batch, NOW) == WriteCounts(0, 0, 300)
    assert len(shop.store.get_orders(each.order_id for each in batch)) == 300
    counts = {each.user_id: each.order_count for each in shop.store.get_users(f"u{number}" for number in range(60))}
    assert counts == {f"u{n}": 75 if n == 0 else 5 if n < 30 else 4 if n < 50 else 0 for n in range(60)}


def test_ids_that_nobody_can_have_are_nobodys(shop: Shop) -> None:
    shop.store.put_users([user("u1")], NOW)
    for nobody in ("", "x" * 3_000):
        assert shop.store.get_user(nobody) is None
        assert shop.store.known_user_ids([nobody, "u1"]) == {"u1"}
        assert shop.store.orders_of(nobody) == shop.store.get_orders([nobody]) == []
        assert not shop.store.delete_user(nobody, NOW)
        with pytest.raises(NotThereError):
            shop.store.change_user(user().model_copy(update={"user_id": nobody}), 1, NOW)


def test_files_are_imported_alike(shop: Shop, tmp_path: Path) -> None:
    users, orders = tmp_path / "users.csv", tmp_path / "orders.csv"
    users.write_text("user_id,email,consent\nu1,u1@example.com,yes\nu2,nobody,yes\nu3,,no\nu1,new@example.com,yes\n")
    lines = [f"o{number},u{number % 3 + 1},2026-01-0{number % 9 + 1},{number}.5" for number in range(40)]
    orders.write_text("\n".join(["order_id,user_id,ordered_at,total_value", *lines, "o0,u3,2026-02-01,7", "o1,u1,,1"]))
    report = import_path(shop.store, "user", users, NOW)
    assert (report.read, report.created, report.unchanged, report.rejected) == (4, 2, 1, 1)
    for created, unchanged in ((27, 1), (0, 28)):
        report = import_path(shop.store, "order", orders, NOW)
        assert (report.read, report.created, report.unchanged, report.rejected) == (42, created, unchanged, 14)
    assert (shop.stored("u1").order_count, shop.stored("u3").order_count) == (13, 14)
    assert shop.store.get_orders(["o0"])[0].user_id == "u3"


def test_rejects_and_facts_are_kept_once(shop: Shop) -> None:
    reject = Reject("user", "users.csv", 3, "email", "invalid_email", "email is none", "raw text")
    assert shop.store.record_rejects([reject], NOW) == 1
    assert shop.store.record_rejects([reject], NOW) == 0
    assert shop.store.remember("fact", "first") == "first"
    assert shop.store.remember("fact", "second") == "first"
