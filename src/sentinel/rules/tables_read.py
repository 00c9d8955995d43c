"""Which reference tables a condition reads: by its text alone, so for a draft with errors as well."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from sentinel.rules import syntax
from sentinel.rules.references import closure, nodes_of, parsed

_MAY_READ = re.compile(r"\bselect\b", re.IGNORECASE)


def may_read(text: str) -> bool:
    """Tell whether a condition can have a subquery: no for most, and at once."""
    return _MAY_READ.search(text) is not None


def tables_in(condition: str) -> frozenset[str]:
    """Return the tables that the subqueries of a condition name; none for a text that is no condition."""
    return _tables_in(condition) if may_read(condition) else frozenset()


def tables_read(condition: str, conditions: Mapping[str, str]) -> frozenset[str]:
    """Return the tables that a condition reads itself or through the rules it refers to.

    Args:
        conditions: Name of a rule -> condition.
    """
    referred = (conditions[name] for name in closure(condition, conditions) if name in conditions)
    return frozenset().union(*map(tables_in, (condition, *referred)))


@lru_cache(maxsize=10_000)
def _tables_in(condition: str) -> frozenset[str]:
    tree = parsed(condition)
    found = () if tree is None else nodes_of(tree)
    return frozenset(node.table for node in found if isinstance(node, syntax.Query))
