"""What a rule may name beside the fields of an event: other rules of its pipeline, and reference tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sentinel.domain.reference_list import ListDefinition
from sentinel.domain.rule import RuleSet


@dataclass(frozen=True, slots=True)
class KnownNames:
    """The names that mean something in a rule.

    Attributes:
        conditions: Name of a rule -> condition in Spark SQL of its published version.
        unpublished: Names of drafts.
        own_name: Of the rule that is checked, which must not come back to itself; None: it has none yet.
        tables: The reference tables that subqueries may read.
    """

    conditions: Mapping[str, str] = field(default_factory=dict)
    unpublished: frozenset[str] = frozenset()
    own_name: str | None = None
    tables: tuple[ListDefinition, ...] = ()

    @classmethod
    def of(cls, rule_set: RuleSet) -> KnownNames:
        """Return the names that a rule set pins."""
        conditions = {name: version.condition for name, version in rule_set.references.items()}
        return cls(conditions, tables=tuple(pinned.definition for pinned in rule_set.lists))


NO_NAMES = KnownNames()
