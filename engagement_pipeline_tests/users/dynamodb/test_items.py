"""Items of an earlier deployment, and ours, as users and orders."""

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engagement_pipeline.platform.dynamodb_values import attributes_of, item_of
from engagement_pipeline.platform.dynamodb_writes import Put, Update
from engagement_pipeline.users.addresses import address_key
from engagement_pipeline.users.aggregates import Aggregates, CountedOrder
from engagement_pipeline.users.dynamodb.attributes import after, aggregated, described, new_user, order_written
from engagement_pipeline.users.dynamodb.items import (
    BadItemError,
    is_derived,
    moment_of,
    order_of,
    readable_orders,
    stored_user_of,
    text_of,
    user_of,
)
from engagement_pipeline.users.models import OrderStatus
from engagement_pipeline.users.rows import is_described_by
from engagement_pipeline_tests.conftest import NOW
from engagement_pipeline_tests.users.builders import SECRET, later, order, user

# As the deployment before this one wrote it.
EARLIER = {
    "userId": "u1",
    "email": "Ada@Example.com",
    "name": "Ada Test",
    "lastOrderDate": "2026-01-15T10:30:00.000Z",
    "orderCount": 5,
    "averageOrderValue": 42.5,
    "preferredCategories": ["denim", "shoes"],
    "engagementScore": 38,
    "lastEmailDate": "2026-02-01T09:00:00Z",
    "createdAt": "2024-06-01T00:00:00Z",
    "updatedAt": "2026-01-15T10:30:01Z",
}
LAST_ORDER = datetime(2026, 1, 15, 10, 30, tzinfo=timezone.utc)


def test_a_user_of_an_earlier_deployment_is_read_as_it_is() -> None:
    got = user_of(EARLIER, NOW)
    assert (got.user_id, got.email, got.name) == ("u1", "Ada@Example.com", "Ada Test")
    assert (got.order_count, got.average_order_value, got.last_order_at) == (5, 42.5, LAST_ORDER)
    assert got.preferred_categories == ("denim", "shoes")
    assert not got.consent
    assert user_of(EARLIER, NOW, consent_when_missing=True).consent
    assert not user_of({**EARLIER, "consent": False}, NOW, consent_when_missing=True).consent


def test_the_store_knows_such_a_user_by_what_the_shop_states() -> None:
    got = stored_user_of(EARLIER, SECRET)
    assert (got.order_count, got.order_days, got.average_order_value, got.last_order_at) == (5, 5, 42.5, LAST_ORDER)
    assert (got.version, got.steps) == (0, 0)
    mailed_at = datetime(2026, 2, 1, 9, tzinfo=timezone.utc)
    assert (got.touched_at, got.last_touch_at, got.touches_since_order) == ((mailed_at,), mailed_at, 1)
    assert got.last_email_at == datetime(2026, 2, 1, 9, tzinfo=timezone.utc)
    assert got.address_key == address_key("ada@example.com", SECRET)


def test_orders_that_the_shops_figures_do_not_hold_are_added() -> None:
    counted = [CountedOrder(NOW - timedelta(days=1), 30.0)]
    got = stored_user_of(EARLIER, SECRET, counted=counted)
    assert (got.order_count, got.last_order_at) == (6, counted[0].ordered_at)


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        ("2026-01-15", datetime(2026, 1, 15, tzinfo=timezone.utc)),
        ("2026-01-15T10:30:00+02:00", datetime(2026, 1, 15, 8, 30, tzinfo=timezone.utc)),
        ("2026-01-15 10:30", LAST_ORDER),
        (1_768_473_000, LAST_ORDER),
        (1_768_473_000_000, LAST_ORDER),
        ("1768473000", LAST_ORDER),
        ("yesterday", None),
        (True, None),
        (None, None),
        (10**30, None),
    ],
)
def test_moments_are_read_in_the_forms_that_tables_hold(value: Any, moment: datetime | None) -> None:
    assert moment_of(value) == moment


def test_numbers_may_be_texts_and_categories_a_set() -> None:
    got = user_of({**EARLIER, "orderCount": "5", "averageOrderValue": "42.50", "preferredCategories": {"b", "a"}}, NOW)
    assert (got.order_count, got.average_order_value, got.preferred_categories) == (5, 42.5, ("a", "b"))


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"email": "nobody"}, "email"),
        ({"orderCount": "many"}, "order_count"),
        ({"lastOrderDate": text_of(later(48))}, "last_order_at"),
        ({"lastOrderDate": None}, None),
        ({"userId": " u1 "}, "user_id"),
    ],
)
def test_an_item_that_is_no_user_says_what_is_wrong_but_not_what_it_holds(
    values: dict[str, Any], field: str | None
) -> None:
    with pytest.raises(BadItemError) as caught:
        user_of({**EARLIER, **values}, NOW)
    assert [fault.field for fault in caught.value.faults] == [field]
    assert "nobody" not in str(caught.value)


def test_what_the_store_cannot_read_of_an_item_is_missing() -> None:
    broken = {"email": "nobody", "orderCount": "many", "timeZone": 7, "touchedAt": "never", "version": "x", "steps": []}
    got = stored_user_of({**EARLIER, **broken}, SECRET)
    assert (got.email, got.address_key, got.time_zone, got.name) == (None, None, "UTC", "Ada Test")
    assert (got.order_count, got.last_order_at) == (1, LAST_ORDER)
    assert (got.touched_at, got.version, got.steps) == ((), 0, 0)
    assert stored_user_of({"userId": "u1", "orderCount": 3}, SECRET).order_count == 0


def test_what_an_earlier_deployment_sent_is_a_touch_until_ours_are_known() -> None:
    ours = {**EARLIER, "touchedAt": ["2026-03-01T00:00:00Z"], "lastEmailDate": "2026-03-01T00:00:00Z"}
    assert stored_user_of(ours, SECRET).touched_at == (datetime(2026, 3, 1, tzinfo=timezone.utc),)
    never = {**EARLIER, "touchedAt": [], "lastEmailDate": None}
    assert stored_user_of(never, SECRET).touched_at == ()


def test_describing_an_earlier_user_keeps_what_we_do_not_know() -> None:
    seen = {**EARLIER, "loyaltyTier": "gold"}
    told = user(email="new@example.com", consent=True, order_count=2, last_order_at=LAST_ORDER)
    item = after(described(told, seen, (), SECRET, NOW), seen)
    assert item["loyaltyTier"] == "gold"
    assert item["engagementScore"] == 38
    assert is_described_by(stored_user_of(item, SECRET), told)
    assert (item["version"], item["updatedAt"], item["createdAt"]) == (1, text_of(NOW), EARLIER["createdAt"])


def test_figures_that_the_shop_writes_over_ours_are_its_own_again() -> None:
    seen = new_user(user(), (), SECRET, NOW)
    ours = after(
        aggregated(stored_user_of(seen, SECRET), seen, Aggregates(2, 2, 9.5, LAST_ORDER, LAST_ORDER), NOW), seen
    )
    assert is_derived(ours)
    assert user_of(ours, NOW).order_count is None
    theirs = {**ours, "orderCount": 3, "lastOrderDate": text_of(NOW)}
    assert not is_derived(theirs)
    assert (user_of(theirs, NOW).order_count, user_of(theirs, NOW).last_order_at) == (3, NOW)


def test_orders_are_read_strictly_or_passed_over() -> None:
    item = {"userId": "u1", "orderId": "a", "orderDate": "2026-01-15", "totalValue": "19.90", "status": "SHIPPED"}
    got = order_of(item, NOW)
    assert (got.total_value, got.item_count, got.status) == (19.9, 1, OrderStatus.SHIPPED)
    broken = {**item, "totalValue": "a lot"}
    with pytest.raises(BadItemError, match="total_value"):
        order_of(broken, NOW)
    assert readable_orders([item, broken]) == [got]


@pytest.mark.parametrize("held", [["AC-801", "DR-101"], {"DR-101", "AC-801"}, "AC-801;DR-101"])
def test_what_was_bought_is_read_in_the_forms_that_tables_hold(held: Any) -> None:
    item = {"userId": "u1", "orderId": "a", "orderDate": "2026-01-15", "totalValue": 1, "skus": held}
    assert order_of(item, NOW).skus == ("AC-801", "DR-101")


moments = st.datetimes(datetime(1900, 1, 2), datetime(9990, 1, 1), timezones=st.just(timezone.utc))  # noqa: DTZ001
amounts = st.integers(0, 10**14).map(lambda cents: cents / 100)


@given(moments)
def test_a_moment_comes_back(moment: datetime) -> None:
    assert moment_of(text_of(moment)) == moment


@given(moments, moments)
def test_later_moments_are_later_texts(one: datetime, other: datetime) -> None:
    assert (text_of(one) < text_of(other)) == (one < other)


@given(
    st.builds(
        user,
        email=st.sampled_from(["ada@example.com", None]),
        name=st.none() | st.text(st.characters(categories=["L"]), min_size=1, max_size=20),
        consent=st.booleans(),
        preferred_categories=st.lists(st.sampled_from(["a", "b", "c"]), unique=True).map(tuple),
        last_order_at=moments,
        order_count=st.none() | st.integers(1, 2**31 - 1),
        average_order_value=st.none() | amounts,
        created_at=st.none() | moments,
    ),
    st.lists(st.tuples(moments, amounts), max_size=4),
)
def test_a_user_comes_back_from_the_table(given_user: Any, orders: list[tuple[datetime, float]]) -> None:
    counted = [CountedOrder(*each) for each in orders]
    item = item_of(attributes_of(new_user(given_user, counted, SECRET, NOW)))
    assert is_derived(item)
    assert is_described_by(stored_user_of(item, SECRET), given_user)
    assert (
        user_of(item, datetime(9995, 1, 1, tzinfo=timezone.utc)).model_copy(
            update={"created_at": given_user.created_at, "updated_at": None}
        )
        == given_user
    )


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.text()
        | st.integers(-(10**30), 10**30)
        | st.floats(-1e125, 1e125).filter(lambda number: number == 0 or abs(number) >= 1e-130),
        lambda children: st.lists(children) | st.dictionaries(st.text(), children),
        max_leaves=10,
    )
)
def test_any_value_comes_back(value: Any) -> None:
    assert item_of(attributes_of({"value": value})) == {"value": value}


def test_an_order_is_written_as_it_is_read() -> None:
    given_order = order("a", value=12.34, item_count=3, skus=("DR-101",), status=OrderStatus.SHIPPED)
    update = order_written(given_order, (), NOW)
    assert isinstance(update, Update)
    assert order_of({"userId": "u1", "orderId": "a", **update.sets}, NOW) == given_order


def test_an_order_that_moves_takes_along_what_we_do_not_know() -> None:
    seen = [{"userId": "u1", "orderId": "a", "giftWrap": True, "totalValue": 1}]
    put = order_written(order("a", "u2", value=2), seen, NOW)
    assert isinstance(put, Put)
    assert (put.item["userId"], put.item["giftWrap"], put.item["totalValue"]) == ("u2", True, 2)
