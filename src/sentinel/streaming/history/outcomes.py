"""Compile rules for a look at the past: the live masks of all of them, and which could not be computed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from sentinel.domain.event_schema import EventSchema
from sentinel.domain.rule import RuleSet, RuleVersion
from sentinel.rules.chains import chain
from sentinel.streaming.query.evaluate import CompiledRuleSet, compile_rule_set
from sentinel.streaming.query.layout import RULES_PER_MASK
from sentinel.streaming.query.lookups import LookupTables

NOTHING_AROUND = RuleSet(0, ())


@dataclass(frozen=True)
class CompiledOutcomes:
    """The expressions of some rules over one schema.

    Attributes:
        compiled: What live detection would run for all of them.
        asked: Of the first so many it is also said where they are unknown.
        unknown: One column for 32 asked rules; bit i of column k stands for rule `32 * k + i`.
    """

    compiled: CompiledRuleSet
    asked: int
    unknown: tuple[Column, ...]

    @property
    def unknown_names(self) -> list[str]:
        """Names of the columns that say what is unknown."""
        return [f"_unknown_{index}" for index in range(len(self.unknown))]

    def evaluate(self, events: DataFrame) -> DataFrame:
        """Add the masks of `CompiledRuleSet.evaluate` and `_unknown_0.._unknown_n` bigint.

        Columns in: those of `lake_events`.
        """
        evaluated = self.compiled.evaluate(events)
        named = [column.alias(name) for name, column in zip(self.unknown_names, self.unknown, strict=True)]
        return evaluated.select("*", *named)

    def fields(self, schema: EventSchema) -> set[str]:
        """Return the fields of the schema that any of the rules looks at."""
        texts = (*self.compiled.conditions, *self.compiled.lookups.texts)
        return {field.name for field in schema if any(f"event.`{field.name}`" in text for text in texts)}


def compile_outcomes(
    rules: Sequence[RuleVersion],
    schema: EventSchema,
    *,
    asked: int,
    around: RuleSet = NOTHING_AROUND,
    tables: LookupTables | None = None,
) -> CompiledOutcomes:
    """Compile rules exactly as a generation does.

    Args:
        around: What the rules may refer to: other rules, and versions of lists.
        tables: Where the rows of lists come from; only needed by rules with subqueries.

    Raises:
        InvalidRuleError: A condition does not pass the gate for this schema; names the rule.
    """
    compiled = compile_rule_set(replace(around, rules=tuple(rules), shadow=(), arms=()), schema, tables)
    unknown = []
    for start in range(0, asked, RULES_PER_MASK):
        conditions = compiled.conditions[start : min(asked, start + RULES_PER_MASK)]
        bits = [f"CASE WHEN {text} IS NULL THEN {1 << bit}L ELSE 0L END" for bit, text in enumerate(conditions)]
        unknown.append(F.expr(chain(bits, "|")))
    return CompiledOutcomes(compiled, asked, tuple(unknown))
