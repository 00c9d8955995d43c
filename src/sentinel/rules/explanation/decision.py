"""Which parts of a rule decided its verdict, and what kept a part from having one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sentinel.rules.explanation.tree import Part


@dataclass(frozen=True, slots=True)
class Decision:
    """What decided.

    Attributes:
        parts: The leaves that decided, in the order of the text: a verdict follows from theirs alone.
        path: Numbers of these and of everything above them.
        missing: Fields whose value is null and for want of which a deciding leaf is unknown.
        not_computable: Parts that have no value although everything they need has one: a division by zero, a text that
            is no number, an element that is not there.
    """

    parts: tuple[Part, ...]
    path: frozenset[int]
    missing: tuple[Part, ...]
    not_computable: tuple[Part, ...]


@dataclass(slots=True)
class _Found:
    parts: list[Part] = field(default_factory=list)
    path: set[int] = field(default_factory=set)
    missing: list[Part] = field(default_factory=list)
    not_computable: list[Part] = field(default_factory=list)


def decide(root: Part, values: Mapping[int, Any]) -> Decision:
    """Find what decided a rule.

    An AND that is false or unknown was decided by its first such operand, one that is true by all of them; an OR that
    is true or unknown by its first such operand, one that is false by all. NOT hands on. CASE was decided by the
    conditions up to the branch that was taken, and by its value. A reference to a rule hands on, too.

    Args:
        values: Number of a part -> its value; of a condition True, False or None. Parts without an entry were not
            computed.
    """
    found = _Found()
    _follow(root, values, found)
    return Decision(tuple(found.parts), frozenset(found.path), tuple(found.missing), tuple(found.not_computable))


def _follow(part: Part, values: Mapping[int, Any], found: _Found) -> None:
    found.path.add(part.number)
    chosen = _deciding_children(part, values)
    if chosen:
        for child in chosen:
            _follow(child, values, found)
        wanted = any(values.get(child.number, False) is None for child in chosen)
        if part.kind == "case" and values.get(part.number, False) is None and not wanted:
            _add(found.not_computable, part)
        return
    found.parts.append(part)
    if values.get(part.number) is None:
        _name_want(part, values, found)


def _deciding_children(part: Part, values: Mapping[int, Any]) -> list[Part]:
    verdict = values.get(part.number)
    operands = part.children
    if part.kind == "case":
        return _taken_branch(part, values)
    if part.kind not in ("and", "or", "not", "rule") or not all(_is_known(child, values) for child in operands):
        return []
    if part.kind in ("not", "rule"):
        return operands
    if verdict is (part.kind == "and"):
        return operands
    return [child for child in operands if values[child.number] is verdict][:1]


def _is_known(part: Part, values: Mapping[int, Any]) -> bool:
    return part.is_condition and part.number in values


def _taken_branch(part: Part, values: Mapping[int, Any]) -> list[Part]:
    """Return the conditions up to the one that was true, and the value behind it. `CASE x WHEN` is a leaf."""
    children = part.children
    pairs, rest = len(children) // 2, len(children) % 2
    conditions = children[0 : pairs * 2 : 2]
    # With an operand in front the children alternate the other way round, and none of the conditions is one.
    if not part.is_condition or not all(_is_known(condition, values) for condition in conditions):
        return []
    asked = []
    for condition, value in zip(conditions, children[1 : pairs * 2 : 2], strict=True):
        asked.append(condition)
        if values[condition.number] is True:
            return [*asked, value] if _is_known(value, values) else asked
    otherwise = children[-1:] if rest and _is_known(children[-1], values) else []
    return [*asked, *otherwise]


def _name_want(part: Part, values: Mapping[int, Any], found: _Found) -> None:
    """Go down to what has no value: a field, or a part whose own parts all have one."""
    if part.kind == "field":
        _add(found.missing, part)
        return
    wanting = [child for child in part.children if child.number in values and values[child.number] is None]
    for child in wanting:
        _name_want(child, values, found)
    if not wanting and part.sql is not None:
        _add(found.not_computable, part)


def _add(parts: list[Part], part: Part) -> None:
    if all(part.node != other.node for other in parts):
        parts.append(part)
