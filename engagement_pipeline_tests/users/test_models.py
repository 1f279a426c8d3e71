"""The models are strict: what is of another type, out of range or contradictory is refused."""

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from pydantic import ValidationError

from engagement_pipeline.users.models import Order, OrderStatus, User
from engagement_pipeline_tests.conftest import NOW
from engagement_pipeline_tests.users.builders import order, user


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("order_id", ""),
        ("order_id", "x" * 129),
        ("order_id", "a\nb"),
        ("order_id", "a\x00b"),
        ("order_id", "\ud800"),
        ("order_id", 7),
        ("user_id", "  "),
        ("user_id", " erased:9182f426e0af4132951bec6b08be44e9"),
        ("ordered_at", "2025-03-01"),
        ("ordered_at", NOW.replace(tzinfo=None)),
        ("ordered_at", datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=5)))),
        ("total_value", "12"),
        ("total_value", -0.01),
        ("total_value", float("nan")),
        ("total_value", float("inf")),
        ("total_value", 1e13),
        ("skus", ("",)),
        ("skus", ("DR\n101",)),
        ("skus", ("x" * 65,)),
        ("skus", ("x",) * 101),
        ("skus", ["DR-101"]),
        ("item_count", -1),
        ("item_count", 1.0),
        ("item_count", 2**31),
        ("status", "delivered"),
    ],
)
def test_order_refuses(field: str, value: Any) -> None:
    with pytest.raises(ValidationError) as caught:
        Order.model_validate(order("o1").model_dump() | {field: value})
    assert [error["loc"][0] for error in caught.value.errors()] == [field]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("user_id", "erased:9182f426e0af4132951bec6b08be44e9"),
        ("email", "nobody"),
        ("name", "a\r\nb"),
        ("name", ""),
        ("preferred_categories", ["dresses"]),
        ("preferred_categories", ("",)),
        ("consent", "true"),
        ("consent", 1),
        ("time_zone", "Mars/Olympus"),
        ("time_zone", "America"),
        ("time_zone", "../../etc/passwd"),
        ("time_zone", ""),
        ("order_count", -1),
        ("average_order_value", float("nan")),
    ],
)
def test_user_refuses(field: str, value: Any) -> None:
    with pytest.raises(ValidationError) as caught:
        User.model_validate(user().model_dump() | {field: value})
    assert caught.value.errors()[0]["loc"][0] == field


@pytest.mark.parametrize(
    "values",
    [
        {"order_count": 3},
        {"order_count": 0, "last_order_at": NOW},
        {"first_order_at": NOW},
        {"first_order_at": NOW, "last_order_at": NOW - timedelta(days=1)},
    ],
)
def test_stated_aggregates_must_agree(values: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as caught:
        user(**values)
    assert caught.value.errors()[0]["type"] == "inconsistent"


def test_consent_must_be_given_and_time_is_utc_by_default() -> None:
    described = User(user_id="u1")
    assert (described.consent, described.time_zone, described.email) == (False, "UTC", None)


def test_moments_become_utc_and_money_whole_cents() -> None:
    eastern = timezone(timedelta(hours=-5))
    made = order("o1", ordered_at=datetime(2025, 1, 1, 22, tzinfo=eastern), total_value=12.3456)
    assert made.ordered_at == datetime(2025, 1, 2, 3, tzinfo=timezone.utc)
    assert made.ordered_at.tzinfo is timezone.utc
    assert made.total_value == 12.35


def test_names_with_joiners_and_no_break_spaces_are_names() -> None:
    assert user(name="Anne\u00a0Marie نام\u200cخانوادگی").name


def test_representation_hides_who_it_is() -> None:
    text = repr(user(email="ada@example.com", name="Ada Test"))
    assert "ada@" not in text
    assert "Ada" not in text


def test_unknown_fields_are_refused() -> None:
    with pytest.raises(ValidationError):
        Order(order_id="o", user_id="u", ordered_at=NOW, total_value=1.0, discount=1)  # type: ignore[call-arg]


def test_only_cancelled_and_returned_orders_do_not_count() -> None:
    assert {status for status in OrderStatus if not status.counts} == {OrderStatus.CANCELLED, OrderStatus.RETURNED}
