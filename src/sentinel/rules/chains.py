"""Chains of one operator in compiled SQL, with as few parentheses as the nesting of the tree allows."""

from __future__ import annotations

from collections.abc import Sequence

GROUP = 32
_EFFORTS = (("RLIKE", "regexp_"), ("LIKE", "when(", "try_"), ("'",), (" IN (",))


def chain(terms: Sequence[str], operator: str) -> str:
    """Join terms with an operator that may be applied in any order.

    Spark's parser reads what is in parentheses once more for each level of them, and keeps what it has learnt from each
    symbol: as a balanced tree of pairs a chain took ten times the memory. A chain without any would be a tree as deep
    as it is long, so there are groups of 32. (AND and OR it balances by itself.)

    Args:
        terms: Each binds stronger than the operator.
    """
    if operator in {"AND", "OR"} or len(terms) <= GROUP:
        return f" {operator} ".join(terms)
    groups = [terms[start : start + GROUP] for start in range(0, len(terms), GROUP)]
    return chain([f"({chain(group, operator)})" for group in groups], operator)


def effort(sql: str) -> int:
    """Return a rank of what a compiled condition takes: numbers, then lists, texts, patterns and functions, regexes.

    A guess from its text; a wrong one costs time and changes nothing.
    """
    return next(
        (len(_EFFORTS) - place for place, signs in enumerate(_EFFORTS) if any(sign in sql for sign in signs)), 0
    )
