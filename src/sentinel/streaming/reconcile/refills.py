"""Refilled alerts = what each refill of the ledger says, evaluated anew over the lake."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from pyspark.sql import SparkSession

from sentinel.domain.rule import RuleSet
from sentinel.stores.postgres.archive_ledger import ArchiveLedger
from sentinel.stores.postgres.reconcile_reader import GenerationVersions
from sentinel.stores.postgres.refills import RefillStore
from sentinel.streaming.history.refill import plan_refill
from sentinel.streaming.query.lookups import LookupTables
from sentinel.streaming.reconcile.alerts import Pair
from sentinel.streaming.sink.lake_events import LakeForm


@dataclass(slots=True)
class Refilled:
    """Alerts that refills explain.

    Attributes:
        expected: Of refills that came to their end: all of them must be there.
        allowed: Of the others: they may be there.
    """

    expected: list[Pair] = field(default_factory=list)
    allowed: list[Pair] = field(default_factory=list)


def refilled_alerts(
    spark: SparkSession,
    uri: str,
    store: RefillStore,
    archive: ArchiveLedger,
    *,
    kafka_topic: str,
    generations: Sequence[GenerationVersions],
    rule_set: Callable[[int], RuleSet],
    tables: LookupTables,
) -> Refilled:
    """Evaluate every refill of a pipeline again: the same versions under the same schema over the same records.

    Args:
        uri: The pipeline's Delta table, as Spark names it.
        rule_set: Returns a version of the pipeline's rule set.
    """
    epochs = {generation.generation_id: generation.source_epoch for generation in generations}
    refilled = Refilled()
    for refill in store.list():
        form = LakeForm(kafka_topic, archive.history(refill.schema_version), epochs)
        rules, around = store.rules(refill.rule_version_ids), rule_set(refill.rule_set_version)
        plan = plan_refill(spark, uri, form, refill, rules, around=around, tables=tables)
        (refilled.expected if refill.is_complete else refilled.allowed).extend(plan.pairs())
    return refilled
