"""The observer: follows the archive and counts, off the alert path, what rules said of the events in the lake."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from sentinel.clock import monotonic_seconds
from sentinel.domain.archive_commit import ArchiveCommit
from sentinel.domain.generation import Lease
from sentinel.domain.pipeline import PipelineSnapshot
from sentinel.domain.quarantine import Culprit, culprits_among
from sentinel.domain.rule import RuleSet, RuleVersion
from sentinel.domain.trial import TrialCount, TrialSample, trials_of
from sentinel.errors import LeaseLostError, SentinelError, StoreUnavailableError
from sentinel.rules.known import KnownNames
from sentinel.settings import Settings
from sentinel.stores.lake.location import events_uri, spark_uri
from sentinel.stores.postgres.archive_ledger import ArchiveLedger, GenerationForm
from sentinel.stores.postgres.database import Database, first_line
from sentinel.stores.postgres.outcomes import Observed, OutcomeStore
from sentinel.stores.postgres.quarantines import QuarantineStore
from sentinel.stores.postgres.snapshots import SnapshotStore
from sentinel.streaming.metrics import PipelineMetrics
from sentinel.streaming.query.cost import CostMeter
from sentinel.streaming.query.evaluate import compile_rule, compile_rule_set
from sentinel.streaming.query.lookups import Lookups, LookupTables
from sentinel.streaming.query.outcomes import count_outcomes, used_fields
from sentinel.streaming.query.session import evaluation_session
from sentinel.streaming.query.trials import compare_trials
from sentinel.streaming.sink.archive import cause_of
from sentinel.streaming.sink.calm import wait_for_calm
from sentinel.streaming.sink.lake_events import LakeForm, lake_events

log = logging.getLogger(__name__)


class Observer:
    """Counts the outcomes of one pipeline's rules, commit by commit of the archive.

    Counts and the mark of their commits are written in one transaction, so every commit counts exactly once. What it
    reads are rows that nobody waits for: it may be minutes behind, and a lake that is away only makes it later.
    """

    def __init__(
        self,
        spark: SparkSession,
        database: Database,
        settings: Settings,
        tenant_id: str,
        lease: Lease,
        *,
        tables: LookupTables,
        changing: threading.Event,
        metrics: PipelineMetrics | None = None,
    ) -> None:
        """Build it.

        Args:
            tables: Where the rows of lists come from.
            changing: While it is set nothing is begun, for some seconds at most: a start or a change of what detects
                has the processor to itself.
        """
        self._changing = changing
        self._metrics = metrics or PipelineMetrics.silent()
        self._driver_session = spark
        self._settings = settings
        self._lease = lease
        self._tables = tables
        self._pipeline_id = lease.pipeline_id
        self._ledger = ArchiveLedger(database, tenant_id, lease.pipeline_id)
        self._snapshots = SnapshotStore(database, tenant_id)
        self._outcomes = OutcomeStore(database, tenant_id)
        self._quarantines = QuarantineStore(database, tenant_id)
        self._sampled_generation = 0
        self._sample: Callable[[], DataFrame] | None = None
        self._rests_until = 0.0
        self._uri = spark_uri(events_uri(settings.lake, tenant_id, lease.pipeline_id))
        self.alarm: str | None = None

    @cached_property
    def _spark(self) -> SparkSession:
        """Return its session; made by its own thread, when nobody waits for that."""
        session = evaluation_session(self._driver_session)
        session.conf.set("spark.sql.shuffle.partitions", "1")
        return session

    def run(self, stopped: threading.Event) -> None:
        """Count every `observe_interval_seconds` until stopped or the lease is lost."""
        while not stopped.wait(self._settings.job.observe_interval_seconds):
            try:
                while not wait_for_calm(self._changing, stopped) and self.run_once():
                    pass
                self.guard_rollouts()
                self.measure(stopped)
                self.alarm = None
            except LeaseLostError:
                return
            except Exception as error:
                if first_line(error) != self.alarm:
                    level = logging.WARNING if isinstance(error, SentinelError) else logging.ERROR
                    log.log(level, "outcomes of pipeline %d wait: %s", self._pipeline_id, first_line(error))
                self.alarm = first_line(error)

    def run_once(self) -> bool:
        """Count the oldest commits that are not counted; False when there are none.

        Raises:
            StoreUnavailableError: PostgreSQL or the lake does not answer; repeat it.
            LeaseLostError: Another driver holds the pipeline.
        """
        commits = self._outcomes.unobserved(self._pipeline_id, max_records=self._settings.job.observe_max_records)
        if not commits:
            return False
        form = self._ledger.form(commits[0].generation_id)
        found = Observed({})
        if any(commit.filled for commit in commits):
            snapshot = self._snapshots.at(self._pipeline_id, form.schema_version, form.rule_set_version)
            found = self._observe(commits, form, snapshot.in_epoch(form.source_epoch))
        self._outcomes.record(self._lease, commits, found)
        in_force = [each for (version, _), each in found.counts.items() if version not in found.on_trial]
        self._metrics.observed(sum(each.evaluated for each in in_force), sum(each.unknown for each in in_force))
        return True

    def _observe(self, commits: Sequence[ArchiveCommit], form: GenerationForm, snapshot: PipelineSnapshot) -> Observed:
        """Evaluate what was in force and on trial over the rows of these commits."""
        rule_set = snapshot.rule_set
        lake = LakeForm(snapshot.kafka_topic, form.history, {form.generation_id: form.source_epoch})
        trials = trials_of(rule_set)
        everything = replace(rule_set, rules=(*rule_set.rules, *rule_set.shadow), shadow=(), arms=())
        if not everything.rules:
            return Observed({})
        try:
            rows = self._rows(commits)
            self._sample = lambda: lake_events(rows, lake)
            self._sampled_generation = form.generation_id
            used = used_fields(everything, form.schema)
            counts = count_outcomes(lake_events(rows, lake, used), everything, form.schema, self._tables)
            compared: dict[tuple[int, int, int], TrialCount] = {}
            samples: list[TrialSample] = []
            if trials:
                events = lake_events(rows, lake)
                compared, samples = compare_trials(events, trials, rule_set, form.schema, self._tables)
        except (PySparkException, Py4JError) as error:
            self._take_out_culprits(everything, lake_events(rows, lake), form)
            raise StoreUnavailableError("the lake", cause_of(error)) from error
        return Observed(
            {rule.rule_version_id: rule.rule_id for rule in everything.rules},
            frozenset(trial.version.rule_version_id for trial in trials),
            counts,
            compared,
            samples,
        )

    def _take_out_culprits(self, rule_set: RuleSet, events: DataFrame, form: GenerationForm) -> None:
        """Quarantine versions that throw, be it in shadow; where the lake is away, none does by itself."""

        def fails(rules: Sequence[RuleVersion]) -> bool:
            compiled = compile_rule_set(replace(rule_set, rules=tuple(rules)), form.schema, self._tables)
            try:
                compiled.evaluate(events).write.format("noop").mode("overwrite").save()
            except (PySparkException, Py4JError):
                return True
            return False

        if fails(()):
            return
        cause = "it throws on events in the lake"
        culprits = [Culprit(rule, None, None, cause) for rule in culprits_among(rule_set.rules, fails)]
        if culprits:
            named = ", ".join(str(culprit.rule.rule_id) for culprit in culprits)
            log.error("pipeline %s: ALARM: quarantined: rules %s: %s", self._pipeline_id, named, cause)
            self._quarantines.quarantine(
                self._lease,
                generation_id=form.generation_id,
                source_epoch=form.source_epoch,
                culprits=culprits,
            )

    def guard_rollouts(self) -> None:
        """Take back the candidates of rollouts that do something else than they should, and say why.

        Such a candidate is quarantined: without it the version in force decides for everybody.

        Raises:
            StoreUnavailableError: PostgreSQL does not answer; repeat it.
            LeaseLostError: Another driver holds the pipeline.
        """
        snapshot = self._snapshots.current(self._pipeline_id)
        versions = {rule.rule_version_id: rule for rule in snapshot.rule_set.rules}
        for arms in snapshot.rule_set.arms:
            if arms.control_id is None:
                continue
            totals = self._outcomes.trial_totals(arms.candidate_id, arms.control_id)
            objection = totals.objection(snapshot.config.rollout_max_ratio)
            if objection is not None:
                candidate = versions[arms.candidate_id]
                self._take_out(snapshot, self._sampled_generation, Culprit(candidate, None, None, objection))

    def _take_out(self, snapshot: PipelineSnapshot, generation_id: int, culprit: Culprit) -> None:
        rule = culprit.rule
        log.error(
            "pipeline %s: ALARM: version %s of rule %s is quarantined: %s",
            self._pipeline_id,
            rule.version,
            rule.rule_id,
            culprit.cause,
        )
        self._quarantines.quarantine(
            self._lease, generation_id=generation_id, source_epoch=snapshot.source_epoch, culprits=[culprit]
        )

    def measure(self, stopped: threading.Event) -> None:
        """Measure the rules in force whose cost is not known, on events that were counted last.

        One that costs more than the budget is quarantined, with the figure. Takes `measuring_share` of the time, and
        ends after one rule when there are commits to be counted.

        Raises:
            StoreUnavailableError: PostgreSQL or the lake does not answer; repeat it.
            LeaseLostError: Another driver holds the pipeline.
        """
        snapshot = self._snapshots.current(self._pipeline_id)
        rules = self._outcomes.without_cost((*snapshot.rule_set.rules, *snapshot.rule_set.shadow))
        if not rules or self._sample is None:
            return
        if not self._rested(stopped):
            return
        meter: CostMeter | None = None
        try:
            meter = CostMeter(self._sample())
            for rule in rules:
                if not self._rested(stopped) or not meter.rows:
                    return
                began = monotonic_seconds()
                self._measure_one(meter, rule, snapshot)
                share = self._settings.job.measuring_share
                ended = monotonic_seconds()
                self._rests_until = ended + (1 / share - 1) * (ended - began)
                if self._outcomes.unobserved(self._pipeline_id, max_records=1):
                    return
        except (PySparkException, Py4JError) as error:
            # A field that is newer than the sample, or a lake that is away: it is tried again with newer events.
            self._sample = None
            raise StoreUnavailableError("the lake", cause_of(error)) from error
        finally:
            if meter is not None:
                meter.close()

    def _rested(self, stopped: threading.Event) -> bool:
        """Wait until the next measurement may begin; False when commits have to be counted before."""
        while (left := self._rests_until - monotonic_seconds()) > 0 and not stopped.is_set():
            if self._outcomes.unobserved(self._pipeline_id, max_records=1):
                return False
            stopped.wait(min(left, self._settings.job.observe_interval_seconds))
        return not wait_for_calm(self._changing, stopped)

    def _measure_one(self, meter: CostMeter, rule: RuleVersion, snapshot: PipelineSnapshot) -> None:
        budget = self._settings.job.rule_budget_microseconds
        compiled = compile_rule(rule, snapshot.schema, KnownNames.of(snapshot.rule_set))
        lookups = Lookups(compiled.lookups, snapshot.rule_set.lists, self._tables)
        found = meter.microseconds(compiled.sql, lookups)
        if found > budget:
            # A rule is taken out for what it costs, and not for what the machine was at.
            found = min(found, meter.microseconds(compiled.sql, lookups))
        self._outcomes.keep_cost(self._lease, rule, microseconds=found, sampled_events=meter.rows)
        if found <= budget:
            return
        cause = (
            f"it costs {found:,.0f} microseconds per event, more than the {budget:,.0f} that a rule may cost "
            "(SENTINEL_JOB__RULE_BUDGET_MICROSECONDS)"
        )
        self._take_out(snapshot, self._sampled_generation, Culprit(rule, None, None, cause))

    def _rows(self, commits: Sequence[ArchiveCommit]) -> DataFrame:
        """Read the rows of these commits, which follow one another in one generation."""
        spans: dict[int, tuple[int, int]] = {}
        for commit in commits:
            for partition, (start, end) in commit.filled.items():
                first = spans.get(partition, (start, end))[0]
                spans[partition] = (first, end)
        places = F.lit(False)
        for partition, (start, end) in spans.items():
            inside = (F.col("_offset") >= start) & (F.col("_offset") < end)
            places |= (F.col("_partition") == partition) & inside
        table = self._spark.read.format("delta").load(self._uri)
        return table.where((F.col("_generation_id") == commits[0].generation_id) & places)
