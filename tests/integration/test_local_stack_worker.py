"""The worker as a program of the local stack: it runs what is due, comes back when it is killed, ends in good order."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator

import pytest

from sentinel.localstack.status import ProgramStatus, stack_status
from sentinel.localstack.worker import NAME, start_worker
from sentinel.settings import Settings
from sentinel.stores.postgres.database import Database
from sentinel.testing.servers import ServerSet
from tests.support.detectors import DetectorBench

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]
# Idle, with its connections.
MOST_RSS_BYTES = 200 * 2**20


@pytest.fixture
def home(servers: ServerSet) -> Iterator[ServerSet]:
    start_worker(servers.settings, servers.stack.supervisor, servers.stack.paths)
    yield servers
    servers.stack.supervisor.forget(NAME)


def status_of(servers: ServerSet) -> ProgramStatus:
    return next(program for program in stack_status(servers.settings) if program.name == NAME)


def wait_for(condition: Callable[[], bool], seconds: float = 240) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.1)


def test_it_is_supervised(home: ServerSet, settings: Settings, database: Database, tenant: str) -> None:
    desk = DetectorBench(settings, database, tenant)
    desk.detector("amount_spike", "mine")

    def runs() -> int:
        return len(desk.rows("SELECT 1 FROM sentinel.detector_runs WHERE state = 'done'"))

    wait_for(lambda: runs() == 1)
    assert len(desk.rows("SELECT 1 FROM sentinel.detectors WHERE is_builtin")) == 5
    wait_for(lambda: status_of(home).state == "running")
    status = status_of(home)
    print(f"worker: {status.rss_bytes / 2**20:.0f} MiB")
    assert status.rss_bytes < MOST_RSS_BYTES
    start_worker(home.settings, home.stack.supervisor, home.stack.paths)
    assert status_of(home).pid == status.pid

    os.kill(status.pid, signal.SIGKILL)
    wait_for(lambda: status_of(home).pid not in {0, status.pid})
    desk.one("UPDATE sentinel.detectors SET next_run_at = now() WHERE name = 'mine' RETURNING id")
    wait_for(lambda: runs() == 2)

    home.stop(NAME)
    assert status_of(home).state == "stopped"
    assert "stopping: SIGTERM" in (home.stack.paths.logs / f"{NAME}.log").read_text()
