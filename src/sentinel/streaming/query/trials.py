"""Compare versions on trial with those in force, on the same events, off the alert path."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from sentinel.domain.event_schema import EventSchema
from sentinel.domain.rule import RuleSet
from sentinel.domain.storm import HOUR_MS
from sentinel.domain.trial import MAX_SAMPLES, Disagreement, Trial, TrialCount, TrialSample
from sentinel.streaming.query.evaluate import CompiledRuleSet, compile_rule_set
from sentinel.streaming.query.layout import PART_BITS, bit_of, places_in, rules_of_masks
from sentinel.streaming.query.lookups import LookupTables

MAX_SAMPLED_ROWS = 500

TrialHour = tuple[int, int, int]
"""Version id on trial, version id of the control (0: none), and the hour of the record's timestamp since the epoch."""


def compare_trials(
    events: DataFrame,
    trials: Sequence[Trial],
    rule_set: RuleSet,
    schema: EventSchema,
    tables: LookupTables | None = None,
) -> tuple[dict[TrialHour, TrialCount], list[TrialSample]]:
    """Evaluate versions on trial and their controls over events; count where they agree, and sample where not.

    Columns in: those of `lake_events`. Runs two Spark jobs.

    Args:
        tables: Where the rows of lists come from; only needed by rules with subqueries.
    """
    versions = {each.rule_version_id: each for trial in trials for each in (trial.version, trial.control) if each}
    compiled = compile_rule_set(replace(rule_set, rules=tuple(versions.values()), arms=()), schema, tables)
    place = {version_id: index for index, version_id in enumerate(versions)}
    evaluated = compiled.evaluate(events)
    hour = (F.unix_millis("timestamp") / HOUR_MS).cast("bigint").alias("hour")
    groups = (
        evaluated.where(compiled.matched()).select(hour, *compiled.mask_names).groupBy("hour", *compiled.mask_names)
    )

    counts: dict[TrialHour, TrialCount] = defaultdict(TrialCount)
    for row in groups.count().toLocalIterator():
        matched = set(rules_of_masks([row[name] for name in compiled.mask_names], compiled.masks))
        for trial in trials:
            mine = place[trial.version.rule_version_id] in matched
            other = trial.control is not None and place[trial.control_id] in matched
            if not mine and not other:
                continue
            count = counts[trial.version.rule_version_id, trial.control_id, row["hour"]]
            if mine and other:
                count.both += row["count"]
            elif mine:
                count.only_trial += row["count"]
            else:
                count.only_control += row["count"]
    return dict(counts), _samples(evaluated, compiled, trials, place)


def _samples(
    evaluated: DataFrame, compiled: CompiledRuleSet, trials: Sequence[Trial], place: dict[int, int]
) -> list[TrialSample]:
    bits = {
        rule: f"CAST({name} & {bit_of(PART_BITS, bit)}L = {bit_of(part, bit)}L AS BIGINT)"
        for name, mask in zip(compiled.mask_names, compiled.masks, strict=True)
        for part, bit, rule in places_in(mask)
    }
    differ = " OR ".join(
        f"{bits[place[trial.version.rule_version_id]]} <> {bits[place[trial.control_id]] if trial.control else '0L'}"
        for trial in trials
    )
    rows = (
        evaluated.where(F.expr(differ))
        .select("event_id", "partition", "offset", "timestamp", *compiled.mask_names)
        .limit(MAX_SAMPLED_ROWS)
    )
    taken: Counter[tuple[int, Disagreement]] = Counter()
    samples = []
    for row in rows.collect():
        matched = set(rules_of_masks([row[name] for name in compiled.mask_names], compiled.masks))
        for trial in trials:
            mine = place[trial.version.rule_version_id] in matched
            other = trial.control is not None and place[trial.control_id] in matched
            if mine == other:
                continue
            kind = Disagreement.ONLY_TRIAL if mine else Disagreement.ONLY_CONTROL
            taken[trial.version.rule_version_id, kind] += 1
            if taken[trial.version.rule_version_id, kind] <= MAX_SAMPLES:
                samples.append(
                    TrialSample(
                        trial.version.rule_version_id,
                        kind,
                        row["event_id"],
                        row["partition"],
                        row["offset"],
                        row["timestamp"].astimezone(UTC),
                    )
                )
    return samples
