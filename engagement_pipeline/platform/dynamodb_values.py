"""Plain values as DynamoDB's attribute values, and back. Pure; needs no AWS library, so that anything may import it."""

import math
from collections.abc import Mapping
from typing import Any, Final

# The largest that DynamoDB's numbers hold; smaller than a float's.
_LARGEST: Final = 9.99e125

Item = dict[str, Any]
Attributes = dict[str, dict[str, Any]]


def attributes_of(item: Mapping[str, Any]) -> Attributes:
    """Return an item in DynamoDB's own form.

    Raises:
        TypeError: a value is of a type that DynamoDB cannot hold, such as a moment.
        ValueError: a number is not finite, or too large.
    """
    return {name: attribute_of(value) for name, value in item.items()}


def item_of(attributes: Mapping[str, Mapping[str, Any]]) -> Item:
    """Return an item as plain values: numbers are int where they are whole, else float; sets are sets."""
    return {name: value_of(attribute) for name, attribute in attributes.items()}


def attribute_of(value: Any) -> dict[str, Any]:
    """Return one value in DynamoDB's own form; tuples become lists. See `attributes_of` for errors."""
    match value:
        case None:
            return {"NULL": True}
        case bool():
            return {"BOOL": value}
        case str():
            return {"S": value}
        case int() | float():
            return {"N": _number(value)}
        case list() | tuple():
            return {"L": [attribute_of(each) for each in value]}
        case Mapping():
            return {"M": attributes_of(value)}
        case set() | frozenset() if value and all(isinstance(each, str) for each in value):
            return {"SS": sorted(value)}
        case bytes():
            return {"B": value}
    raise TypeError(f"DynamoDB holds no {type(value).__name__}")


def value_of(attribute: Mapping[str, Any]) -> Any:
    """Return one attribute as a plain value."""
    ((kind, value),) = attribute.items()
    match kind:
        case "S" | "BOOL" | "B":
            return value
        case "N":
            return _plain(value)
        case "NULL":
            return None
        case "L":
            return [value_of(each) for each in value]
        case "M":
            return item_of(value)
        case "SS" | "BS":
            return set(value)
        case "NS":
            return {_plain(each) for each in value}
    raise TypeError(f"an attribute of type {kind} is not known")


def _number(value: float) -> str:
    if not math.isfinite(value) or abs(value) > _LARGEST:
        raise ValueError("DynamoDB holds no number that is not finite or beyond 1e126")
    return repr(value)


def _plain(text: str) -> int | float:
    try:
        return int(text)
    except ValueError:
        number = float(text)
        return int(number) if number.is_integer() and abs(number) < 2**53 else number
