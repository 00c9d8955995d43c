"""What the headers of records cost detection: CPU per event without them, and with, in turn, in one warm JVM.

    python -m tests.bench.record_headers [--events N] [--rounds N] [--rules N]

Records are read from a broker of the bench's own by Spark's Kafka source, evaluated and made into findings: all that a
task does but sending. `off`: headers are not asked for. `none`: they are, and the records have none, as other producers
write them. `two`: the records have a request id and a traceparent, as `POST /events` writes them. Prints one JSON line:
the median CPU microseconds per event (user and system, of the whole JVM) of the later half of the rounds of each kind.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np
import psutil
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from sentinel.domain.origin import REQUEST_ID_HEADER, TRACEPARENT_HEADER
from sentinel.localstack.java import find_java
from sentinel.localstack.paths import jars_root
from sentinel.settings import PROJECT_ROOT, JobSettings, Settings
from sentinel.streaming.query.detect import findings_of
from sentinel.streaming.query.evaluate import compile_rule_set
from sentinel.streaming.query.session import build_session, evaluation_session
from sentinel.testing.servers import start_servers
from tests.bench.rule_speed import SCHEMA, generation_of
from tests.bench.workload import make_events, make_rules

KINDS = {"off": ("two", False), "none": ("none", True), "two": ("two", True)}
"""Kind -> the topic that is read, and whether headers are asked for."""


def produce(bootstrap: str, topic: str, events: int) -> None:
    """Write the events; in the topic `two` each with the headers of a request."""
    admin = AdminClient({"bootstrap.servers": bootstrap})
    admin.create_topics([NewTopic(topic, 1, 1)])[topic].result(30)
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 20, "queue.buffering.max.messages": 1_000_000})
    for number, value in enumerate(make_events(events).encoded(0, np.zeros(events))):
        headers = {
            REQUEST_ID_HEADER: f"{number:032x}".encode(),
            TRACEPARENT_HEADER: f"00-{number + 1:032x}-{number + 1:016x}-01".encode(),
        }
        producer.produce(topic, value, headers=headers if topic == "two" else None)
        if number % 10_000 == 0:
            producer.poll(0)
    producer.flush()


def measure(bootstrap: str, events: int, rounds: int, rules: int) -> dict[str, list[float]]:
    """Return CPU microseconds per event of each round, by kind."""
    home = Settings.load().home
    os.environ.setdefault("JAVA_HOME", str(find_java(home).home))
    settings = Settings(
        home=home, job=JobSettings(jars_dir=str(jars_root(PROJECT_ROOT / ".sentinel") / "spark"), driver_memory="1g")
    )
    spark = build_session(settings, app_name="headers", master="local[1]", extra={"spark.ui.enabled": "false"})
    session = evaluation_session(spark)
    jvm = psutil.Process(int(spark._jvm.java.lang.ProcessHandle.current().pid()))
    generation = generation_of(make_rules(rules))
    compiled = compile_rule_set(generation.snapshot.rule_set, SCHEMA)
    spent: dict[str, list[float]] = {kind: [] for kind in KINDS}
    for _ in range(rounds):
        for kind, found in spent.items():
            source = session.read.format("kafka").option("kafka.bootstrap.servers", bootstrap)
            topic, has_headers = KINDS[kind]
            records = source.option("subscribe", topic).option("includeHeaders", str(has_headers).lower()).load()
            before = sum(jvm.cpu_times()[:2])
            findings_of(records, generation, compiled).write.format("noop").mode("overwrite").save()
            found.append((sum(jvm.cpu_times()[:2]) - before) / events * 1e6)
    spark.stop()
    return spent


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--rules", type=int, default=100)
    chosen = parser.parse_args()
    with TemporaryDirectory() as scratch, start_servers(Path(scratch), ["kafka"], migrate=False) as servers:
        bootstrap = servers.settings.kafka.bootstrap_servers
        for topic in ("none", "two"):
            produce(bootstrap, topic, chosen.events)
        spent = measure(bootstrap, chosen.events, chosen.rounds, chosen.rules)
    warm = {kind: round(median(found[len(found) // 2 :]), 2) for kind, found in spent.items()}
    print(json.dumps({**warm, "rounds": {kind: [round(each, 1) for each in found] for kind, found in spent.items()}}))


if __name__ == "__main__":
    main()
