"""Compile a rule to a total Spark SQL expression: one that cannot throw, whatever an event contains."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from sentinel.domain.event_schema import EventSchema
from sentinel.domain.reference_list import ListDefinition
from sentinel.errors import InvalidRuleError
from sentinel.rules.checker import check
from sentinel.rules.known import NO_NAMES, KnownNames
from sentinel.rules.lookups import LookupColumn
from sentinel.rules.references import closure
from sentinel.rules.requirements import Requirement
from sentinel.rules.tables_read import tables_read


@dataclass(frozen=True, slots=True)
class CompiledCondition:
    """A condition as Spark runs it.

    Attributes:
        sql: Its text over a struct column named `event` and the columns of `lookups`.
        requirements: What holds wherever it is true.
        columns: The top-level fields of the event that it uses.
        lookups: The columns that its subqueries became.
    """

    sql: str
    requirements: tuple[Requirement, ...]
    columns: frozenset[str] = frozenset()
    lookups: tuple[LookupColumn, ...] = ()


def compile_condition(expression: str, schema: EventSchema, known: KnownNames = NO_NAMES) -> CompiledCondition:
    """Compile a condition to Spark SQL.

    Equal to the condition itself on every event for which that can be computed; null (unknown, not a match) where a
    field it needs is null or a value cannot be computed: an overflow, a division by zero, a text that is no number, an
    element that is not there. Holds under `spark.sql.ansi.enabled=true` and a session time zone of UTC.

    What was compiled once is remembered.

    Args:
        known: What it may name beside the fields of the schema.

    Raises:
        InvalidRuleError: The expression has issues; all of them are listed.
    """
    # Of all names only those that count: the others' changes must not have it compiled again.
    referred = sorted(closure(expression, known.conditions) & known.conditions.keys())
    read = tables_read(expression, known.conditions)
    return _compiled(
        expression,
        schema,
        tuple((name, known.conditions[name]) for name in referred),
        tuple(table for table in known.tables if table.name in read),
    )


@lru_cache(maxsize=50_000)
def _compiled(
    expression: str, schema: EventSchema, conditions: tuple[tuple[str, str], ...], tables: tuple[ListDefinition, ...]
) -> CompiledCondition:
    result = check(expression, schema, KnownNames(dict(conditions), tables=tables))
    if result.compiled is None:
        first = result.errors[0]
        more = f" (and {len(result.errors) - 1} more)" if len(result.errors) > 1 else ""
        raise InvalidRuleError(
            f"the rule {expression[:200]!r} is not valid: at character {first.start}: {first.message}{more}",
            issues=[issue.as_json() for issue in result.issues],
        )
    return CompiledCondition(result.compiled, result.requirements, result.columns, result.lookups)
