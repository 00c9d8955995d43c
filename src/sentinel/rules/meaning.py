"""What a condition means beside its own text: the rules that it refers to and the versions of lists that it reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from sentinel.rules.references import closure
from sentinel.rules.tables_read import tables_read

Around = tuple[tuple[str, str], ...]
"""Names and what they stand for: conditions of rules, then versions of lists; each in the order of the names."""


def around(
    condition: str, conditions: Mapping[str, str], versions_of: Callable[[Sequence[str]], Mapping[str, int]]
) -> Around:
    """Return what the outcome of a condition follows from, beside its text and the event; nothing for most rules.

    Args:
        conditions: Name of a rule -> condition.
        versions_of: Returns the versions of lists; only asked where some are read.
    """
    rules = [(name, conditions.get(name, "")) for name in sorted(closure(condition, conditions))]
    tables = sorted(tables_read(condition, conditions))
    versions = versions_of(tables) if tables else {}
    return (*rules, *((name, str(versions.get(name, 0))) for name in tables))
