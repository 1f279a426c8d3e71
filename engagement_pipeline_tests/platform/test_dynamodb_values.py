"""Values that DynamoDB holds, and those that it refuses."""

import pytest

from engagement_pipeline.platform.dynamodb_values import attribute_of, value_of


@pytest.mark.parametrize("value", [0, -3, 2**60, 0.1, 1e-130, -2.5e125, 1 / 3])
def test_a_number_comes_back_as_it_was(value: float) -> None:
    assert value_of(attribute_of(value)) == value


@pytest.mark.parametrize("value", [5e-324, -1e-200, 9.9e-131])
def test_what_is_too_small_for_the_table_is_nothing(value: float) -> None:
    assert attribute_of(value) == {"N": "0"}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e126])
def test_what_no_table_holds_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="DynamoDB holds no number"):
        attribute_of(value)
