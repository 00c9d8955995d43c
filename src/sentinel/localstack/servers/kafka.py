"""A Kafka broker (KRaft, one node) from the jars of the set `kafka`."""

from __future__ import annotations

import logging
import shutil
import subprocess
import uuid
from base64 import urlsafe_b64encode
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from sentinel.errors import ConfigurationError
from sentinel.localstack.jars import class_path
from sentinel.localstack.paths import DEPLOY_DIR
from sentinel.localstack.program import Program
from sentinel.localstack.servers.base import ServerContext, java_properties
from sentinel.localstack.state import write_private

_HEAP = "512m"
# librdkafka writes "connection refused" to standard error while the broker starts; the probe's answer says it.
_SILENT = logging.getLogger("sentinel.localstack.kafka.probe")
_SILENT.addHandler(logging.NullHandler())
_SILENT.propagate = False


class KafkaServer:
    """Events, dead letters and findings."""

    name = "kafka"
    label = "Kafka"
    ports: dict[str, int | None] = {"kafka": 9092, "kafka-controller": None}  # noqa: RUF012 - never changed
    setting = "SENTINEL_KAFKA__BOOTSTRAP_SERVERS"

    def prepare(self, context: ServerContext) -> Program:
        """Write its configuration and format its directory once."""
        logs = context.data_dir(self.name) / "logs"
        configuration = context.paths.run / "kafka.properties"
        if not (logs / "meta.properties").exists():
            draft = logs.with_name("logs.draft")
            shutil.rmtree(draft, ignore_errors=True)
            draft.mkdir(parents=True)
            write_private(configuration, java_properties(_properties(context, draft)))
            _format(context, configuration)
            draft.rename(logs)
        write_private(configuration, java_properties(_properties(context, logs)))
        return Program(
            name=self.name,
            argv=(*_java(context), "kafka.Kafka", str(configuration)),
            directory=context.data_dir(self.name),
            stop_seconds=30,
        )

    def probe(self, context: ServerContext) -> str | None:
        """Ask for the cluster's metadata."""
        address = f"127.0.0.1:{context.port('kafka')}"
        client = AdminClient(
            {"bootstrap.servers": address, "socket.timeout.ms": 2000, "log_level": 0, "reconnect.backoff.max.ms": 200},
            logger=_SILENT,
        )
        try:
            brokers = client.list_topics(timeout=2).brokers
        except KafkaException as error:
            return str(error.args[0].str())
        return None if brokers else "the broker is not registered yet"

    def bootstrap(self, context: ServerContext) -> None:
        """Nothing to create: topics belong to pipelines."""


def _java(context: ServerContext) -> tuple[str, ...]:
    return (
        str(context.java.executable),
        f"-Xmx{_HEAP}",
        "-Xms128m",
        "-XX:+UseG1GC",
        "-XX:MaxGCPauseMillis=20",
        "-XX:MaxMetaspaceSize=128m",
        "-XX:+ExitOnOutOfMemoryError",
        "-Djava.awt.headless=true",
        f"-Dlog4j2.configurationFile={(DEPLOY_DIR / 'kafka-log4j2.properties').as_uri()}",
        "-cp",
        class_path(context.jars, "kafka"),
    )


def _format(context: ServerContext, configuration: Path) -> None:
    cluster_id = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    if cluster_id.startswith("-"):
        cluster_id = "A" + cluster_id[1:]
    command = [*_java(context), "kafka.tools.StorageTool", "format", "-t", cluster_id, "-c", str(configuration)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    if run.returncode != 0:
        raise ConfigurationError(
            f"the Kafka broker's directory could not be formatted: {(run.stderr + run.stdout)[-500:]}"
        )


def _properties(context: ServerContext, logs: Path) -> dict[str, str]:
    broker, controller = context.port("kafka"), context.port("kafka-controller")
    return {
        "process.roles": "broker,controller",
        "node.id": "1",
        # A static voter, so that the controller's port may differ from one start to the next.
        "controller.quorum.voters": f"1@127.0.0.1:{controller}",
        "listeners": f"PLAINTEXT://127.0.0.1:{broker},CONTROLLER://127.0.0.1:{controller}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{broker}",
        "controller.listener.names": "CONTROLLER",
        "log.dirs": str(logs),
        "num.partitions": "4",
        "auto.create.topics.enable": "false",
        "offsets.topic.num.partitions": "1",
        "offsets.topic.replication.factor": "1",
        "transaction.state.log.num.partitions": "1",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "share.coordinator.state.topic.num.partitions": "1",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        # A killed broker may register again only when its former session has run out.
        "broker.session.timeout.ms": "4000",
        "broker.heartbeat.interval.ms": "500",
        "group.initial.rebalance.delay.ms": "0",
        "message.max.bytes": "5242880",
        "replica.fetch.max.bytes": "5242880",
        "log.segment.bytes": str(128 * 1024 * 1024),
        "log.retention.hours": "168",
        "log.retention.bytes": str(4 * 1024**3),
        # Threads cost memory; two cores do not fill more.
        "num.network.threads": "2",
        "num.io.threads": "4",
        "background.threads": "4",
        "log.cleaner.dedupe.buffer.size": str(16 * 1024 * 1024),
    }
