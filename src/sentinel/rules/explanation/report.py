"""An explanation as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sentinel.rules import syntax
from sentinel.rules.explanation.decision import Decision, decide
from sentinel.rules.explanation.tree import Part

MAX_SHOWN_TEXT = 400


def explain_parts(root: Part, values: Mapping[int, Any], shown: Mapping[int, Any]) -> dict[str, Any]:
    """Return verdict, deciding leaves, what was missing, and the whole tree.

    Args:
        values: As in `decide`.
        shown: Number of a part -> its value as JSON.
    """
    decision = decide(root, values)

    def place(part: Part) -> dict[str, Any]:
        return {"text": _text(part), "start": part.start, "end": part.end, "rule": part.rule}

    return {
        "verdict": outcome_of(values[root.number]),
        "decided_by": [
            {**place(part), "verdict": verdict_of(values.get(part.number)), "values": _values(part, shown)}
            for part in decision.parts
        ],
        "missing": list(dict.fromkeys(_text(part) for part in decision.missing)),
        "not_computable": [{**place(part), "why": _why(part)} for part in decision.not_computable],
        "tree": _node(root, values, shown, decision),
    }


def outcome_of(verdict: bool | None) -> str:
    """Return what a verdict is called as the outcome of a rule."""
    return "unknown" if verdict is None else "match" if verdict else "no_match"


def verdict_of(verdict: bool | None) -> str:
    """Return what a verdict is called within a rule."""
    return "unknown" if verdict is None else "true" if verdict else "false"


def _node(part: Part, values: Mapping[int, Any], shown: Mapping[int, Any], decision: Decision) -> dict[str, Any]:
    computed = part.number in values
    return {
        "kind": part.kind,
        "text": _text(part),
        "start": part.start,
        "end": part.end,
        "rule": part.rule,
        "type": str(part.type) if part.type is not None else None,
        "value": _literal(part.node) if part.kind == "literal" else shown.get(part.number),
        "verdict": verdict_of(values[part.number]) if computed and part.is_condition else None,
        "is_computed": computed or part.kind == "literal",
        "decided": part.number in decision.path,
        "left_out": part.left_out,
        "children": [_node(child, values, shown, decision) for child in part.children],
    }


def _values(part: Part, shown: Mapping[int, Any]) -> dict[str, Any]:
    """Return the values of the fields and the look-ups that a leaf looks at."""
    return {
        _text(each): shown.get(each.number)
        for each in part.walk()
        if each.kind in ("field", "lookup") and each.number in shown
    }


def _why(part: Part) -> str | None:
    """Return what a part that has no value lacks, where its kind tells."""
    match part.node:
        case syntax.Case(otherwise=None):
            return "no branch of CASE applied and there is no ELSE"
        case syntax.ScalarQuery(query=query):
            return f"no row in {query.table}, or no value in it"
        case _:
            return None


def _text(part: Part) -> str:
    written = part.text[part.start : part.end]
    return written if len(written) <= MAX_SHOWN_TEXT else f"{written[:MAX_SHOWN_TEXT]}..."


def _literal(node: syntax.Node) -> Any:
    match node:
        case syntax.Literal(value=value):
            return value if value is None or isinstance(value, str | bool | int) else str(value)
        case syntax.TypedLiteral(text=text):
            return text
        case syntax.IntervalLiteral(count=count, unit=unit):
            return f"{count} {unit}"
        case _:
            return None
