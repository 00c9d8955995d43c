"""The rule worker as a program of the local stack: seen, warm, killed and back, stopped."""

from __future__ import annotations

import base64
import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator

import httpx
import psutil
import pytest

from sentinel.domain.engine_task import Lane, TaskKind, TaskState
from sentinel.localstack.launch import marked_processes
from sentinel.localstack.rule_worker import NAME, start_rule_worker
from sentinel.localstack.status import ProgramStatus, stack_status
from sentinel.stores.postgres.database import Database
from sentinel.stores.postgres.engine_tasks import EngineTaskQueue
from sentinel.testing.servers import ServerSet
from tests.support.detection import Workbench, payment

pytestmark = [pytest.mark.integration, pytest.mark.spark, pytest.mark.timeout(900)]
# The whole stack with one job takes 2.0 GiB and is to stay below 3.
MOST_RSS_BYTES = 900 * 2**20


def cancel_what_waits(bench: Workbench) -> None:
    """End the tasks that other tests left behind, of every tenant: a worker would begin with them at once."""
    with contextlib.closing(Database(bench.settings.postgres)) as database:
        database.open()
        queue = EngineTaskQueue(database, "cleaner", lease_seconds=0, max_attempts=1000)
        for lane in Lane:
            while waiting := queue.waiting(lane, list(TaskKind)):
                for tenant_id, task_id in waiting:
                    claimed = queue.claim(tenant_id, task_id)
                    assert claimed is not None
                    assert queue.finish(claimed, TaskState.CANCELLED)


@pytest.fixture
def home(servers: ServerSet, bench: Workbench) -> Iterator[ServerSet]:
    cancel_what_waits(bench)
    start_rule_worker(servers.settings, servers.stack.supervisor, servers.stack.paths)
    yield servers
    servers.stack.supervisor.forget(NAME)


def status_of(servers: ServerSet) -> ProgramStatus:
    return next(program for program in stack_status(servers.settings) if program.name == NAME)


def wait_for(condition: Callable[[], bool], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.1)


def is_alive(address: str) -> bool:
    """Wait until it tells of itself."""

    def answers() -> bool:
        with contextlib.suppress(httpx.HTTPError):
            return httpx.get(f"http://{address}/healthz").status_code == 200
        return False

    wait_for(answers)
    return True


def test_it_is_supervised(home: ServerSet, bench: Workbench) -> None:
    wait_for(lambda: status_of(home).state == "running")
    start_rule_worker(home.settings, home.stack.supervisor, home.stack.paths)
    pid = status_of(home).pid
    assert is_alive(status_of(home).telemetry)
    wait_for(lambda: status_of(home).rss_bytes > 30 * 2**20)
    idle = status_of(home).rss_bytes
    assert psutil.Process(pid).children(recursive=True) == [], "Spark starts with the first task"

    pipeline_id = bench.create_pipeline("nothing", {"large": "amount > 1000"})
    with bench.backend.unit(bench.tenant_id, "test") as unit:
        rule_id = unit.rules.list(pipeline_id)[0].id
    wanted = {"rule": rule_id, "event_base64": base64.b64encode(payment(0)).decode()}

    def explain() -> TaskState:
        with bench.backend.unit(bench.tenant_id, "test") as unit:
            task_id = unit.tasks.submit(pipeline_id, TaskKind.EXPLAIN, wanted).id
        return bench.backend.desk(bench.tenant_id, "test").wait(task_id, 300).state

    for _ in range(30):
        assert explain() is TaskState.DONE
    warm = status_of(home).rss_bytes
    print(f"rule worker: {idle / 2**20:.0f} MiB idle, {warm / 2**20:.0f} MiB warm")
    assert idle < 250 * 2**20
    assert warm < MOST_RSS_BYTES
    assert "task " in (home.stack.paths.logs / f"{NAME}.log").read_text()

    everything = marked_processes(f"{home.stack.paths.home}|{NAME}")
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: status_of(home).pid not in {0, pid})
    wait_for(lambda: not any(psutil.pid_exists(each) for each in everything), 30)
    assert explain() is TaskState.DONE

    home.stop(NAME)
    assert status_of(home).state == "stopped"
    wait_for(lambda: marked_processes(f"{home.stack.paths.home}|{NAME}") == [], 30)
