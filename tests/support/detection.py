"""A workbench for tests that run the detection job on real servers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import redis
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from psycopg.rows import dict_row

from sentinel.catalog.rule_batch import MAX_ENTRIES, RuleEntry
from sentinel.domain.pipeline import DetectMode, PipelineConfig, PipelineStatus
from sentinel.domain.rule import Severity
from sentinel.domain.schema_definition import FieldDefinition
from sentinel.errors import SentinelError
from sentinel.settings import PROJECT_ROOT, Settings
from sentinel.stores.redis.scores import ScoreStore
from sentinel.streaming.topics import Topics
from sentinel.testing.servers import ServerSet
from sentinel.wiring import Backend
from tests.support.job import SHORT_LIVED, Job, ended, start_process

PAYMENT_FIELDS: list[dict[str, Any]] = [
    {"name": "id", "type": "string", "nullable": False, "role": "event_id"},
    {"name": "user_id", "type": "string", "role": "entity"},
    {"name": "amount", "type": "float"},
    {"name": "sent_at", "type": "float"},
]


class Workbench:
    """Creates pipelines, sends records, runs jobs and looks at what came out, for one tenant.

    Args:
        as_shipped: Jobs rehearse and measure rules as the product does: where something is measured.
    """

    def __init__(self, servers: ServerSet, tenant_id: str, directory: Path, *, as_shipped: bool = False) -> None:
        self._environment = {} if as_shipped else SHORT_LIVED
        self.servers = servers
        self.settings: Settings = servers.settings.model_copy(update={"tenant": tenant_id})
        self.tenant_id = tenant_id
        self.directory = directory
        self._jobs: list[Job] = []
        self._asking = threading.Lock()
        self._connection: psycopg.Connection[dict[str, Any]] | None = None
        self.backend = Backend(self.settings)
        self.backend.open()
        self.topics = Topics(self.settings.kafka, group_id=f"test-{uuid.uuid4().hex}")
        self._admin = AdminClient({"bootstrap.servers": self.settings.kafka.bootstrap_servers, "log_level": 0})
        self.redis = redis.Redis(
            host=self.settings.redis.host,
            port=self.settings.redis.port,
            password=self.settings.redis.password.get_secret_value() or None,
            decode_responses=True,
        )

    def close(self) -> None:
        """End what still runs and leave the servers."""
        for job in self._jobs:
            if job.process.poll() is None:
                job.kill()
        self._leave()
        self.backend.close()
        self.topics.close()
        self.redis.close()

    # -- configuration

    def create_topic(self, partitions: int = 4, *, name: str = "", **config: str) -> str:
        """Create a topic, with a new name unless one is given."""
        topic = name or f"t-{uuid.uuid4().hex[:12]}"
        (future,) = self._admin.create_topics([NewTopic(topic, partitions, 1, config=config)]).values()
        future.result(30)
        self.wait_until("every partition of the new topic has a leader", lambda: self._leads(topic, partitions))
        return topic

    def _leads(self, topic: str, partitions: int) -> bool:
        try:
            return len(self.topics.ranges(topic)) == partitions
        except SentinelError:
            return False

    def delete_topic(self, topic: str) -> None:
        """Delete a topic and wait until it is gone."""
        for future in self._admin.delete_topics([topic]).values():
            future.result(30)
        self.wait_until("the topic is gone", lambda: topic not in self._admin.list_topics(timeout=60).topics)

    def make_anew(self, topic: str, values: Iterable[bytes | None]) -> None:
        """Delete a topic, make one of the same name with one partition and fill it."""
        self.delete_topic(topic)
        self.create_topic(1, name=topic)
        self.send(topic, values)

    def delete_records(self, topic: str, before: Mapping[int, int]) -> None:
        """Cut a topic as retention does: partition -> first offset that stays."""
        offsets = [TopicPartition(topic, partition, offset) for partition, offset in before.items()]
        for future in self._admin.delete_records(offsets).values():
            future.result(30)

    def create_pipeline(
        self,
        topic: str,
        rules: Mapping[str, str],
        *,
        fields: Sequence[dict[str, Any]] = PAYMENT_FIELDS,
        mode: DetectMode = DetectMode.REALTIME,
        **config: Any,
    ) -> int:
        """Create a pipeline with rules {description: condition}, all critical."""
        with self.backend.unit(self.tenant_id, "test") as unit:
            pipeline = unit.pipelines.create(
                name=f"p-{uuid.uuid4().hex[:8]}",
                kafka_topic=topic,
                definitions=[definition(field) for field in fields],
                config=PipelineConfig(mode=mode, **{"storm_limit": 10_000_000, **config}),
                start_at="earliest",
                status=PipelineStatus.ACTIVE,
            )
        entries = [RuleEntry(None, sql, Severity.CRITICAL, description) for description, sql in rules.items()]
        with self.backend.unit(self.tenant_id, "test") as unit:
            for start in range(0, len(entries), MAX_ENTRIES):
                unit.rule_batch.write(pipeline.id, entries[start : start + MAX_ENTRIES])
        return pipeline.id

    def add_rule(self, pipeline_id: int, description: str, condition: str, severity: str = "critical") -> int:
        """Add a rule and return its id."""
        with self.backend.unit(self.tenant_id, "test") as unit:
            rule = unit.rules.add(
                pipeline_id, rule_expression=condition, severity=Severity(severity), description=description
            )
        return rule.id

    def set_status(self, pipeline_id: int, status: str) -> None:
        """Pause, resume or stop a pipeline."""
        with self.backend.unit(self.tenant_id, "test") as unit:
            unit.pipelines.set_status(pipeline_id, PipelineStatus(status), expected_version=None)

    # -- records

    def send(self, topic: str, values: Iterable[bytes | None], *, partitions: int | None = None) -> int:
        """Send records, round robin over the first `partitions` partitions, and return how many."""
        producer = Producer(
            {
                "bootstrap.servers": self.settings.kafka.bootstrap_servers,
                "linger.ms": 5,
                "message.max.bytes": 4_000_000,
                "queue.buffering.max.messages": 2_000_000,
                "log_level": 0,
            }
        )
        count = partitions or len(self.topics.partitions(topic))
        sent = 0
        for value in values:
            producer.produce(topic, value, partition=sent % count)
            sent += 1
            if sent % 1000 == 0:
                producer.poll(0)
        assert producer.flush(60) == 0
        return sent

    def send_steadily(self, topic: str, rate: int, until: Callable[[int, float], bool]) -> int:
        """Send payments at a rate until told to stop (given count and seconds); open loop, scheduled time in `sent_at`.

        Every 100th has an amount of 5000, all others of 10; user_id is u0..u49; ids are 0, 1, 2, ...
        """
        producer = Producer(
            {"bootstrap.servers": self.settings.kafka.bootstrap_servers, "linger.ms": 1, "log_level": 0}
        )
        began = time.time()
        sent = 0
        while not until(sent, time.time() - began):
            due = int((time.time() - began) * rate)
            for number in range(sent, due):
                producer.produce(topic, payment(number, sent_at=began + number / rate))
            sent = max(sent, due)
            producer.poll(0)
            time.sleep(0.001)
        assert producer.flush(60) == 0
        return sent

    # -- jobs

    @contextmanager
    def job(self, *pipeline_ids: int, master: str = "", **environment: str) -> Iterator[Job]:
        """Run a driver for these pipelines; it is stopped, or killed, at the end."""
        with ended(self.start_job(*pipeline_ids, master=master, **environment)) as job:
            yield job

    def start_job(self, *pipeline_ids: int, master: str = "", **environment: str) -> Job:
        """Start a driver; the caller ends it."""
        command = [sys.executable, str(PROJECT_ROOT / "jobs" / "detect.py"), "--tenant", self.tenant_id]
        for pipeline_id in pipeline_ids:
            command += ["--pipeline-id", str(pipeline_id)]
        if master:
            command += ["--master", master]
        return self._start("job", command, environment)

    @contextmanager
    def worker(self, **environment: str) -> Iterator[Job]:
        """Run a rule worker for the tenant; it is stopped, or killed, at the end."""
        with ended(self.start_worker(**environment)) as worker:
            yield worker

    def start_worker(self, **environment: str) -> Job:
        """Start a rule worker; the caller ends it."""
        command = [sys.executable, str(PROJECT_ROOT / "jobs" / "rule_worker.py"), "--tenant", self.tenant_id]
        return self._start("worker", command, {"SENTINEL_WORKER__LEASE_SECONDS": "4", **environment})

    def start_notifier(self, **environment: str) -> Job:
        """Start the worker, which notifies, for all tenants; the caller ends it."""
        return self._start("notifier", [sys.executable, str(PROJECT_ROOT / "jobs" / "worker.py")], environment)

    def _start(self, name: str, command: list[str], environment: dict[str, str]) -> Job:
        job = start_process(name, command, self.settings, self.directory, {**self._environment, **environment})
        self._jobs.append(job)
        return job

    def command(self, *arguments: str, environment: Mapping[str, str] | None = None, code: int = 0) -> str:
        """Run a `sentinel` command and return what it prints; fail unless it ends with this code."""
        variables = {
            **{name: value for name, value in os.environ.items() if not name.startswith("SENTINEL_")},
            "PYTHONPATH": f"{PROJECT_ROOT / 'src'}{os.pathsep}{PROJECT_ROOT}",
            "SENTINEL_HOME": str(self.settings.home),
            "SENTINEL_TENANT": self.tenant_id,
            **(environment or {}),
        }
        command = [sys.executable, "-m", "sentinel.cli.app", *arguments]
        done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stderr
        return done.stdout

    # -- waiting and looking

    def query(self, statement: str, *parameters: Any) -> list[dict[str, Any]]:
        """Run SQL as the owner role, in the name of the tenant."""
        with self._asking:
            try:
                return self._ask(statement, parameters)
            except psycopg.OperationalError:
                # The server may have been away since the last question.
                self._leave()
                return self._ask(statement, parameters)

    def _ask(self, statement: str, parameters: tuple[Any, ...]) -> list[dict[str, Any]]:
        # Conditions are polled: a connection for each question would take a tenth of a core.
        if self._connection is None:
            self._connection = psycopg.connect(self.settings.postgres.conninfo("owner"), row_factory=dict_row)
        with self._connection.transaction():
            self._connection.execute("SELECT set_config('app.tenant_id', %s, true)", (self.tenant_id,))
            return self._connection.execute(statement, parameters).fetchall()  # type: ignore[call-overload,no-any-return]

    def _leave(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def execute(self, statement: str, *parameters: Any) -> None:
        """Change something by SQL as the owner role, in the name of the tenant."""
        with psycopg.connect(self.settings.postgres.conninfo("owner")) as connection:
            connection.execute("SELECT set_config('app.tenant_id', %s, true)", (self.tenant_id,))
            connection.execute(statement, parameters)  # type: ignore[call-overload]

    def wait_until(self, what: str, check: Callable[[], bool], job: Job | None = None, timeout: float = 600) -> None:
        """Wait for a condition; fail with the job's log when it does not come true."""
        deadline, pause = time.monotonic() + timeout, 0.05
        while not check():
            if job is not None and job.process.poll() is not None:
                raise AssertionError(f"the job ended while waiting until {what}:\n{job.tail()}")
            if time.monotonic() > deadline:
                raise AssertionError(f"not within {timeout} s: {what}\n{job.tail() if job else ''}")
            time.sleep(pause)
            # Most wait for seconds: asked ten times each, the questions would take a tenth of the processor.
            pause = min(0.5, pause * 1.3)

    def wait_decided(self, pipeline_id: int, topic: str, job: Job | None = None, timeout: float = 600) -> None:
        """Wait until every record that is in the topic now is decided."""
        highs = {p: place.high for p, place in self.topics.ranges(topic).items()}
        self.wait_until(
            f"pipeline {pipeline_id} has decided {highs}, not only {self.decided(pipeline_id)}",
            lambda: all(self.decided(pipeline_id).get(p, 0) >= high for p, high in highs.items()),
            job,
            timeout,
        )

    def wait_archived(self, pipeline_id: int, job: Job | None = None, timeout: float = 600) -> None:
        """Wait until every decided record is in the lake (or a dead letter)."""
        self.wait_until(
            f"pipeline {pipeline_id} has archived what is decided",
            lambda: self.archived(pipeline_id) == self.decided(pipeline_id),
            job,
            timeout,
        )

    def wait_settled(self, pipeline_id: int, topic: str, job: Job | None = None) -> None:
        """Wait until every record that is in the topic now is decided, archived and scored."""
        self.wait_decided(pipeline_id, topic, job)
        self.wait_archived(pipeline_id, job)
        scores = ScoreStore(self.redis, self.settings.redis, self.tenant_id, pipeline_id)
        newest = self.query("SELECT max(id) AS id FROM sentinel.alerts WHERE pipeline_id = %s", pipeline_id)[0]["id"]
        self.wait_until("the scores follow", lambda: scores.position() >= (newest or 0), job)

    def wait_observed(self, pipeline_id: int, job: Job | None = None) -> None:
        """Wait until the outcomes of everything in the lake are counted."""
        self.wait_until(
            f"all commits of pipeline {pipeline_id} are counted",
            lambda: (
                not self.query(
                    "SELECT FROM sentinel.archive_commits WHERE pipeline_id = %s AND NOT is_observed", pipeline_id
                )
            ),
            job,
        )

    def wait_newest_serves(self, pipeline_id: int, job: Job | None = None, timeout: float = 600) -> None:
        """Wait until the newest schema and rule set are in force."""
        self.wait_until(
            f"pipeline {pipeline_id} serves its newest versions",
            lambda: self.serves_newest(pipeline_id),
            job,
            timeout,
        )

    def serves_newest(self, pipeline_id: int) -> bool:
        """Whether the newest schema and rule set are in force."""
        return bool(
            self.query(
                "SELECT FROM sentinel.generations g JOIN sentinel.pipelines p ON p.id = g.pipeline_id"
                " WHERE g.state = 'active' AND g.rule_set_version = p.rule_set_version"
                " AND g.schema_version = p.schema_version AND p.id = %s",
                pipeline_id,
            )
        )

    def wait_generation(self, pipeline_id: int, job: Job, timeout: float = 180) -> None:
        """Wait until a generation serves."""
        self.wait_until("a generation serves", lambda: bool(self.generations(pipeline_id, "active")), job, timeout)

    def decided(self, pipeline_id: int) -> dict[int, int]:
        """Partition -> next offset."""
        rows = self.query("SELECT partition, next_offset FROM sentinel.progress WHERE pipeline_id = %s", pipeline_id)
        return {row["partition"]: row["next_offset"] for row in rows}

    def archived(self, pipeline_id: int) -> dict[int, int]:
        """Partition -> end of what is committed to the lake, of the current source epoch."""
        ends: dict[int, int] = dict.fromkeys(self.decided(pipeline_id), 0)
        for row in self.query(
            "SELECT ranges FROM sentinel.archive_commits c JOIN sentinel.generations g ON g.id = c.generation_id"
            " JOIN sentinel.pipelines p ON p.id = c.pipeline_id AND p.source_epoch = g.source_epoch"
            " WHERE c.pipeline_id = %s AND c.state = 'committed'",
            pipeline_id,
        ):
            for partition, (_, end) in row["ranges"].items():
                ends[int(partition)] = max(end, ends.get(int(partition), 0))
        return ends

    def generations(self, pipeline_id: int, *states: str) -> list[dict[str, Any]]:
        """The pipeline's generations, oldest first."""
        rows = self.query("SELECT * FROM sentinel.generations WHERE pipeline_id = %s ORDER BY id", pipeline_id)
        return [row for row in rows if not states or row["state"] in states]

    def alerts_by_rule(self, pipeline_id: int) -> dict[str, int]:
        """Rule description -> number of alerts."""
        rows = self.query(
            "SELECT rule_description, count(*) AS n FROM public.fraud_alerts WHERE pipeline_id = %s GROUP BY 1",
            pipeline_id,
        )
        return {row["rule_description"]: row["n"] for row in rows}


def definition(field: dict[str, Any]) -> FieldDefinition:
    """Turn a field's stored form into a definition."""
    role = field.get("role")
    return FieldDefinition(field["name"], field["type"], field.get("nullable"), frozenset({role} if role else ()))


def payment(number: int, **more: Any) -> bytes:
    """The JSON of a payment; see `Workbench.send_steadily`."""
    amount = 5000.0 if number % 100 == 0 else 10.0
    return json.dumps({"id": str(number), "user_id": f"u{number % 50}", "amount": amount, **more}).encode()
