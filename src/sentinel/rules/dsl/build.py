"""Build the tree of a rule's short form while it is parsed: the same nodes as those of a Spark SQL rule."""

from __future__ import annotations

import math
import re
from decimal import Decimal
from typing import Any

from lark import Token, Transformer

from sentinel.domain.rule_action import RuleAction
from sentinel.rules import syntax
from sentinel.rules.dsl.actions import read_action
from sentinel.rules.dsl.short_rule import ShortRule, ShortRuleError
from sentinel.rules.limits import MAX_DEPTH, MAX_IN_ITEMS
from sentinel.rules.syntax import Node

_COMPARISONS = {"==": "=", "!=": "<>"}
DURATION_UNITS = {"s": "SECOND", "m": "MINUTE", "h": "HOUR", "d": "DAY", "w": "WEEK"}
MAX_NUMBER_CHARACTERS = 39  # the digits of the longest decimal, and a point
MAX_DURATION_CHARACTERS = 9
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))", re.DOTALL)
_SIMPLE = {"n": "\n", "r": "\r", "t": "\t"}


class Builder(Transformer[Token, ShortRule]):
    """Called by the parser bottom-up, so nothing recurses over the text, however deep it is nested.

    Args:
        is_stored: Whether the text was accepted before; then a backslash may be lost, as it always was.
    """

    def __init__(self, *, is_stored: bool = False) -> None:
        super().__init__()
        self._is_stored = is_stored

    def start(self, children: list[Any]) -> ShortRule:
        """The whole rule."""
        condition, *actions = children
        return ShortRule(condition, tuple(actions))

    def action(self, children: list[Any]) -> RuleAction:
        """`name(argument, ...)`."""
        name, _, *arguments, close = children
        values = [
            _text(token, self._is_stored) if token.type == "TEXT" else _whole(token)
            for token in arguments
            if token is not None
        ]
        return read_action(str(name), values, _start(name), _end(close))

    def any_of(self, operands: list[Node]) -> Node:
        """`a or b or c`."""
        return _logical("OR", operands)

    def all_of(self, operands: list[Node]) -> Node:
        """`a and b and c`."""
        return _logical("AND", operands)

    def negated(self, children: list[Any]) -> Node:
        """`not a`."""
        word, operand = children
        return _bounded(syntax.Not(_start(word), operand.end, operand.depth + 1, operand))

    def compared(self, children: list[Any]) -> Node:
        """`a < b`."""
        left, operator, right = children
        return _binary(_COMPARISONS.get(str(operator), str(operator)), left, right)

    def binary(self, children: list[Any]) -> Node:
        """`a + b`."""
        left, operator, right = children
        return _binary(str(operator), left, right)

    def in_list(self, children: list[Any]) -> Node:
        """`a in [b, c]`."""
        operand, negation, *items, close = children
        if len(items) > MAX_IN_ITEMS:
            message = f"The list has {len(items)} values; at most {MAX_IN_ITEMS} are allowed."
            raise ShortRuleError("too-many-items", operand.start, _end(close), message)
        depth = 1 + max(node.depth for node in (operand, *items))
        return _bounded(
            syntax.InList(operand.start, _end(close), depth, operand, tuple(items), negated=negation is not None)
        )

    def in_enclosed_list(self, children: list[Any]) -> Node:
        """`a in (b, c)`."""
        operand, negation, _, *rest = children
        return self.in_list([operand, negation, *rest])

    def between(self, children: list[Any]) -> Node:
        """`a between b and c`."""
        operand, negation, low, high = children
        depth = 1 + max(operand.depth, low.depth, high.depth)
        return _bounded(
            syntax.Between(operand.start, high.end, depth, operand, low, high, negated=negation is not None)
        )

    def contains(self, children: list[Any]) -> Node:
        """`text contains part` and `array contains value`; which of them is told once the types are known."""
        operand, negation, word, part = children
        depth = 1 + max(operand.depth, part.depth)
        call = syntax.Call(operand.start, part.end, depth, "contains", _end(word), (operand, part))
        if negation is None:
            return _bounded(call)
        return _bounded(syntax.Not(operand.start, part.end, depth + 1, call))

    def matches(self, children: list[Any]) -> Node:
        """`text matches pattern`."""
        operand, negation, pattern = children
        depth = 1 + max(operand.depth, pattern.depth)
        return _bounded(
            syntax.PatternMatch(
                operand.start, pattern.end, depth, "RLIKE", operand, pattern, negated=negation is not None
            )
        )

    def null_test(self, children: list[Any]) -> Node:
        """`a is not null`."""
        operand, negation, word = children
        return _bounded(
            syntax.IsTest(operand.start, _end(word), operand.depth + 1, operand, "NULL", negated=negation is not None)
        )

    def signed(self, children: list[Any]) -> Node:
        """`-a`; of a number the sign is a part."""
        sign, operand = children
        number = isinstance(operand, syntax.Literal) and isinstance(operand.value, int | float | Decimal)
        if number and not isinstance(operand.value, bool):
            value = -operand.value if sign == "-" else operand.value
            return syntax.Literal(_start(sign), operand.end, 1, value)
        return _bounded(syntax.Unary(_start(sign), operand.end, operand.depth + 1, str(sign), operand))

    def member(self, children: list[Any]) -> Node:
        """`a.b`."""
        base, name = children
        return _bounded(syntax.Member(base.start, _end(name), base.depth + 1, base, _name(name), _start(name)))

    def index(self, children: list[Any]) -> Node:
        """`a[0]`."""
        base, at, close = children
        return _bounded(syntax.Index(base.start, _end(close), 1 + max(base.depth, at.depth), base, at))

    def call(self, children: list[Any]) -> Node:
        """`name(a, b)`."""
        name, _, *arguments, close = children
        given = tuple(argument for argument in arguments if argument is not None)
        depth = 1 + max((argument.depth for argument in given), default=0)
        return _bounded(syntax.Call(_start(name), _end(close), depth, str(name), _end(name), given))

    def enclosed(self, children: list[Any]) -> Node:
        """`(a)`."""
        node: Node = children[1]
        return node

    def name(self, children: list[Token]) -> Node:
        """A field."""
        (name,) = children
        return syntax.Name(_start(name), _end(name), 1, _name(name))

    def text(self, children: list[Token]) -> Node:
        """A text in single or double quotes."""
        (token,) = children
        return syntax.Literal(_start(token), _end(token), 1, _text(token, self._is_stored))

    def number(self, children: list[Token]) -> Node:
        """A whole number, a decimal, or a number with an exponent."""
        (token,) = children
        value: int | float | Decimal
        if token.type == "FLOAT":
            value = float(token)
        else:
            value = Decimal(str(token)) if token.type == "DECIMAL" else _whole(token)
        if (token.type == "FLOAT" and not math.isfinite(value)) or len(token) > MAX_NUMBER_CHARACTERS:
            raise _too_large(token)
        return syntax.Literal(_start(token), _end(token), 1, value)

    def truth(self, children: list[Token]) -> Node:
        """True or false."""
        (token,) = children
        return syntax.Literal(_start(token), _end(token), 1, token.type == "TRUE")

    def null(self, children: list[Token]) -> Node:
        """Null."""
        (token,) = children
        return syntax.Literal(_start(token), _end(token), 1, None)

    def duration(self, children: list[Token]) -> Node:
        """`15m`."""
        (token,) = children
        if len(token) > MAX_DURATION_CHARACTERS:
            raise _too_large(token)
        count, unit = int(token[:-1]), DURATION_UNITS[token[-1]]
        return syntax.IntervalLiteral(_start(token), _end(token), 1, count, unit)


def _start(token: Token) -> int:
    return int(token.start_pos or 0)


def _end(token: Token) -> int:
    return int(token.end_pos or 0)


def _whole(token: Token) -> int:
    if len(token) > MAX_NUMBER_CHARACTERS:
        raise _too_large(token)
    return int(token)


def _too_large(token: Token) -> ShortRuleError:
    return ShortRuleError("number", _start(token), _end(token), f"The number {token[:20]!s}... is too large.")


def _name(token: Token) -> str:
    return str(token[1:-1]) if token.type == "QUOTED" else str(token)


def _text(token: Token, is_stored: bool) -> str:
    def decoded(found: re.Match[str]) -> str:
        if found[1] is not None:
            return chr(int(found[1], 16))
        if not is_stored and found[2] not in _SIMPLE and found[2] not in "\\'\"":
            at = _start(token) + 1 + found.start()
            message = f"In a text \\{found[2]} is just {found[2]!r}: the backslash would be lost."
            raise ShortRuleError("escape", at, at + 2, message, f"Write \\\\{found[2]}.")
        return _SIMPLE.get(found[2], found[2])

    value = _ESCAPE.sub(decoded, token[1:-1])
    if "\x00" in value:
        raise ShortRuleError("escape", _start(token), _end(token), "A text cannot hold the NUL character.")
    if any("\ud800" <= character <= "\udfff" for character in value):
        message = "Half of a surrogate pair is no character."
        raise ShortRuleError("escape", _start(token), _end(token), message, "Write the character itself.")
    return value


def _logical(operator: str, operands: list[Node]) -> Node:
    depth = 1 + max(operand.depth for operand in operands)
    return _bounded(syntax.Logical(operands[0].start, operands[-1].end, depth, operator, tuple(operands)))


def _binary(operator: str, left: Node, right: Node) -> Node:
    return _bounded(syntax.Binary(left.start, right.end, 1 + max(left.depth, right.depth), operator, left, right))


def _bounded(node: Node) -> Node:
    if node.depth > MAX_DEPTH:
        message = f"The condition is nested more than {MAX_DEPTH} levels deep."
        raise ShortRuleError("too-deep", node.start, node.end, message, "Split it into several rules.")
    return node
