"""The parser: Spark's precedence, and the place of every node."""

from __future__ import annotations

import pytest

from sentinel.rules import syntax
from sentinel.rules.lexer import tokenize
from sentinel.rules.parser import parse


def _shape(node: syntax.Node) -> object:  # noqa: PLR0911 - one per kind of node
    match node:
        case syntax.Name():
            return node.name
        case syntax.Literal():
            return node.value
        case syntax.Binary():
            return (_shape(node.left), node.operator, _shape(node.right))
        case syntax.Logical():
            return (node.operator, *map(_shape, node.operands))
        case syntax.Not() | syntax.Unary():
            return ("not" if isinstance(node, syntax.Not) else node.operator, _shape(node.operand))
        case syntax.Between():
            return ("between", node.negated, _shape(node.operand), _shape(node.low), _shape(node.high))
        case syntax.IsTest():
            return ("is", node.test, node.negated, _shape(node.operand))
        case syntax.Cast():
            return ("cast", _shape(node.operand), node.type_text)
        case syntax.Index():
            return (_shape(node.base), "[]", _shape(node.index))
        case _:
            return type(node).__name__


class TestPrecedence:
    @pytest.mark.parametrize(
        ("text", "shape"),
        [
            ("a OR b AND c", ("OR", "a", ("AND", "b", "c"))),
            ("NOT a AND b", ("AND", ("not", "a"), "b")),
            ("NOT a = b", ("not", ("a", "=", "b"))),
            ("!a = b", ("not", ("a", "=", "b"))),
            ("NOT a BETWEEN 1 AND 2", ("not", ("between", False, "a", 1, 2))),
            ("a BETWEEN 1 AND 2 AND b", ("AND", ("between", False, "a", 1, 2), "b")),
            ("a + b * c - d", (("a", "+", ("b", "*", "c")), "-", "d")),
            ("a || b + c", (("a", "||", "b"), "+", "c")),
            ("a & b | c ^ d", (("a", "&", "b"), "|", ("c", "^", "d"))),
            ("a & b = c", (("a", "&", "b"), "=", "c")),
            ("a = b = c", (("a", "=", "b"), "=", "c")),
            ("a = b IS NULL", ("is", "NULL", False, ("a", "=", "b"))),
            ("- a * b", (("-", "a"), "*", "b")),
            ("a - -1", ("a", "-", -1)),
            ("a::int[0]", (("cast", "a", "int"), "[]", 0)),
            ("a IS NOT DISTINCT FROM b", ("a", "<=>", "b")),
            ("a != b", ("a", "<>", "b")),
        ],
    )
    def test_it_is_that_of_spark(self, text: str, shape: object) -> None:
        tree, issues = parse(text)
        assert issues == []
        assert tree is not None
        assert _shape(tree) == shape


class TestPlaces:
    def test_nodes_know_where_they_stand(self) -> None:
        tree, _ = parse("  amount >  (1 + 2)")
        assert isinstance(tree, syntax.Binary)
        assert (tree.left.start, tree.left.end) == (2, 8)
        assert (tree.right.start, tree.right.end) == (13, 18)

    def test_a_subquery_does_not_end_the_parse(self) -> None:
        _, issues = parse("a > (SELECT max(b) FROM t WHERE (c)) AND b IN (SELECT 1)")
        assert [issue.code for issue in issues] == ["subquery-form"]


class TestLiterals:
    @pytest.mark.parametrize(
        ("text", "value"),
        [
            ("'a'", "a"),
            ("'It''s'", "It's"),
            (r"'It\'s'", "It's"),
            ('"a\'b"', "a'b"),
            ('"a""b"', 'a"b'),
            (r"'\n\t\\'", "\n\t\\"),
            (r"'\u0041\U0001F600'", "A😀"),
            (r"'\101'", "A"),
            (r"'100\%'", "100\\%"),
            (r"r'\d+'", r"\d+"),
            ("''", ""),
            ("5", 5),
            ("5L", 5),
            ("1e3", 1000.0),
            ("5D", 5.0),
        ],
    )
    def test_they_are_read_as_spark_reads_them(self, text: str, value: object) -> None:
        tokens, issues = tokenize(text)
        assert issues == []
        assert tokens[0].value == value
        assert type(tokens[0].value) is type(value)
