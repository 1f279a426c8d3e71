"""Plain values as DynamoDB's attribute values, and back. Pure; needs no AWS library, so that anything may import it."""

import math
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

# The largest and the smallest that DynamoDB's numbers hold: less than a float's, and more.
_LARGEST: Final = 9.99e125
_SMALLEST: Final = 1e-130
_EXACT_INTEGERS: Final = 2**53

Item = dict[str, Any]
Attributes = dict[str, dict[str, Any]]


def attributes_of(item: Mapping[str, Any]) -> Attributes:
    """Return an item in DynamoDB's own form; a number that is too small for it is nothing.

    Raises:
        TypeError: a value is of a type that DynamoDB cannot hold, such as a moment.
        ValueError: a number is not finite, or too large.
    """
    return {name: attribute_of(value) for name, value in item.items()}


def item_of(attributes: Mapping[str, Mapping[str, Any]]) -> Item:
    """Return an item as plain values; see `value_of`."""
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
        case int() | float() | Decimal():
            return {"N": _number(value)}
        case list() | tuple():
            return {"L": [attribute_of(each) for each in value]}
        case Mapping():
            return {"M": attributes_of(value)}
        case bytes():
            return {"B": value}
        case set() | frozenset() if value:
            members = [attribute_of(each) for each in value]
            kind = next(iter(members[0]))
            return {f"{kind}S": sorted(member[kind] for member in members)}
    raise TypeError(f"DynamoDB holds no {type(value).__name__}")


def value_of(attribute: Mapping[str, Any]) -> Any:
    """Return one attribute as a plain value.

    Numbers are int where they are whole, float where that is exact, else Decimal, so that they equal what the table
    holds.
    """
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


def _number(value: float | Decimal) -> str:
    if not math.isfinite(value) or abs(float(value)) > _LARGEST:
        raise ValueError("DynamoDB holds no number that is not finite or beyond 1e126")
    if abs(float(value)) < _SMALLEST:
        return "0"
    return str(value) if isinstance(value, Decimal) else repr(value)


def _plain(text: str) -> float | Decimal:
    try:
        return int(text)
    except ValueError:
        exact = Decimal(text)
    if exact == exact.to_integral_value() and abs(exact) < _EXACT_INTEGERS:
        return int(exact)
    number = float(exact)
    return number if Decimal(repr(number)) == exact else exact
