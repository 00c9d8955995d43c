"""Fuzz the gate: `python -m tests.fuzz.gate --minutes 10 --seed 1`.

Texts spliced and mutated from honest rules, hostile ones and the short form. For every text the check must answer,
quickly and with places within the text; what it accepts the job's gate must accept, and Spark must evaluate over
hostile events without an error (a third of it, for the time that takes); and no text may set off a tell-tale
(`tests.fuzz.watch`). Ends with 1 on a finding.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from sentinel.errors import InvalidRuleError
from sentinel.localstack.java import find_java
from sentinel.rules.compiler import compile_condition
from sentinel.rules.dsl.check import check_rule
from sentinel.rules.issue import CODES
from sentinel.settings import Settings
from sentinel.streaming.query.gate import refused_conditions
from sentinel.streaming.query.session import build_session, evaluation_session
from tests.fuzz.mutation import Mutator
from tests.fuzz.watch import Watch
from tests.unit.rules.corpus import SCHEMA
from tests.unit.rules.hostile_values import hostile_events

SLOWEST_CHECK_SECONDS = 0.5
SLOWEST_BATCH_SECONDS = 120.0
BATCH = 120
EVALUATED_SHARE = 1 / 3  # a condition takes Spark some 50 ms, and the check 2 ms
PROGRESS_SECONDS = 30.0
MOST_FINDINGS = 50


@dataclass
class Outcome:
    """What a run found.

    Attributes:
        tried: Texts checked.
        accepted: Those accepted; of them, `accepted_short` in the short form.
        read: Conditions that the job's gate read: all that were accepted, the same one once per batch.
        evaluated: Of them those that Spark evaluated over hostile events, in `batches`.
        codes: How often each issue code was told.
        slowest_seconds: Processor time of the slowest check, of `slowest_text`.
        slowest_batch_seconds: Time of the slowest evaluation of a batch.
        findings: What must not be, each with its text.
    """

    tried: int = 0
    accepted: int = 0
    accepted_short: int = 0
    read: int = 0
    evaluated: int = 0
    batches: int = 0
    codes: Counter[str] = field(default_factory=Counter)
    slowest_seconds: float = 0.0
    slowest_text: str = ""
    slowest_batch_seconds: float = 0.0
    findings: list[str] = field(default_factory=list)

    def finding(self, what: str, text: str) -> None:
        """Note something that must not be."""
        if len(self.findings) < MOST_FINDINGS:
            self.findings.append(f"{what}\n    {text[:1_000]!r}")

    def summary(self) -> str:
        """Return the run in words."""
        return "\n".join(
            [
                f"texts tried: {self.tried}",
                f"accepted: {self.accepted}, {self.accepted_short} of them in the short form",
                f"read by the job's gate: {self.read}",
                f"evaluated over hostile events: {self.evaluated}, in {self.batches} batches",
                f"slowest check: {self.slowest_seconds * 1000:.0f} ms, {self.slowest_text[:100]!r}",
                f"slowest evaluation of a batch: {self.slowest_batch_seconds:.1f} s",
                f"distinct issue codes: {len(self.codes)}",
                *(f"  {count:>7} {code}" for code, count in self.codes.most_common()),
                f"findings: {len(self.findings)}",
                *(f"  {found}" for found in self.findings),
            ]
        )


class Fuzz:
    """One run.

    Args:
        directory: Empty; for the marker file and the events.
    """

    def __init__(self, spark: SparkSession, directory: Path, seed: int) -> None:
        self.outcome = Outcome()
        self._spark = spark
        self._frames = _hostile_frames(spark, directory)
        self._watch = Watch(spark, directory)
        self._chance = random.Random(seed)
        self._mutator = Mutator(self._chance, self._watch.bait)
        self._pending: dict[str, str] = {}
        for text in self._mutator.seeds():  # what is read on first use, such as the time zones, is read now
            check_rule(text, SCHEMA)

    def run(self, *, seconds: float | None = None, texts: int | None = None) -> Outcome:
        """Try texts until so much time is over, or so many were tried."""
        began = time.monotonic()
        for seed in self._mutator.seeds():
            self._try(seed)
        self._look_at_accepted()
        told = began
        while (seconds is None or time.monotonic() - began < seconds) and (texts is None or self.outcome.tried < texts):
            self._try(self._mutator.text())
            if time.monotonic() - told > PROGRESS_SECONDS:
                told = time.monotonic()
                outcome = self.outcome
                print(f"{outcome.tried} tried, {outcome.accepted} accepted, {outcome.findings}", file=sys.stderr)
        self._look_at_accepted()
        self._watch.close()
        return self.outcome

    def _try(self, text: str) -> None:
        outcome = self.outcome
        outcome.tried += 1
        began = time.thread_time()
        try:
            with self._watch.listening():
                checked = check_rule(text, SCHEMA)
        except Exception as raised:
            outcome.finding(f"the check raises {type(raised).__name__}: {str(raised)[:300]}", text)
            return
        spent = time.thread_time() - began
        if spent > outcome.slowest_seconds:
            outcome.slowest_seconds, outcome.slowest_text = spent, text
        if spent > SLOWEST_CHECK_SECONDS:
            outcome.finding(f"the check takes {spent:.2f} s", text)
        if heard := self._watch.heard():
            outcome.finding(f"the check does {heard[:3]}", text)
        issues = checked.result.issues
        outcome.codes.update({issue.code for issue in issues})
        for issue in issues:
            if issue.code not in CODES or not issue.message or not 0 <= issue.start <= issue.end <= len(text):
                outcome.finding(f"a malformed issue {issue}", text)
            if self._watch.told(f"{issue.message} {issue.suggestion}") and not self._watch.told(text):
                outcome.finding(f"the issue tells what the marker holds: {issue}", text)
        if checked.result.valid == bool(checked.result.errors):
            outcome.finding(f"valid is {checked.result.valid} beside errors {checked.result.errors}", text)
        if checked.result.valid:
            outcome.accepted += 1
            outcome.accepted_short += checked.short_form is not None
            self._mutator.keep(text)
            self._accept(text, checked.rule_expression, str(checked.result.compiled))

    def _accept(self, text: str, condition: str, compiled: str) -> None:
        """Compile an accepted condition as the job does, and look at it with the next batch."""
        try:
            again = compile_condition(condition, SCHEMA).sql
        except InvalidRuleError as refused:
            self.outcome.finding(f"accepted, but the job does not compile {condition[:300]!r}: {refused}", text)
            return
        if again != compiled:
            self.outcome.finding(f"the job compiles it to {again[:300]!r}, not to {compiled[:300]!r}", text)
        self._pending[again] = text
        if len(self._pending) >= BATCH:
            self._look_at_accepted()

    def _look_at_accepted(self) -> None:
        """Have the job's gate read what was accepted, and Spark evaluate some of it."""
        pending, self._pending = self._pending, {}
        conditions = list(pending)
        if not conditions:
            return
        self.outcome.read += len(conditions)
        for index, reasons in refused_conditions(self._spark, conditions).items():
            self.outcome.finding(f"accepted, but the job's gate refuses it: {reasons}", pending[conditions[index]])
        conditions = self._chance.sample(conditions, max(1, round(len(conditions) * EVALUATED_SHARE)))
        frame = self._frames[0 if self.outcome.batches % 8 else 1]
        began = time.monotonic()
        for condition, failed in self._failures(frame, conditions):
            self.outcome.finding(f"it throws, or does not end: {failed}", pending[condition])
        spent = time.monotonic() - began
        self.outcome.batches += 1
        self.outcome.evaluated += len(conditions)
        self.outcome.slowest_batch_seconds = max(spent, self.outcome.slowest_batch_seconds)
        for raised in self._watch.raised():
            self.outcome.finding(f"{raised} since the last batch, which ends with", pending[conditions[-1]])

    def _failures(self, frame: DataFrame, conditions: list[str]) -> list[tuple[str, str]]:
        """Return which conditions fail, found by halving, and how."""
        failed = self._failure(frame, conditions)
        if failed is None:
            return []
        if len(conditions) == 1:
            return [(conditions[0], failed)]
        middle = len(conditions) // 2
        return [*self._failures(frame, conditions[:middle]), *self._failures(frame, conditions[middle:])]

    def _failure(self, frame: DataFrame, conditions: list[str]) -> str | None:
        """Evaluate conditions; return what went wrong."""
        overdue = threading.Timer(SLOWEST_BATCH_SECONDS, self._spark.sparkContext.cancelAllJobs)
        overdue.start()
        try:
            evaluated = frame.select(*[F.expr(each).alias(str(i)) for i, each in enumerate(conditions)])
            types = {kind for _, kind in evaluated.dtypes}
            rows = evaluated.collect()
        except Exception as failed:
            return str(failed)[:500]
        finally:
            overdue.cancel()
        verdicts = {verdict for row in rows for verdict in row}
        if types != {"boolean"} or not verdicts <= {True, False, None}:
            return f"verdicts {sorted(map(str, verdicts))[:5]} of types {sorted(types)}"
        return None


def _hostile_frames(spark: SparkSession, directory: Path) -> list[DataFrame]:
    """Return the hostile events, interpreted and by generated code; from a file, so that nothing is folded."""
    path = (directory / "events").as_uri()
    spark.sql(" UNION ALL ".join(f"SELECT {event} AS event" for event in hostile_events(60))).coalesce(1).write.parquet(
        path
    )
    interpreted, compiling = evaluation_session(spark), evaluation_session(spark)
    interpreted.conf.set("spark.sql.codegen.factoryMode", "NO_CODEGEN")
    return [session.read.parquet(path) for session in (interpreted, compiling)]


def main() -> int:
    """Run it from the command line."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--minutes", type=float, default=10.0)
    arguments.add_argument("--seed", type=int, default=1)
    given = arguments.parse_args()
    settings = Settings()
    os.environ.setdefault("JAVA_HOME", str(find_java(settings.home).home))
    extra = {"spark.ui.enabled": "false", "spark.driver.memory": "1g"}
    spark = build_session(settings, app_name="fuzz of the gate", master="local[2]", extra=extra)
    with tempfile.TemporaryDirectory() as directory:
        outcome = Fuzz(spark, Path(directory), given.seed).run(seconds=given.minutes * 60)
    spark.stop()
    print(f"{given.minutes:g} minutes, seed {given.seed}\n{outcome.summary()}")
    return 1 if outcome.findings else 0


if __name__ == "__main__":
    sys.exit(main())
