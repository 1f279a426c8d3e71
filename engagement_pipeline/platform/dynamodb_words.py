"""DynamoDB's expressions, put together from attribute names and plain values. Pure.

Every name and value gets a placeholder, so that reserved words and any text are safe.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from engagement_pipeline.platform.dynamodb_values import Item, attribute_of


class Words:
    """The placeholders of one request."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._values: dict[str, Any] = {}

    def name(self, attribute: str) -> str:
        return self._names.setdefault(attribute, f"#a{len(self._names)}")

    def names(self, attributes: Iterable[str]) -> str:
        return ", ".join(self.name(attribute) for attribute in attributes)

    def value(self, value: Any) -> str:
        placeholder = f":v{len(self._values)}"
        self._values[placeholder] = attribute_of(value)
        return placeholder

    def parameters(self) -> dict[str, Any]:
        """Return what goes with the expressions into the request."""
        return {
            **({"ExpressionAttributeNames": {key: name for name, key in self._names.items()}} if self._names else {}),
            **({"ExpressionAttributeValues": self._values} if self._values else {}),
        }


Condition = Callable[[Words], str]


def exists(attribute: str) -> Condition:
    return lambda words: f"attribute_exists({words.name(attribute)})"


def absent(attribute: str) -> Condition:
    return lambda words: f"attribute_not_exists({words.name(attribute)})"


def equals(attribute: str, value: Any) -> Condition:
    return lambda words: f"{words.name(attribute)} = {words.value(value)}"


def unequal(attribute: str, value: Any) -> Condition:
    """Hold where the attribute is there and something else."""
    return lambda words: (
        f"attribute_exists({words.name(attribute)}) AND {words.name(attribute)} <> {words.value(value)}"
    )


def less(attribute: str, value: Any) -> Condition:
    return lambda words: f"{words.name(attribute)} < {words.value(value)}"


def at_most(attribute: str, value: Any) -> Condition:
    return lambda words: f"{words.name(attribute)} <= {words.value(value)}"


def greater(attribute: str, value: Any) -> Condition:
    return lambda words: f"{words.name(attribute)} > {words.value(value)}"


def at_least(attribute: str, value: Any) -> Condition:
    return lambda words: f"{words.name(attribute)} >= {words.value(value)}"


def is_one_of(attribute: str, values: Collection[Any]) -> Condition:
    """Compare with at most 100 values, and at least one."""
    return lambda words: f"{words.name(attribute)} IN ({', '.join(words.value(each) for each in values)})"


def all_of(*conditions: Condition) -> Condition:
    return _joined(" AND ", conditions)


def any_of(*conditions: Condition) -> Condition:
    return _joined(" OR ", conditions)


def unchanged(seen: Mapping[str, Any], attributes: Collection[str]) -> Condition:
    """Hold as long as these attributes are as they were when the item was read, or still missing."""
    return all_of(*(equals(name, seen[name]) if name in seen else absent(name) for name in attributes))


def update_expression(
    words: Words, sets: Item, removes: Collection[str], adds: Mapping[str, int | frozenset[str]]
) -> str:
    """Return an expression that sets and removes attributes, counts them up or adds to their sets."""
    clauses = []
    if sets:
        pairs = ", ".join(f"{words.name(name)} = {words.value(value)}" for name, value in sets.items())
        clauses.append(f"SET {pairs}")
    if removes:
        clauses.append(f"REMOVE {words.names(removes)}")
    if adds:
        clauses.append(f"ADD {', '.join(f'{words.name(name)} {words.value(by)}' for name, by in adds.items())}")
    return " ".join(clauses)


def projection(attributes: Collection[str]) -> dict[str, Any]:
    """Return the parameters of a request that reads only these attributes; all where none is named."""
    if not attributes:
        return {}
    words = Words()
    return {"ProjectionExpression": words.names(attributes), **words.parameters()}


def _joined(word: str, conditions: Sequence[Condition]) -> Condition:
    # DynamoDB refuses parentheses that nothing asks for.
    if len(conditions) == 1:
        return conditions[0]
    return lambda words: word.join(f"({condition(words)})" for condition in conditions)
