"""Make the alerts that rules would have raised, had they run: a refill of a gap."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from sentinel.domain.event_schema import EventSchema
from sentinel.domain.evidence import evidence_text
from sentinel.domain.refill import Refill
from sentinel.domain.rule import RuleSet, RuleVersion
from sentinel.errors import StoreUnavailableError
from sentinel.rules.explanation.evidence import evidence_plan
from sentinel.stores.postgres.refills import RefilledMatch
from sentinel.streaming.history.outcomes import NOTHING_AROUND, CompiledOutcomes, compile_outcomes
from sentinel.streaming.query.findings import entity_columns
from sentinel.streaming.query.layout import rules_of_masks
from sentinel.streaming.query.lookups import LookupTables
from sentinel.streaming.query.session import evaluation_session
from sentinel.streaming.sink.archive import cause_of
from sentinel.streaming.sink.lake_events import LakeForm, below, in_range, lake_events

JSON_FORM = {"timestampFormat": "yyyy-MM-dd'T'HH:mm:ss.SSSSSSXXX"}


@dataclass(frozen=True)
class RefillPlan:
    """What a refill evaluates. The same refill gives the same matches for as long as the lake keeps its rows.

    Attributes:
        conditions: What names of other rules stand for.
        matched: The matching rows: those of `lake_events` and the masks.
    """

    rules: tuple[RuleVersion, ...]
    schema: EventSchema
    conditions: Mapping[str, str]
    outcomes: CompiledOutcomes
    matched: DataFrame

    def pairs(self) -> Iterator[tuple[int, str]]:
        """Yield (rule id, event id) as alerts have them; they may repeat."""
        for row in self.matched.select("event_id", *self._masks).toLocalIterator():
            for rule in self._rules_of(row):
                yield rule.rule_id, row["event_id"].replace("\x00", "\ufffd")

    def count(self) -> tuple[int, int]:
        """Return how many events match, and how many matches of rules that is."""
        bits = [F.bit_count(name) for name in self._masks]
        total = F.coalesce(F.sum(sum(bits[1:], bits[0])), F.lit(0))
        row = self.matched.agg(F.count("*").alias("events"), total.alias("matches")).collect()[0]
        return int(row.events), int(row.matches)

    def matches(self) -> Iterator[RefilledMatch]:
        """Yield the matching events; a task's part of the lake is held in memory at a time."""
        entities = entity_columns(self.schema)
        rows = self.matched.select(
            "generation_id",
            "partition",
            "offset",
            F.unix_millis("timestamp").alias("timestamp_ms"),
            "event_id",
            F.to_json("event", JSON_FORM).alias("event_json"),
            (F.to_json(F.struct(*entities)) if entities else F.lit("{}")).alias("entities_json"),
            *self._masks,
        )
        plans = {
            rule.rule_version_id: evidence_plan(rule.condition, self.schema, self.conditions) for rule in self.rules
        }
        for row in rows.toLocalIterator():
            rules, event = self._rules_of(row), orjson.loads(row["event_json"])
            yield RefilledMatch(
                generation_id=row["generation_id"],
                partition=row["partition"],
                offset=row["offset"],
                timestamp_ms=row["timestamp_ms"],
                event_id=row["event_id"],
                rules=rules,
                event_json=row["event_json"],
                entities_json=row["entities_json"],
                evidence=tuple(evidence_text(plans[rule.rule_version_id], event) for rule in rules),
            )

    @property
    def _masks(self) -> list[str]:
        return self.outcomes.compiled.mask_names

    def _rules_of(self, row: Any) -> tuple[RuleVersion, ...]:
        found = rules_of_masks([row[name] for name in self._masks], self.outcomes.compiled.masks)
        return tuple(self.rules[index] for index in found)


def plan_refill(
    spark: SparkSession,
    uri: str,
    form: LakeForm,
    refill: Refill,
    rules: Sequence[RuleVersion],
    *,
    around: RuleSet = NOTHING_AROUND,
    tables: LookupTables | None = None,
) -> RefillPlan:
    """Build what a refill evaluates.

    Args:
        uri: The pipeline's Delta table, as Spark names it.
        form: Of the refill's schema version.
        rules: The refill's.
        around: What they may refer to, as the refill's rule set pins it.
        tables: Where the rows of lists come from; only needed by rules with subqueries.

    Raises:
        InvalidRuleError: A rule does not pass the gate for that schema version; names the rule.
        StoreUnavailableError: The lake does not answer.
    """
    session = evaluation_session(spark)
    outcomes = compile_outcomes(rules, form.schema, asked=0, around=around, tables=tables)
    try:
        table = session.read.format("delta").load(uri)
    except (PySparkException, Py4JError) as error:
        raise StoreUnavailableError("the lake", cause_of(error)) from error
    rows = below(in_range(table, form, refill.range), refill.ends, form.epochs)
    evaluated = outcomes.evaluate(lake_events(rows, form))
    conditions = {name: version.condition for name, version in around.references.items()}
    return RefillPlan(tuple(rules), form.schema, conditions, outcomes, evaluated.where(outcomes.compiled.matched()))
