"""Write a parsed condition as text: as Spark SQL, or in the short form."""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal

from sentinel.domain.rule_action import RuleAction
from sentinel.rules import syntax
from sentinel.rules.dsl.build import DURATION_UNITS
from sentinel.rules.dsl.short_rule import ShortRule
from sentinel.rules.literals import text_literal
from sentinel.rules.parser import KEYWORDS
from sentinel.rules.syntax import Node

_OR, _AND, _NOT, _PREDICATE, _SUM, _PRODUCT, _UNARY, _ATOM = range(8)
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SHORT_KEYWORDS = frozenset(
    ("WHEN", "THEN", "OR", "AND", "NOT", "IN", "BETWEEN", "CONTAINS", "MATCHES", "IS", "NULL", "TRUE", "FALSE")
)
_COMPARISONS = frozenset(("=", "<>", "<", "<=", ">", ">="))
_SHORT_COMPARISONS = {"=": "==", "<>": "!="}
_UNIT_LETTERS = {unit: letter for letter, unit in DURATION_UNITS.items()}
_SHORT_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def as_sql(condition: Node) -> str:
    """Return a condition as Spark SQL; parsing it gives the same tree, places apart."""
    return _Writer(short=False).write(condition, _OR)


def as_short(rule: ShortRule) -> str:
    """Return a rule in the short form; parsing it gives the same rule, places apart."""
    condition = _Writer(short=True).write(rule.condition, _OR)
    return f"when {condition} then {', '.join(_action(action) for action in rule.actions)}"


def _action(action: RuleAction) -> str:
    value = str(action.value) if isinstance(action.value, int) else _short_text(action.value)
    return f"{action.kind}({value})"


def _short_text(text: str) -> str:
    return '"' + "".join(_SHORT_ESCAPES.get(character, character) for character in text) + '"'


class _Writer:
    """Writes each operand with parentheses where it binds weaker than its place demands."""

    def __init__(self, *, short: bool) -> None:
        self._short = short

    def write(self, node: Node, least: int) -> str:
        text, strength = self._written(node)
        return text if strength >= least else f"({text})"

    def _word(self, word: str) -> str:
        return word.lower() if self._short else word

    def _written(self, node: Node) -> tuple[str, int]:  # noqa: PLR0911 - one per kind of node
        match node:
            case syntax.Literal(value=value):
                return self._literal(value)
            case syntax.IntervalLiteral(count=count, unit=unit):
                return (f"{count}{_UNIT_LETTERS[unit]}" if self._short else f"INTERVAL '{count}' {unit}"), _ATOM
            case syntax.Name(name=name):
                return self._name(name), _ATOM
            case syntax.Member(base=base, name=name):
                return f"{self.write(base, _ATOM)}.{self._name(name)}", _ATOM
            case syntax.Index(base=base, index=index):
                return f"{self.write(base, _ATOM)}[{self.write(index, _SUM)}]", _ATOM
            case syntax.Unary(operator=operator, operand=operand):
                return f"{operator} {self.write(operand, _ATOM)}", _UNARY
            case syntax.Logical(operator=operator, operands=operands):
                level = _OR if operator == "OR" else _AND
                return f" {self._word(operator)} ".join(self.write(each, level + 1) for each in operands), level
            case syntax.Not(operand=operand):
                return f"{self._word('NOT')} {self.write(operand, _NOT)}", _NOT
            case syntax.Binary():
                return self._binary(node)
            case syntax.Call():
                return self._call(node)
            case _:
                return self._predicate(node), _PREDICATE

    def _binary(self, node: syntax.Binary) -> tuple[str, int]:
        operator = node.operator
        if operator in _COMPARISONS:
            shown = _SHORT_COMPARISONS.get(operator, operator) if self._short else operator
            return f"{self.write(node.left, _SUM)} {shown} {self.write(node.right, _SUM)}", _PREDICATE
        level = _SUM if operator in ("+", "-") else _PRODUCT
        return f"{self.write(node.left, level)} {operator} {self.write(node.right, level + 1)}", level

    def _call(self, node: syntax.Call) -> tuple[str, int]:
        if self._short and node.name == "contains" and len(node.arguments) == 2:
            text, part = (self.write(argument, _SUM) for argument in node.arguments)
            return f"{text} contains {part}", _PREDICATE
        return f"{node.name}({self._listed(node.arguments)})", _ATOM

    def _predicate(self, node: Node) -> str:
        match node:
            case syntax.InList(operand=operand, items=items, negated=negated):
                opening, closing = "[]" if self._short else "()"
                return f"{self._negatable(operand, negated, 'IN')} {opening}{self._listed(items)}{closing}"
            case syntax.Between(operand=operand, low=low, high=high, negated=negated):
                bounds = f" {self._word('AND')} ".join(self.write(bound, _SUM) for bound in (low, high))
                return f"{self._negatable(operand, negated, 'BETWEEN')} {bounds}"
            case syntax.PatternMatch(operator="RLIKE", operand=operand, pattern=pattern, negated=negated):
                word = "MATCHES" if self._short else "RLIKE"
                return f"{self._negatable(operand, negated, word)} {self.write(pattern, _SUM)}"
            case syntax.IsTest(operand=operand, test="NULL", negated=negated):
                test = "IS NOT NULL" if negated else "IS NULL"
                return f"{self.write(operand, _SUM)} {self._word(test)}"
            case _:
                raise ValueError(f"the short form has no {type(node).__name__}")

    def _negatable(self, operand: Node, negated: bool, word: str) -> str:
        return f"{self.write(operand, _SUM)} {self._word(f'NOT {word}' if negated else word)}"

    def _listed(self, nodes: Iterable[Node]) -> str:
        return ", ".join(self.write(node, _SUM) for node in nodes)

    def _name(self, name: str) -> str:
        keywords = _SHORT_KEYWORDS if self._short else KEYWORDS
        return name if _PLAIN.fullmatch(name) and name.upper() not in keywords else f"`{name}`"

    def _literal(self, value: str | int | float | Decimal | bool | None) -> tuple[str, int]:
        if value is None or isinstance(value, bool):
            return self._word("NULL" if value is None else str(value).upper()), _ATOM
        if isinstance(value, str):
            return (_short_text(value) if self._short else text_literal(value)), _ATOM
        text = f"{value:f}" if isinstance(value, Decimal) else repr(value)
        if isinstance(value, float) and "e" not in text:
            text = f"{text}e0"
        return text, _UNARY if text.startswith("-") else _ATOM
