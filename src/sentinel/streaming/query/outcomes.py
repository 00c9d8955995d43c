"""Count, off the alert path, on how many events rules are unknown, and which fields were missing.

Most events have all the fields that a rule needs. A rule that only compares fields is unknown at most where one of
them is null, so it is not evaluated on other events.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from sentinel.domain.event_schema import EventSchema, ScalarType
from sentinel.domain.outcome import NOT_COMPUTABLE, OutcomeCount
from sentinel.domain.rule import RuleSet
from sentinel.domain.storm import HOUR_MS
from sentinel.rules.chains import chain
from sentinel.rules.compiler import CompiledCondition
from sentinel.rules.known import KnownNames
from sentinel.rules.lookups import LookupColumn
from sentinel.streaming.query.evaluate import compile_rule
from sentinel.streaming.query.lookups import Lookups, LookupTables

BITS = 62
_TEXT_LITERAL = re.compile(r"'(?:[^'\\]|\\.)*'", re.DOTALL)
_CALL = re.compile(r"\b(\w+)\s*\(")
_NO_CALLS = frozenset(("AND", "OR", "NOT", "IN", "LIKE", "ILIKE", "BETWEEN"))

RuleVersionHour = tuple[int, int]
"""Rule version id, and the hour of the record's timestamp since the epoch."""


@dataclass(frozen=True, slots=True)
class UnknownMasks:
    """The columns that tell which rules are unknown.

    Attributes:
        rules: Rule set indexes by mask; bit i of mask k stands for `rules[k][i]`.
        columns: Spark SQL of each mask over a struct column `event` and the columns of `lookups`.
        fields: Fields that the rules use; bit i of missing mask k stands for `fields[BITS * k + i]`.
        used: Rule set index -> the fields it uses.
        lookups: The columns that subqueries became.
    """

    rules: tuple[tuple[int, ...], ...]
    columns: tuple[str, ...]
    fields: tuple[str, ...]
    used: tuple[frozenset[str], ...]
    lookups: tuple[LookupColumn, ...] = ()


def unknown_masks(rule_set: RuleSet, schema: EventSchema) -> UnknownMasks:
    """Build the columns for a rule set.

    Raises:
        InvalidRuleError: A condition does not pass the gate for this schema; names the rule.
    """
    known = KnownNames.of(rule_set)
    compiled = [compile_rule(rule, schema, known) for rule in rule_set.rules]
    strict = [index for index, condition in enumerate(compiled) if _only_compares(condition, schema)]
    others = sorted(set(range(len(compiled))) - set(strict))
    rules, columns = [], []
    for members, gated in ((strict, True), (others, False)):
        for start in range(0, len(members), BITS):
            chunk = tuple(members[start : start + BITS])
            bits = [
                f"CASE WHEN {compiled[rule].sql} IS NULL THEN {1 << bit}L ELSE 0L END" for bit, rule in enumerate(chunk)
            ]
            mask = chain(bits, "|")
            if gated:
                needed = sorted(frozenset().union(*(compiled[rule].columns for rule in chunk)))
                lacking = " OR ".join(f"event.`{name}` IS NULL" for name in needed) or "false"
                mask = f"CASE WHEN {lacking} THEN {mask} ELSE 0L END"
            rules.append(chunk)
            columns.append(mask)
    fields = sorted(frozenset().union(*(condition.columns for condition in compiled)))
    return UnknownMasks(
        tuple(rules),
        tuple(columns),
        tuple(fields),
        tuple(condition.columns for condition in compiled),
        tuple(column for condition in compiled for column in condition.lookups),
    )


def _only_compares(condition: CompiledCondition, schema: EventSchema) -> bool:
    """Whether a condition is surely known where none of its fields is null: what is looked up may be null as well."""
    bare = _TEXT_LITERAL.sub("''", condition.sql)
    calls = {word.upper() for word in _CALL.findall(bare)} - _NO_CALLS
    fields = [schema.field(name) for name in condition.columns]
    return (
        not calls
        and not condition.lookups
        and "NULL" not in bare.upper()
        and all(found is not None and isinstance(found.type, ScalarType) for found in fields)
    )


def count_outcomes(
    events: DataFrame, rule_set: RuleSet, schema: EventSchema, tables: LookupTables | None = None
) -> dict[RuleVersionHour, OutcomeCount]:
    """Evaluate a rule set over events and count, per rule version and hour.

    Columns in: event struct (at least the fields that the rules use), timestamp. Runs one Spark job.

    Args:
        tables: Where the rows of lists come from; only needed by rules with subqueries.

    Raises:
        InvalidRuleError: A condition does not pass the gate for this schema; names the rule.
        ConfigurationError: Subqueries need rows, and there is nowhere to have them from; or there are too many.
        StoreUnavailableError: The rows cannot be read now.
    """
    masks = unknown_masks(rule_set, schema)
    unknown = [f"_u{number}" for number in range(len(masks.columns))]
    missing = [f"_m{number}" for number in range((len(masks.fields) + BITS - 1) // BITS)]
    hour = (F.unix_millis("timestamp") / HOUR_MS).cast("bigint").alias("hour")
    looked_up = Lookups(masks.lookups, rule_set.lists, tables).add_to(events)
    evaluated = looked_up.select(
        "*", *[F.expr(sql).alias(name) for sql, name in zip(masks.columns, unknown, strict=True)]
    )
    lacking = [_missing_mask(masks.fields[BITS * n : BITS * (n + 1)], unknown).alias(m) for n, m in enumerate(missing)]
    groups = evaluated.select(hour, *unknown, *lacking).groupBy("hour", *unknown, *missing).count()

    counts: dict[RuleVersionHour, OutcomeCount] = defaultdict(OutcomeCount)
    seen: Counter[int] = Counter()
    for row in groups.toLocalIterator():
        seen[row["hour"]] += row["count"]
        if not any(row[name] for name in unknown):
            continue
        absent = set(_members([row[name] for name in missing], masks.fields))
        for value, members in zip([row[name] for name in unknown], masks.rules, strict=True):
            for bit, index in enumerate(members):
                if value >> bit & 1:
                    fields = absent & masks.used[index] or {NOT_COMPUTABLE}
                    place = (rule_set.rules[index].rule_version_id, row["hour"])
                    counts[place].add(0, row["count"], dict.fromkeys(fields, row["count"]))
    for number, events_seen in seen.items():
        for rule in rule_set.rules:
            counts[rule.rule_version_id, number].evaluated = events_seen
    return dict(counts)


def _missing_mask(fields: Sequence[str], unknown: Sequence[str]) -> Column:
    bits = [f"CASE WHEN event.`{name}` IS NULL THEN {1 << bit}L ELSE 0L END" for bit, name in enumerate(fields)]
    return F.expr(f"CASE WHEN {chain(list(unknown), '|')} <> 0L THEN {chain(bits, '|')} ELSE 0L END")


def _members(values: Sequence[int], names: Sequence[str]) -> list[str]:
    return [name for place, name in enumerate(names) if values[place // BITS] >> (place % BITS) & 1]
