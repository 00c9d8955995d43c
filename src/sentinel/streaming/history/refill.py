"""Make the alerts that rules would have raised, had they run: a refill of a gap."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
from sentinel.domain.rule import RuleVersion
from sentinel.errors import StoreUnavailableError
from sentinel.rules.explanation.evidence import evidence_plan
from sentinel.stores.postgres.refills import RefilledMatch
from sentinel.streaming.history.lake import LakeForm, below, in_range, lake_events
from sentinel.streaming.history.outcomes import CompiledOutcomes, compile_outcomes
from sentinel.streaming.query.findings import entity_columns
from sentinel.streaming.query.layout import rules_of_masks
from sentinel.streaming.query.session import evaluation_session
from sentinel.streaming.sink.archive import cause_of

JSON_FORM = {"timestampFormat": "yyyy-MM-dd'T'HH:mm:ss.SSSSSSXXX"}


@dataclass(frozen=True)
class RefillPlan:
    """What a refill evaluates. The same refill gives the same matches for as long as the lake keeps its rows.

    Attributes:
        matched: The matching rows: those of `lake_events` and the masks.
    """

    rules: tuple[RuleVersion, ...]
    schema: EventSchema
    outcomes: CompiledOutcomes
    matched: DataFrame

    def pairs(self) -> Iterator[tuple[int, str]]:
        """Yield (rule id, event id) as alerts have them; they may repeat."""
        for row in self.matched.select("event_id", *self._masks).toLocalIterator():
            for index in self._indexes_of(row):
                yield self.rules[index].rule_id, row["event_id"].replace("\x00", "\ufffd")

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
        plans = [evidence_plan(rule.condition, self.schema) for rule in self.rules]
        for row in rows.toLocalIterator():
            indexes = self._indexes_of(row)
            event = orjson.loads(row["event_json"])
            yield RefilledMatch(
                generation_id=row["generation_id"],
                partition=row["partition"],
                offset=row["offset"],
                timestamp_ms=row["timestamp_ms"],
                event_id=row["event_id"],
                rules=tuple(self.rules[index] for index in indexes),
                evidence=tuple(evidence_text(plans[index], event) for index in indexes),
                event_json=row["event_json"],
                entities_json=row["entities_json"],
            )

    @property
    def _masks(self) -> list[str]:
        return self.outcomes.compiled.mask_names

    def _indexes_of(self, row: Any) -> tuple[int, ...]:
        return rules_of_masks([row[name] for name in self._masks], self.outcomes.compiled.masks)


def plan_refill(
    spark: SparkSession, uri: str, form: LakeForm, refill: Refill, rules: Sequence[RuleVersion]
) -> RefillPlan:
    """Build what a refill evaluates.

    Args:
        uri: The pipeline's Delta table, as Spark names it.
        form: Of the refill's schema version.
        rules: The refill's.

    Raises:
        InvalidRuleError: A rule does not pass the gate for that schema version; names the rule.
        StoreUnavailableError: The lake does not answer.
    """
    session = evaluation_session(spark)
    outcomes = compile_outcomes(rules, form.schema, asked=0)
    try:
        table = session.read.format("delta").load(uri)
    except (PySparkException, Py4JError) as error:
        raise StoreUnavailableError("the lake", cause_of(error)) from error
    rows = below(in_range(table, form, refill.range), refill.ends, form.epochs)
    evaluated = outcomes.evaluate(lake_events(rows, form))
    return RefillPlan(tuple(rules), form.schema, outcomes, evaluated.where(outcomes.compiled.matched()))
