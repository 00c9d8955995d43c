"""The gate in the job: what Catalyst's own parser makes of compiled rules, held against an allowlist.

A rule set arrives as rows of a database. Before any of it becomes part of a query, Spark's parser reads the compiled
text (parsing resolves nothing and runs nothing) and every node of the tree must be one that the compiler emits. So a
rule that our parser and Spark's read differently, or a row that did not pass the API, is refused here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from sentinel.rules.functions import FUNCTIONS

# fmt: off
_EMITTED = frozenset((
    "date_add", "date_sub", "datediff", "from_utc_timestamp", "get", "length", "levenshtein", "luhn_check",
    "make_ym_interval", "nanvl", "nullif", "pi", "timestamp_millis", "timestamp_seconds", "trim", "try_add",
    "try_divide", "try_element_at", "try_mod",
    "try_multiply", "try_subtract", "try_to_timestamp", "when",
))
# fmt: on
ALLOWED_FUNCTIONS = frozenset(name for name, function in FUNCTIONS.items() if not function.own) | _EMITTED
"""Names of functions a compiled rule may call; those of the language that become others are harmless."""

_CATALYST = "org.apache.spark.sql.catalyst."
# fmt: off
_EXPRESSIONS = (
    "And", "Or", "Not", "EqualTo", "EqualNullSafe", "GreaterThan", "GreaterThanOrEqual", "LessThan", "LessThanOrEqual",
    "In", "IsNull", "IsNotNull", "Like", "ILike", "RLike", "BitwiseAnd", "BitwiseOr", "BitwiseXor", "BitwiseNot",
    "UnaryMinus", "IntegralDivide", "Subtract", "TimestampDiff",
)
# fmt: on
ALLOWED_NODES = frozenset(f"{_CATALYST}expressions.{name}" for name in _EXPRESSIONS)
_LITERAL_TYPES = re.compile(
    r"void|string|boolean|integer|long|bigint|double|date|timestamp|decimal\(\d+,-?\d+\)"
    r"|interval (?:second|minute|hour|day|month|year)"
)
_CAST_TYPES = re.compile(
    r"string|boolean|integer|int|long|bigint|double|date|timestamp|decimal\(\d+,\d+\)|interval day to second"
    r"|interval year to month"
)
_LITERAL_OR_NAME = re.compile(r"'(?:[^'\\]|\\.)*'|`[^`]*`", re.DOTALL)
# What the compiler never emits, and what makes a text end elsewhere than it seems to: comments, other quotes, literals
# with a prefix (in r'\' the quote ends the text).
_HIDING = re.compile(r"--|/\*|[\"`]|\w'")
_CASE = re.compile(r"\bCASE\b", re.IGNORECASE)
# Prefixes and indexes in a row, which nest without parentheses; the compiler puts each prefix into parentheses.
_CHAINED = re.compile(r"(?:(?:\bNOT\b|[-+~!])\s*){200}|(?:\[\w*\]){200}", re.IGNORECASE)
MOST_NESTED = 1_000
"""Levels of parentheses that Spark's parser is asked to read. The compiler emits a few for each of a rule's 50 levels;
on ten thousand the parser takes minutes."""
BATCH = 250
MOST_REMEMBERED = 50_000
_passed: set[str] = set()


def refused_conditions(spark: SparkSession, conditions: Sequence[str]) -> dict[int, list[str]]:
    """Return, by index, why conditions are refused; what is not in the answer passed.

    What has passed once is not looked at again: the answer depends on the text alone.

    Args:
        spark: Its parser is used; nothing is analyzed or executed.
        conditions: Compiled conditions. 1000 of them take about half a second.
    """
    refused: dict[int, list[str]] = {}
    unknown = [(index, condition) for index, condition in enumerate(conditions) if condition not in _passed]
    for start in range(0, len(unknown), BATCH):
        chunk = unknown[start : start + BATCH]
        trees = _parse_together(spark, [condition for _, condition in chunk])
        for at, (index, condition) in enumerate(chunk):
            reasons = refusals(spark, condition) if trees is None else _reasons(trees[at])
            if reasons:
                refused[index] = reasons
    if len(_passed) > MOST_REMEMBERED:
        _passed.clear()
    _passed.update(condition for index, condition in unknown if index not in refused)
    return refused


def refusals(spark: SparkSession, compiled_sql: str) -> list[str]:
    """Return why a compiled condition is refused; empty: every node of Catalyst's tree is one the compiler emits."""
    bare = _bare(compiled_sql)
    if _CASE.search(bare):
        return ["CASE is not what the compiler emits (its form is when(...))"]
    if hiding := _HIDING.search(bare):
        return [f"a comment or quote that the compiler does not emit: {hiding.group()}"]
    if _nesting(bare) > MOST_NESTED or _CHAINED.search(bare):
        return ["cannot parse it: nested too deeply"]
    try:
        tree = _parsed(spark, compiled_sql)
    except (PySparkException, Py4JError) as failed:
        return [f"Spark cannot parse it: {_first_line(failed)}"]
    return _reasons(tree)


def _bare(condition: str) -> str:
    """Return a condition with its text literals emptied and its quoted names left out."""
    return _LITERAL_OR_NAME.sub(lambda found: "''" if found.group().startswith("'") else "", condition)


def _first_line(failed: Exception) -> str:
    return " ".join(str(failed).split())[:300]


def _parsed(spark: SparkSession, sql: str) -> list[dict[str, Any]]:
    parser = spark._jsparkSession.sessionState().sqlParser()
    nodes: list[dict[str, Any]] = json.loads(parser.parseExpression(sql).toJSON())
    return nodes


def _parse_together(spark: SparkSession, conditions: Sequence[str]) -> list[list[dict[str, Any]]] | None:
    """Parse many conditions in one call, since each call costs a millisecond; None: do it one by one.

    Joined by a separator that no single condition can imitate: the tree must have exactly one child per condition.
    """
    bare = [_bare(condition) for condition in conditions]
    if any(_CASE.search(text) or not _stands_alone(text) for text in bare):
        return None
    try:
        root, *nodes = _parsed(spark, f"array({', '.join(conditions)})")
    except (PySparkException, Py4JError):
        return None
    if root.get("num-children") != len(conditions) or not str(root.get("class", "")).endswith(".UnresolvedFunction"):
        return None
    trees: list[list[dict[str, Any]]] = []
    at = 0
    for _ in conditions:
        end = _end_of_subtree(nodes, at)
        trees.append(nodes[at:end])
        at = end
    return trees if at == len(nodes) else None


def _stands_alone(bare: str) -> bool:
    """Tell whether a text without its literals and names closes what it opens and is one argument, not several."""
    if _HIDING.search(bare) or _CHAINED.search(bare) or _nesting(bare) > MOST_NESTED:
        return False
    depth = 0
    for character in bare:
        if character == "(":
            depth += 1
        elif character == ")":
            depth -= 1
        if depth < 0 or (character == "," and depth == 0):
            return False
    return depth == 0


def _nesting(bare: str) -> int:
    """Return how many parentheses are open at once, at most."""
    steps = (1 if character == "(" else -1 for character in bare if character in "()")
    return max(accumulate(steps), default=0)


def _end_of_subtree(nodes: list[dict[str, Any]], at: int) -> int:
    """Return the index behind the subtree at `at`; the nodes are in pre-order."""
    open_nodes = 1
    while open_nodes:
        open_nodes += int(nodes[at]["num-children"]) - 1
        at += 1
    return at


def _reasons(nodes: list[dict[str, Any]]) -> list[str]:
    reasons = {_member_reason(nodes, at) if _is_member(node) else _reason(node) for at, node in enumerate(nodes)}
    return sorted(reason for reason in reasons if reason is not None)


def _is_member(node: dict[str, Any]) -> bool:
    return str(node["class"]) == f"{_CATALYST}analysis.UnresolvedExtractValue"


def _member_reason(nodes: list[dict[str, Any]], at: int) -> str | None:
    """Allow `struct.member`, whose second child is its name; `array[index]` throws where there is no such element."""
    name = nodes[_end_of_subtree(nodes, at + 1)]
    named = str(name["class"]) == f"{_CATALYST}expressions.Literal" and name.get("dataType") == "string"
    return None if named else "array[index] is not what the compiler emits (its form is get(...))"


def _reason(node: dict[str, Any]) -> str | None:
    name = str(node["class"])
    if name in ALLOWED_NODES:
        return None
    if name == f"{_CATALYST}analysis.UnresolvedFunction":
        return _function_reason(node)
    if name == f"{_CATALYST}analysis.UnresolvedAttribute":
        parts = str(node.get("nameParts"))
        return None if parts.startswith("[event, ") else f"column {parts[:100]} does not belong to the event"
    if name == f"{_CATALYST}expressions.Literal":
        kind = _type_name(node.get("dataType"))
        return None if _LITERAL_TYPES.fullmatch(kind) else f"literal of type {kind[:100]}"
    if name == f"{_CATALYST}expressions.Cast":
        kind = _type_name(node.get("dataType"))
        return None if _CAST_TYPES.fullmatch(kind) else f"cast to {kind[:100]}"
    return f"{name.removeprefix(_CATALYST)} is not allowed in a rule"


def _type_name(kind: object) -> str:
    """Return the name of a type in Catalyst's JSON, where composite types are objects."""
    return str(kind.get("type")) if isinstance(kind, dict) else str(kind)


def _function_reason(node: dict[str, Any]) -> str | None:
    name = str(node.get("nameParts")).removeprefix("[").removesuffix("]")
    if name.lower() not in ALLOWED_FUNCTIONS:
        return f"function {name[:100]} is not allowed in a rule"
    if node.get("isDistinct") or node.get("orderingWithinGroup") or node.get("filter") is not None:
        return f"function {name} is used as an aggregate"
    return None
