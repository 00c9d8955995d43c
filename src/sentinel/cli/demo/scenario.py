"""What the demo does, in order.

1. Servers, API and dashboard run. 2. Jobs of earlier demos stop. 3. A pipeline with its rules is made by the API, and
its job runs. 4. Traffic flows by a fixed timetable; a third on the way a rule is added, at two thirds a field.
5. Everything sent is decided and archived. 6. Figures, and `sentinel reconcile` as the judge.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from sentinel.cli.demo.example import Example
from sentinel.cli.demo.outcome import Change, Outcome, effect_of, run_reconcile
from sentinel.client import models
from sentinel.client.client import Client
from sentinel.clock import monotonic_seconds, utc_now
from sentinel.errors import StoreUnavailableError, TransientError
from sentinel.localstack.jobs import job_name, job_program
from sentinel.localstack.services import SERVICES, start_service
from sentinel.localstack.stack import Stack
from sentinel.settings import Settings
from sentinel.stores.postgres.database import Database
from sentinel.stores.postgres.run_figures import Archived, alerts_per_rule, archived, latency
from sentinel.workload.feed import Chunk, generated
from sentinel.workload.generator import CardTransactions
from sentinel.workload.producer import SendSummary, ensure_topic, send
from sentinel.workload.status_line import StatusLine

PARTITIONS = 4
JOB_START_SECONDS = 180.0
DECIDE_SECONDS = 120.0
ARCHIVE_SECONDS = 180.0
LOOK_SECONDS = 0.25
# How much longer than planned traffic flows at most while a change is not in force.
EXTRA_SECONDS = 60.0
# Sent before the timetable begins and counted like all others: a JVM that has seen no event yet is slow.
WARM_UP_EVENTS = 2_000
CALM_SECONDS = 10.0
# The first events are drawn in less.
LEAD_SECONDS = 0.5
NAME = "{name}_demo_{run}"


@dataclass(frozen=True, slots=True)
class Plan:
    """How a run is done. `run` makes its names."""

    run: str
    seconds: float
    rate: float
    seed: int


class Scenario:
    """One run of the demo."""

    def __init__(self, settings: Settings, example: Example, plan: Plan, status: StatusLine) -> None:
        self._settings = settings
        self._example = example
        self._plan = plan
        self._status = status
        self._stop = threading.Event()
        self._in_force = threading.Event()
        self._traffic: threading.Thread | None = None
        self._summary: SendSummary | None = None
        self._traffic_error: BaseException | None = None
        self._pipeline_id = 0
        self._topic = f"{example.pipeline['kafka_topic']}-{plan.run.replace('_', '-')}"
        self._began_at = utc_now()

    def play(self) -> Outcome:
        """Run it all.

        Raises:
            SentinelError: A step cannot be done; the message says what to do.
        """
        began = monotonic_seconds()
        stack = Stack.open(self._settings, report=self._status.say)
        stack.up()
        self._settings = stack.settings
        urls = {
            name: start_service(SERVICES[name], self._settings, stack.supervisor, stack.paths)
            for name in ("api", "dashboard")
        }
        with Client.of(self._settings) as client:
            self._stop_earlier(stack, client)
            pipeline = self._create(client)
            self._run_job(stack, client)
            warm_up = self._warm_up(client)
            changes = self._flow(client)
            summary = self._sent()
            delivered = warm_up.delivered + summary.delivered
            self._await_decided(client, delivered)
            self._status.say(f"all {delivered:,} delivered events are decided")
            job = client.progress(self._pipeline_id).job
            generations = client.generations(self._pipeline_id, limit=100)
        database = Database(self._settings.postgres, pool_size=1)
        database.open()
        try:
            counts = self._await_archived(database, delivered)
            self._status.say("all of them are archived; recomputing every alert from the lake")
            proof = run_reconcile(self._settings, self._pipeline_id)
            with database.transaction(self._settings.tenant) as connection:
                rules = alerts_per_rule(connection, self._pipeline_id)
                measured = latency(connection, self._pipeline_id, time_field="event_time", since=self._began_at)
        finally:
            database.close()
        effects = [effect_of(self._settings, self._pipeline_id, change, generations) for change in changes]
        return Outcome(
            pipeline=pipeline,
            warm_up=warm_up,
            summary=summary,
            archived=counts,
            rules=rules,
            latency=measured,
            effects=effects,
            proof=proof,
            urls={
                "API docs": f"{urls['api']}/docs",
                "dashboard": urls["dashboard"],
                "Spark UI": str((job.details if job else {}).get("spark_ui", "-")),
            },
            seconds=monotonic_seconds() - began,
        )

    def close(self) -> None:
        """Stop the traffic, if it flows."""
        self._stop.set()
        if self._traffic is not None:
            self._traffic.join(timeout=30)

    # -- steps

    def _stop_earlier(self, stack: Stack, client: Client) -> None:
        """Stop the jobs of earlier demos: each holds a gigabyte and a share of the processors."""
        prefix = NAME.format(name=self._example.pipeline["name"], run="")
        states = stack.supervisor.states()
        for pipeline in client.list_pipelines():
            state = states.get(job_name([pipeline.id]))
            if pipeline.name.startswith(prefix) and pipeline.status == "active":
                if state is not None and state.pid:
                    self._status.say(f"stopping the job of the earlier run {pipeline.name}")
                    stack.supervisor.forget(state.name)
                client.set_pipeline_status(pipeline.id, "stopped")

    def _create(self, client: Client) -> models.Pipeline:
        example = self._example
        name = NAME.format(name=example.pipeline["name"], run=self._plan.run)
        topic = self._topic
        ensure_topic(self._settings.kafka, topic, PARTITIONS)
        self._pipeline_id = client.create_pipeline(name, topic, example.pipeline["schema"])
        for rule in example.rules:
            client.add_rule(self._pipeline_id, **rule)
        self._status.say(f"pipeline {self._pipeline_id} ({name}) reads {topic} and has {len(example.rules)} rules")
        return client.get_pipeline(self._pipeline_id)

    def _run_job(self, stack: Stack, client: Client) -> None:
        program = job_program([self._pipeline_id], self._settings)
        program.write(stack.paths)
        stack.supervisor.start(program.name)

        def ready() -> bool:
            if stack.supervisor.has_failed(program.name):
                raise stack.supervisor.complaint(program.name, "the job", "it ended instead of starting")
            return any(item.state == "active" for item in client.generations(self._pipeline_id))

        began = monotonic_seconds()
        try:
            self._await("the job starts", JOB_START_SECONDS, ready)
        except TransientError as error:
            raise stack.supervisor.complaint(program.name, "the job", error.message) from error
        self._status.say(f"the job runs after {monotonic_seconds() - began:.0f} s")

    def _warm_up(self, client: Client) -> SendSummary:
        """Send the first events at once and wait until they are decided and the JVM had time to compile."""
        plan = self._plan
        transactions = CardTransactions(plan.seed + 1, start=utc_now(), rate=plan.rate)
        chunks = generated(transactions, rate=None, count=WARM_UP_EVENTS)
        summary = send(
            self._settings.kafka,
            self._topic,
            chunks,
            begin=monotonic_seconds(),
            stop=self._stop,
            on_progress=self._tell,
        )
        began = monotonic_seconds()
        self._await_decided(client, summary.delivered)
        self._status.say(
            f"the first {summary.delivered:,} events are decided after {monotonic_seconds() - began:.0f} s"
        )
        until = monotonic_seconds() + CALM_SECONDS
        self._await("the job is warm", CALM_SECONDS + 1, lambda: monotonic_seconds() > until)
        return summary

    def _flow(self, client: Client) -> list[Change]:
        plan = self._plan
        start = utc_now() + timedelta(seconds=LEAD_SECONDS)
        self._began_at = start
        begin = monotonic_seconds() + LEAD_SECONDS
        self._traffic = threading.Thread(target=self._send, args=(start, begin), name="traffic", daemon=True)
        self._traffic.start()
        self._status.say(f"sending {plan.rate:,.0f} events/s for {plan.seconds:.0f} s")
        changes = []
        self._pass(begin + plan.seconds / 3)
        asked = utc_now()
        rule = client.add_rule(self._pipeline_id, **self._example.added_rule)
        version = client.get_pipeline(self._pipeline_id).rule_set_version
        changes.append(Change("new rule", asked, rule_set_version=version, rule_id=rule.id))
        self._status.say(f"added rule {rule.id}: {rule.rule_expression}")
        self._pass(begin + plan.seconds * 2 / 3)
        schema = client.get_schema(self._pipeline_id)
        asked = utc_now()
        put = client.put_schema(self._pipeline_id, [*schema.fields, self._example.added_field])
        field = str(self._example.added_field["name"])
        changes.append(Change("new field", asked, schema_version=put.version, field=field))
        self._status.say(f"added field {field}: schema version {put.version}")
        while self._traffic.is_alive():
            serving = [item for item in client.generations(self._pipeline_id) if item.state == "active"]
            if any(item.schema_version >= put.version for item in serving):
                self._in_force.set()
            self._pass(monotonic_seconds() + LOOK_SECONDS)
        self._pass(None)
        return changes

    def _send(self, start: datetime, begin: float) -> None:
        try:
            self._summary = send(
                self._settings.kafka,
                self._topic,
                self._chunks(start),
                begin=begin,
                stop=self._stop,
                on_progress=self._tell,
            )
        except BaseException as error:
            self._traffic_error = error

    def _chunks(self, start: datetime) -> Iterator[Chunk]:
        """Yield the traffic of the plan, and more of it while a change is not in force: only traffic shows it."""
        plan = self._plan
        planned = CardTransactions(plan.seed, start=start, rate=plan.rate)
        yield from sliced(generated(planned, rate=plan.rate, count=round(plan.rate * plan.seconds)), plan.rate)
        more = CardTransactions(plan.seed + 2, start=start + timedelta(seconds=plan.seconds), rate=plan.rate)
        for chunk in sliced(generated(more, rate=plan.rate, count=round(plan.rate * EXTRA_SECONDS)), plan.rate):
            if self._in_force.is_set():
                return
            yield Chunk(chunk.messages, [plan.seconds + due for due in chunk.due or ()])

    def _tell(self, summary: SendSummary) -> None:
        self._status.update(f"{summary.seconds:5.1f} s of traffic, {summary.delivered:,} events delivered")

    def _pass(self, until: float | None) -> None:
        """Wait until a moment, or the end of the traffic."""
        thread = self._traffic
        while thread is not None and thread.is_alive() and (until is None or monotonic_seconds() < until):
            thread.join(LOOK_SECONDS if until is None else min(LOOK_SECONDS, max(0.0, until - monotonic_seconds())))
        if self._traffic_error is not None:
            raise self._traffic_error

    def _sent(self) -> SendSummary:
        if self._summary is None:
            raise StoreUnavailableError("Kafka", "the traffic ended without a summary")
        self._status.say(f"sent {self._summary.sent:,} events, {self._summary.failed:,} failed")
        return self._summary

    def _await_decided(self, client: Client, delivered: int) -> None:
        self._await(
            "the last events are decided",
            DECIDE_SECONDS,
            lambda: sum(item.next_offset for item in client.progress(self._pipeline_id).partitions) >= delivered,
        )

    def _await_archived(self, database: Database, delivered: int) -> Archived:
        found = Archived(0, 0)

        def done() -> bool:
            nonlocal found
            with database.transaction(self._settings.tenant) as connection:
                found = archived(connection, self._pipeline_id)
            return found.events + found.dead_letters >= delivered

        # What is missing afterwards shows in the figures and in the proof.
        with suppress(TransientError):
            self._await("the archive takes in the last events", ARCHIVE_SECONDS, done)
        return found

    def _await(self, what: str, seconds: float, done: Callable[[], bool]) -> None:
        began = monotonic_seconds()
        while not done():
            passed = monotonic_seconds() - began
            if passed > seconds:
                raise TransientError(f"after {seconds:.0f} s still waiting until {what}; see `sentinel logs`")
            self._status.update(f"waiting until {what}: {passed:.0f} s")
            self._stop.wait(LOOK_SECONDS)


def sliced(chunks: Iterable[Chunk], rate: float) -> Iterator[Chunk]:
    """Cut chunks to what is due within `LOOK_SECONDS`: a sender asks for a chunk when it begins with the one before."""
    size = max(1, round(rate * LOOK_SECONDS))
    for chunk in chunks:
        for start in range(0, len(chunk.messages), size):
            yield Chunk(chunk.messages[start : start + size], (chunk.due or [])[start : start + size])
