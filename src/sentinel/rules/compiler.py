"""Compile a rule to a total Spark SQL expression: one that cannot throw, whatever an event contains."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sentinel.domain.event_schema import EventSchema
from sentinel.errors import InvalidRuleError
from sentinel.rules.checker import check
from sentinel.rules.references import KnownRules
from sentinel.rules.requirements import Requirement


@dataclass(frozen=True, slots=True)
class CompiledCondition:
    """A condition as Spark runs it.

    Attributes:
        sql: Its text over a struct column named `event`.
        requirements: What holds wherever it is true.
    """

    sql: str
    requirements: tuple[Requirement, ...]


def compile_condition(
    expression: str, schema: EventSchema, references: Mapping[str, str] | None = None
) -> CompiledCondition:
    """Compile a condition to Spark SQL.

    Equal to the condition itself on every event for which that can be computed; null (unknown, not a match) where a
    field it needs is null or a value cannot be computed: an overflow, a division by zero, a text that is no number, an
    element that is not there. Holds under `spark.sql.ansi.enabled=true` and a session time zone of UTC.

    Args:
        references: Rule name -> the condition that `rule('name')` stands for.

    Raises:
        InvalidRuleError: The expression has issues; all of them are listed.
    """
    result = check(expression, schema, KnownRules(references or {}))
    if result.compiled is None:
        first = result.errors[0]
        more = f" (and {len(result.errors) - 1} more)" if len(result.errors) > 1 else ""
        raise InvalidRuleError(
            f"the rule {expression[:200]!r} is not valid: at character {first.start}: {first.message}{more}",
            issues=[issue.as_json() for issue in result.issues],
        )
    return CompiledCondition(result.compiled, result.requirements)
