"""Put other values in the place of a number in a condition, to see which one would serve best."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from decimal import Decimal

from sentinel.errors import ErrorDetail, InvalidError
from sentinel.rules.parser import parse
from sentinel.rules.syntax import Literal, Node

MAX_VALUES = 100


def replace_number(condition: str, constant: str, values: Sequence[Decimal], *, position: int | None) -> list[str]:
    """Return the condition with each of the values in the place of a number.

    Args:
        condition: In Spark SQL; one that the gate accepts.
        constant: The number as it is written there, such as `500`.
        position: Character offset of the one that is meant; needed where it is written more than once.

    Raises:
        InvalidError: There is no such number, or it is written more than once; the message says where.
    """
    tree, _ = parse(condition)
    numbers = sorted({(node.start, node.end) for node in _numbers(tree)}) if tree is not None else []
    wanted = constant.strip().lower()
    found = [(start, end) for start, end in numbers if condition[start:end].lower() == wanted]
    if position is not None:
        found = [(start, end) for start, end in found if start == position]
    if not found:
        known = ", ".join(f"{condition[start:end]} at character {start}" for start, end in numbers) or "none"
        where = "" if position is None else f" at character {position}"
        _refuse(f"the condition has no number {constant.strip()[:100]!r}{where}; its numbers are: {known}")
    if len(found) > 1:
        places = " and ".join(str(start) for start, _ in found)
        _refuse(
            f"the number {constant.strip()[:100]!r} is written more than once, at characters {places}; "
            "say which one is meant by `position`"
        )
    start, end = found[0]
    return [f"{condition[:start]}{_written(value)}{condition[end:]}" for value in values]


def _refuse(message: str) -> None:
    raise InvalidError(message, details=[ErrorDetail("/sweep/constant", message)])


def _written(value: Decimal) -> str:
    text = f"{value:f}"
    return f"({text})" if value < 0 else text


def _numbers(node: object) -> Iterator[Literal]:
    """Yield the numbers of a tree, whose depth the parser has bounded."""
    if isinstance(node, Literal):
        if isinstance(node.value, int | float | Decimal) and not isinstance(node.value, bool):
            yield node
    elif isinstance(node, Node):
        for field in dataclasses.fields(node):
            yield from _numbers(getattr(node, field.name))
    elif isinstance(node, tuple):
        for item in node:
            yield from _numbers(item)
