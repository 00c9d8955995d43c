"""Every process tells of itself: metrics, health with causes, heartbeat, and a request id that follows the event."""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from confluent_kafka import Consumer, TopicPartition
from httpx import Client

from config_api.app import create_app
from sentinel.domain.engine_task import TaskKind, TaskState
from sentinel.domain.pipeline import DetectMode
from sentinel.localstack.ports import free_port
from sentinel.settings import Settings, TelemetrySettings
from sentinel.testing.http import serve
from tests.support.collector import collector
from tests.support.detection import Job, Workbench, payment
from tests.support.metrics import Scrape, health
from tests.support.receivers import http_receiver

pytestmark = pytest.mark.integration


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/healthz", timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


def counted(found: Scrape, pipeline_id: int) -> float:
    """How many events have an outcome by now."""
    return found.value("rule_outcomes_total", pipeline_id=pipeline_id)


@contextmanager
def notifier(bench: Workbench, **environment: str) -> Iterator[tuple[Job, str]]:
    """Run the worker, and return where it tells of itself."""
    port = free_port()
    job = bench.start_notifier(
        SENTINEL_NOTIFY__ALLOWED_NETWORKS="127.0.0.0/8", SENTINEL_TELEMETRY__WORKER_PORT=str(port), **environment
    )
    url = f"http://127.0.0.1:{port}"
    try:
        bench.wait_until("the worker answers", lambda: answers(url), job, timeout=60)
        yield job, url
    except BaseException:
        job.kill()
        raise
    assert job.stop() == 0, job.tail()


class TestDetectionJob:
    """Both modes in one driver."""

    def test_it_tells_what_it_decides_and_how_long_that_takes(self, bench: Workbench) -> None:
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        topics = [bench.create_topic(1), bench.create_topic(1)]
        rules = {"large": "amount > 100"}
        live = bench.create_pipeline(topics[0], rules)
        batched = bench.create_pipeline(topics[1], rules, mode=DetectMode.MICROBATCH)
        for topic in topics:
            values = [payment(number, amount=500.0 if number < 3 else 1.0) for number in range(10)]
            bench.send(topic, [*values, b"no json"])
        environment = {"SENTINEL_TELEMETRY__JOB_PORT": str(port), "SENTINEL_TELEMETRY__LOG_FORMAT": "json"}
        with bench.job(live, batched, SENTINEL_JOB__OBSERVE_INTERVAL_SECONDS="1", **environment) as job:
            bench.wait_until("it listens", lambda: answers(url), job, timeout=60)
            status, causes = health(url)
            assert status == 503
            assert set(causes) <= {"spark", f"pipeline {live}", f"pipeline {batched}"}
            for pipeline_id, topic in ((live, topics[0]), (batched, topics[1])):
                bench.wait_settled(pipeline_id, topic, job)
            bench.wait_until("it is ready", lambda: health(url)[0] == 200, job, timeout=60)
            bench.wait_until(
                "outcomes are counted",
                lambda: [counted(Scrape.of(url), pipeline_id) for pipeline_id in (live, batched)] == [10, 10],
                job,
                timeout=90,
            )
            found = Scrape.of(url)
            for pipeline_id in (live, batched):
                assert found.value("findings_committed_total", pipeline_id=pipeline_id, kind="match") == 3
                assert found.value("findings_committed_total", pipeline_id=pipeline_id, kind="dead_letter") == 1
                assert found.value("alerts_committed_total", pipeline_id=pipeline_id) == 3
                assert found.value("rule_outcomes_total", pipeline_id=pipeline_id, outcome="match") == 3
                assert found.value("rule_outcomes_total", pipeline_id=pipeline_id, outcome="no_match") == 7
                assert found.value("archive_records_total", pipeline_id=pipeline_id, kind="event") == 10
                assert found.value("archive_records_total", pipeline_id=pipeline_id, kind="dead_letter") == 1
                assert found.value("generation_starts_total", pipeline_id=pipeline_id, outcome="served") >= 1
                assert found.value("alert_delay_seconds_count", pipeline_id=pipeline_id) >= 1
                assert found.value("pipeline_lease_held", pipeline_id=pipeline_id) == 1
                assert found.value("pipeline_phase", pipeline_id=pipeline_id, phase="running") == 1
                assert found.value("pipeline_ready", pipeline_id=pipeline_id) == 1
                assert found.value("detect_phase_seconds_count", pipeline_id=pipeline_id, phase="commit") >= 1
            assert found.value("detect_phase_seconds_count", pipeline_id=live, phase="decode") >= 1
            assert found.value("detect_phase_seconds_count", pipeline_id=batched, phase="evaluate") >= 1
            assert found.value("pipeline_lag_records") == 0
            assert found.value("process_resident_memory_bytes") > 0
            other = free_port()
            with bench.job(live, SENTINEL_TELEMETRY__JOB_PORT=str(other)) as second:
                elsewhere = f"http://127.0.0.1:{other}"
                bench.wait_until("it listens", lambda: answers(elsewhere), second, timeout=60)
                wanted = f"pipeline {live}"
                bench.wait_until(
                    "it waits", lambda: "lease is held by" in str(health(elsewhere)[1].get(wanted)), second, timeout=120
                )
            lines = [line for line in job.log.read_text().splitlines() if line.startswith("{")]
            assert any("serves" in json.loads(line)["message"] for line in lines)
            assert {json.loads(line)["process"] for line in lines} == {"job"}

    def test_its_readiness_names_the_store_that_is_away(self, bench: Workbench) -> None:
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        pipeline_id = bench.create_pipeline(bench.create_topic(1), {"large": "amount > 100"})
        with bench.job(pipeline_id, SENTINEL_TELEMETRY__JOB_PORT=str(port)) as job:
            bench.wait_generation(pipeline_id, job)
            for store, name in (("postgres", "PostgreSQL"), ("kafka", "Kafka")):
                bench.wait_until("it is ready", lambda: health(url) == (200, {}), job, timeout=90)
                bench.servers.stop(store)
                try:
                    bench.wait_until(f"it misses {name}", lambda name=name: misses(url, name), job, timeout=90)
                    assert health(url, "/healthz")[0] == 200
                finally:
                    bench.servers.start(store)
            bench.wait_until("it is ready", lambda: health(url) == (200, {}), job, timeout=90)


def misses(url: str, store: str) -> bool:
    """Whether a process is not ready, for the sake of a store."""
    status, causes = health(url)
    return status == 503 and any(store in str(cause) for cause in causes.values())


class TestWorker:
    def test_it_is_ready_while_all_loops_go_round_and_says_so_outside(self, bench: Workbench) -> None:
        with http_receiver() as receiver:
            environment = {
                "SENTINEL_TELEMETRY__HEARTBEAT_URL": f"{receiver.url}/ping/a-secret-path",
                "SENTINEL_TELEMETRY__HEARTBEAT_SECONDS": "1",
            }
            with notifier(bench, **environment) as (job, url):
                bench.wait_until("it is ready", lambda: health(url) == (200, {}), job, timeout=30)
                bench.wait_until("it is heard", lambda: len(receiver.received) >= 2, job, timeout=30)
                receiver.answers[:] = [(404, {}, b"")]
                refused = {"heartbeat": "the receiver answered 404"}
                bench.wait_until("it is degraded", lambda: health(url) == (200, refused), job, timeout=30)
                found = Scrape.of(url)
                for loop in ("notification-router", "deliveries"):
                    assert found.value("worker_loop_up", loop=loop) == 1
                    assert found.value("worker_loop_turns_total", loop=loop) >= 1
                assert found.value("worker_store_up", store="postgresql") == 1
                assert found.value("heartbeats_total", outcome="sent") >= 2
                assert found.value("circuits_open") >= 0
            assert {request.path for request in receiver.received} == {"/ping/a-secret-path"}
            assert "a-secret-path" not in job.log.read_text()

    def test_without_postgresql_it_is_not_ready_and_falls_silent(self, bench: Workbench) -> None:
        with http_receiver() as receiver:
            environment = {
                "SENTINEL_TELEMETRY__HEARTBEAT_URL": receiver.url,
                "SENTINEL_TELEMETRY__HEARTBEAT_SECONDS": "1",
                "SENTINEL_POSTGRES__PORT": str(free_port()),
                "SENTINEL_POSTGRES__CONNECT_TIMEOUT_SECONDS": "1",
            }
            with notifier(bench, **environment) as (job, url):
                status, causes = health(url)
                assert status == 503
                assert "PostgreSQL" in str(causes["postgresql"])
                assert causes["loop deliveries"] == "it does not run"
                assert Scrape.of(url).samples["worker_store_up"] == {frozenset({("store", "postgresql")}): 0}
                bench.wait_until(
                    "it is withheld", lambda: Scrape.of(url).value("heartbeats_total", outcome="withheld") > 0, job
                )
                assert health(url, "/healthz")[0] == 200
            assert receiver.received == []


class TestRuleWorker:
    def test_it_counts_its_tasks(self, bench: Workbench) -> None:
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        pipeline_id = bench.create_pipeline(bench.create_topic(1), {"large": "amount > 100"})
        with bench.worker(SENTINEL_TELEMETRY__RULE_WORKER_PORT=str(port)) as worker:
            bench.wait_until("it is ready", lambda: answers(url) and health(url)[0] == 200, worker, timeout=60)
            with bench.backend.unit(bench.tenant_id, "test") as unit:
                rule_id = unit.rules.list(pipeline_id)[0].id
                wanted = {"rule": rule_id, "event_base64": base64.b64encode(payment(0)).decode()}
                task_id = unit.tasks.submit(pipeline_id, TaskKind.EXPLAIN, wanted).id
            assert bench.backend.desk(bench.tenant_id, "test").wait(task_id, 300).state is TaskState.DONE
            bench.wait_until(
                "it is counted",
                lambda: Scrape.of(url).value("engine_tasks_total", kind="explain", outcome="done") == 1,
                worker,
                timeout=30,
            )
            assert Scrape.of(url).value("engine_task_seconds_count", kind="explain") == 1


class TestApiProcess:
    def test_its_lines_name_the_request_and_no_secret(self, bench: Workbench) -> None:
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        command = [sys.executable, "-m", "uvicorn", "--factory", "config_api.app:create_app", "--port", str(port)]
        job = bench._start("api", command, {"SENTINEL_TELEMETRY__LOG_FORMAT": "json"})
        bench.wait_until("it answers", lambda: answers(url), job, timeout=60)
        secret = "snt_0123456789abcdefghij"
        path = f"{url}/api/pipelines?key={secret}"
        assert httpx.get(path, headers={"X-Request-Id": "shop-18"}).status_code == 200
        job.stop()
        lines = [json.loads(line) for line in job.log.read_text().splitlines()]
        (served,) = [line for line in lines if line.get("request_id") == "shop-18"]
        assert (served["logger"], served["tenant"], served["process"]) == ("uvicorn.access", "default", "api")
        assert "/api/pipelines" in served["message"]
        assert secret not in job.log.read_text()


class TestRequestId:
    def test_it_follows_the_event_into_its_record_and_the_log(
        self, bench: Workbench, caplog: pytest.LogCaptureFixture
    ) -> None:
        settings = bench.settings.model_copy(update={"telemetry": TelemetrySettings(log_events=True)})
        trace = f"00-{'a1' * 16}-{'b2' * 8}-01"
        caplog.set_level("INFO", "sentinel")
        with serve(create_app(settings)) as url, Client(base_url=url, timeout=30) as caller:
            first = caller.post("/events", json={"type": "order", "amount": 1}, headers={"X-Request-Id": "shop-17"})
            assert first.headers["x-request-id"] == "shop-17"
            traced = caller.post("/events", json={"type": "order", "amount": 2}, headers={"traceparent": trace})
            assert traced.headers["x-request-id"] == "a1" * 16
            pipeline = caller.get(f"/api/pipelines/{first.json()['items'][0]['pipeline_id']}").json()
        records = read(bench, pipeline["kafka_topic"], 2)
        headers = {headers["sentinel-request-id"]: headers for _, headers in records}
        assert headers.keys() == {"shop-17", "a1" * 16}
        assert headers["a1" * 16]["traceparent"] == trace
        assert "traceparent" not in headers["shop-17"]
        for (partition, offset), found in records:
            line = f"events of request {found['sentinel-request-id']}: topic {pipeline['kafka_topic']}, partition "
            assert f"{line}{partition}, offsets {offset}" in caplog.text


class TestTraces:
    """From the request to the notification: API, job and worker are processes of their own."""

    def test_one_trace_and_one_request_id_lead_to_the_attempt(
        self, bench: Workbench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with collector() as collected, http_receiver() as receiver:
            monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collected.url)
            exported = {"OTEL_EXPORTER_OTLP_ENDPOINT": collected.url}
            with serve(create_app(settings_of(bench))) as url, Client(base_url=url, timeout=30) as caller:
                pipeline_id = order_rule(caller, receiver.url)
                with bench.job(pipeline_id, **exported) as job:
                    bench.wait_generation(pipeline_id, job)
                    with notifier(bench, **exported, SENTINEL_TELEMETRY__LOG_FORMAT="json") as (worker, _):
                        order = {"type": "order", "id": "o-1", "amount": 750}
                        sent = caller.post("/events", json=order, headers={"X-Request-Id": "shop-17"})
                        assert sent.status_code == 202
                        bench.wait_until("it is sent", lambda: len(receiver.received) == 1, worker, timeout=90)
                    (found,) = caller.get("/api/alerts", params={"pipeline_id": pipeline_id}).json()
                    alert = caller.get(f"/api/alerts/{found['id']}").json()
                    assert job.stop() == 0, job.tail()
            (delivered,) = receiver.received
            trace_id = alert["trace_id"]
            assert (alert["request_id"], len(trace_id)) == ("shop-17", 32)
            (told,) = json.loads(delivered.body)["details"]["alerts"]
            assert (told["request_id"], told["trace_id"]) == ("shop-17", trace_id)
            (request,) = [
                each for each in collected.of("POST events") if each.attributes["sentinel.request_id"] == "shop-17"
            ]
            (produce,) = [each for each in collected.of("produce") if each.trace_id == trace_id]
            (detect,) = collected.of("detect")
            # The worker serves every tenant, also those of other tests that left alerts behind.
            (attempt,) = [
                each
                for each in collected.of("delivery attempt")
                if each.attributes["sentinel.alert_ids"] == [str(alert["id"])]
            ]
            assert {each.trace_id for each in (request, produce, detect, attempt)} == {trace_id}
            assert {each.parent_id for each in (produce, detect, attempt)} == {request.span_id}
            services = [each.service for each in (request, produce, detect, attempt)]
            assert services == ["sentinel-api", "sentinel-api", "sentinel-job", "sentinel-worker"]
            assert detect.attributes["sentinel.request_id"] == "shop-17"
            assert attempt.attributes["sentinel.request_ids"] == ["shop-17"]
            assert (attempt.attributes["sentinel.outcome"], attempt.failed) == ("sent", "")
            assert delivered.headers["traceparent"].startswith(f"00-{trace_id}-{attempt.span_id}-")
            (turn,) = [
                each
                for each in collected.of("notifications turn")
                if "sentinel.event_ids" in each.attributes and each.attributes["sentinel.tenant"] == bench.tenant_id
            ]
            assert turn.links == [trace_id]
            lines = [json.loads(line) for line in worker.log.read_text().splitlines() if line.startswith("{")]
            named = [line["message"] for line in lines if line.get("request_id") == "shop-17"]
            assert any(line == f"alerts of request shop-17: {alert['id']}" for line in named)
            assert any(line.endswith("to crm, attempt 1: sent; of requests shop-17") for line in named)

    def test_without_a_collector_the_request_id_goes_the_same_way_and_the_trace_is_the_callers(
        self, bench: Workbench
    ) -> None:
        trace = f"00-{'a1' * 16}-{'b2' * 8}-01"
        with (
            http_receiver() as receiver,
            serve(create_app(settings_of(bench))) as url,
            Client(base_url=url, timeout=30) as caller,
        ):
            pipeline_id = order_rule(caller, receiver.url, mode="microbatch")
            with bench.job(pipeline_id) as job:
                bench.wait_generation(pipeline_id, job)
                with notifier(bench) as (worker, _):
                    orders = [{"type": "order", "id": f"o-{number}", "amount": 750} for number in range(2)]
                    for order, headers in zip(orders, ({"traceparent": trace}, {}), strict=True):
                        assert caller.post("/events", json=order, headers=headers).status_code == 202
                    bench.wait_until("it is sent", lambda: len(receiver.received) == 2, worker, timeout=90)
                alerts = caller.get("/api/alerts", params={"pipeline_id": pipeline_id}).json()
                assert job.stop() == 0, job.tail()
        found = {alert["event_id"]: alert for alert in alerts}
        assert (found["o-0"]["request_id"], found["o-0"]["trace_id"]) == ("a1" * 16, "a1" * 16)
        assert found["o-1"]["trace_id"] is None
        assert len(found["o-1"]["request_id"]) == 32
        assert all("traceparent" not in request.headers for request in receiver.received)


def settings_of(bench: Workbench) -> Settings:
    """The bench's, with channels that may go to this machine."""
    notify = bench.settings.notify.model_copy(update={"allowed_networks": "127.0.0.0/8"})
    return bench.settings.model_copy(update={"notify": notify})


def order_rule(caller: Client, receiver_url: str, *, mode: str = "realtime") -> int:
    """Have large orders told to a receiver, and return their pipeline."""
    body = {"name": "crm", "kind": "webhook", "options": {"url": f"{receiver_url}/hooks"}}
    assert caller.post("/api/channels", json=body).status_code == 201
    # The first order makes the pipeline.
    small = {"type": "order", "id": "o-first", "amount": 1}
    pipeline_id = int(caller.post("/events", json=small).json()["items"][0]["pipeline_id"])
    if mode != "realtime":
        changed = caller.patch(f"/api/pipelines/{pipeline_id}", json={"config": {"mode": mode}})
        assert changed.status_code == 200, changed.text
    rule = {
        "rule_expression": 'when event.type == "order" and amount > 500 then notify("webhook:crm")',
        "severity": "critical",
        "description": "big order",
    }
    made = caller.post(f"/api/pipelines/{pipeline_id}/rules", json=rule)
    assert made.status_code == 201, made.text
    return pipeline_id


def read(bench: Workbench, topic: str, count: int) -> list[tuple[tuple[int, int], dict[str, str]]]:
    """Return place and headers of the first records of a topic."""
    consumer = Consumer({"bootstrap.servers": bench.settings.kafka.bootstrap_servers, "group.id": "telemetry-test"})
    consumer.assign([TopicPartition(topic, partition, 0) for partition in bench.topics.partitions(topic)])
    found: list[tuple[tuple[int, int], dict[str, str]]] = []
    for record in consumer.consume(count, timeout=30):
        assert record.error() is None
        headers = {name: (value or b"").decode() for name, value in record.headers() or []}
        found.append(((record.partition() or 0, record.offset() or 0), headers))
    consumer.close()
    assert len(found) == count
    return found
