"""Count, off the alert path, on how many events rules are unknown, and which fields were missing.

Most events have all the fields that a rule needs. A rule that only compares fields is unknown at most where one of
them is null, so it is not evaluated on other events. Which fields are null at all is counted before, in a query that
does not grow with the rules: of a thousand rules the planning alone takes seconds, and mostly there is nothing to ask.
"""

from __future__ import annotations

import re
from collections import defaultdict
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
        rules: Rule set indexes by mask; bit i of mask k stands for `rules[k][i]`. Those that are known on every event
            are in none.
        columns: Spark SQL of each mask over a struct column `event` and the columns of `lookups`.
        fields: Fields that these rules use and some event lacks; bit i of missing mask k stands for
            `fields[BITS * k + i]`.
        used: Rule set index -> the fields it uses.
        lookups: The columns that subqueries became.
    """

    rules: tuple[tuple[int, ...], ...]
    columns: tuple[str, ...]
    fields: tuple[str, ...]
    used: tuple[frozenset[str], ...]
    lookups: tuple[LookupColumn, ...] = ()


def used_fields(rule_set: RuleSet, schema: EventSchema) -> tuple[str, ...]:
    """Return the fields that the rules of a set use, sorted.

    Raises:
        InvalidRuleError: A condition does not pass the gate for this schema; names the rule.
    """
    return tuple(sorted(frozenset().union(*(condition.columns for condition in _compiled(rule_set, schema)))))


def unknown_masks(rule_set: RuleSet, schema: EventSchema, lacking: frozenset[str]) -> UnknownMasks:
    """Build the columns for the rules of a set that may be unknown.

    Args:
        lacking: The fields that are null on some event.

    Raises:
        InvalidRuleError: A condition does not pass the gate for this schema; names the rule.
    """
    compiled = _compiled(rule_set, schema)
    only_compares = [_only_compares(condition, schema) for condition in compiled]
    strict = [at for at, condition in enumerate(compiled) if only_compares[at] and condition.columns & lacking]
    others = [at for at in range(len(compiled)) if not only_compares[at]]
    rules, columns = [], []
    for members, gated in ((strict, True), (others, False)):
        for start in range(0, len(members), BITS):
            chunk = tuple(members[start : start + BITS])
            bits = [
                f"CASE WHEN {compiled[rule].sql} IS NULL THEN {1 << bit}L ELSE 0L END" for bit, rule in enumerate(chunk)
            ]
            mask = chain(bits, "|")
            if gated:
                needed = sorted(lacking & frozenset().union(*(compiled[rule].columns for rule in chunk)))
                one_is_null = " OR ".join(f"event.`{name}` IS NULL" for name in needed)
                mask = f"CASE WHEN {one_is_null} THEN {mask} ELSE 0L END"
            rules.append(chunk)
            columns.append(mask)
    asked = [compiled[rule] for rule in (*strict, *others)]
    fields = sorted(lacking & frozenset().union(*(condition.columns for condition in asked)))
    return UnknownMasks(
        tuple(rules),
        tuple(columns),
        tuple(fields),
        tuple(condition.columns for condition in compiled),
        tuple(column for condition in asked for column in condition.lookups),
    )


def _compiled(rule_set: RuleSet, schema: EventSchema) -> list[CompiledCondition]:
    known = KnownNames.of(rule_set)
    return [compile_rule(rule, schema, known) for rule in rule_set.rules]


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

    Columns in: event struct (at least the fields that the rules use), timestamp. Runs one Spark job, and a second one
    where a rule may be unknown.

    Args:
        tables: Where the rows of lists come from; only needed by rules with subqueries.

    Raises:
        InvalidRuleError: A condition does not pass the gate for this schema; names the rule.
        ConfigurationError: Subqueries need rows, and there is nowhere to have them from; or there are too many.
        StoreUnavailableError: The rows cannot be read now.
    """
    hour = (F.unix_millis("timestamp") / HOUR_MS).cast("bigint").alias("hour")
    used = used_fields(rule_set, schema)
    nulls = [F.count_if(F.col(f"event.`{name}`").isNull()).alias(f"_n{at}") for at, name in enumerate(used)]
    seen: dict[int, int] = {}
    lacking: set[str] = set()
    for row in events.groupBy(hour).agg(F.count("*").alias("events"), *nulls).collect():
        seen[row["hour"]] = row["events"]
        lacking.update(name for at, name in enumerate(used) if row[f"_n{at}"])
    masks = unknown_masks(rule_set, schema, frozenset(lacking))
    counts: dict[RuleVersionHour, OutcomeCount] = defaultdict(OutcomeCount)
    if seen and masks.columns:
        _add_unknown(counts, events.select("*", hour), rule_set, masks, tables)
    for number, events_seen in seen.items():
        for rule in rule_set.rules:
            counts[rule.rule_version_id, number].evaluated = events_seen
    return dict(counts)


def _add_unknown(
    counts: dict[RuleVersionHour, OutcomeCount],
    events: DataFrame,
    rule_set: RuleSet,
    masks: UnknownMasks,
    tables: LookupTables | None,
) -> None:
    """Count where rules are unknown. Columns in: those of `count_outcomes`, hour."""
    unknown = [f"_u{number}" for number in range(len(masks.columns))]
    missing = [f"_m{number}" for number in range((len(masks.fields) + BITS - 1) // BITS)]
    looked_up = Lookups(masks.lookups, rule_set.lists, tables).add_to(events)
    evaluated = looked_up.select(
        "*", *[F.expr(sql).alias(name) for sql, name in zip(masks.columns, unknown, strict=True)]
    )
    absent_masks = [
        _missing_mask(masks.fields[BITS * n : BITS * (n + 1)], unknown).alias(m) for n, m in enumerate(missing)
    ]
    groups = evaluated.select("hour", *unknown, *absent_masks).groupBy("hour", *unknown, *missing).count()
    for row in groups.where(F.expr(chain(unknown, "|")) != F.lit(0)).toLocalIterator():
        absent = set(_members([row[name] for name in missing], masks.fields))
        for value, members in zip([row[name] for name in unknown], masks.rules, strict=True):
            for bit, index in enumerate(members):
                if value >> bit & 1:
                    fields = absent & masks.used[index] or {NOT_COMPUTABLE}
                    place = (rule_set.rules[index].rule_version_id, row["hour"])
                    counts[place].add(0, row["count"], dict.fromkeys(fields, row["count"]))


def _missing_mask(fields: Sequence[str], unknown: Sequence[str]) -> Column:
    bits = [f"CASE WHEN event.`{name}` IS NULL THEN {1 << bit}L ELSE 0L END" for bit, name in enumerate(fields)]
    return F.expr(f"CASE WHEN {chain(list(unknown), '|')} <> 0L THEN {chain(bits, '|')} ELSE 0L END")


def _members(values: Sequence[int], names: Sequence[str]) -> list[str]:
    return [name for place, name in enumerate(names) if values[place // BITS] >> (place % BITS) & 1]
