"""The configuration API in a process of its own, for benchmarks that call it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx
import psutil

from sentinel.localstack.ports import free_port
from sentinel.settings import PROJECT_ROOT, Settings

START_SECONDS = 60


@dataclass(frozen=True, slots=True)
class RunningApi:
    """Where it listens, and its process."""

    url: str
    port: int
    pid: int

    def cpu_seconds(self) -> float:
        """Processor time of it and its workers so far."""
        root = psutil.Process(self.pid)
        return float(sum(sum(each.cpu_times()[:2]) for each in [root, *root.children(recursive=True)]))


@contextmanager
def running_api(settings: Settings, *, workers: int = 1, **environment: str) -> Iterator[RunningApi]:
    """Start it with so many worker processes, wait until it answers, and stop it at the end."""
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "config_api.app:create_app", "--factory", "--port", str(port)]
    command += ["--workers", str(workers), "--log-level", "warning", "--no-access-log"]
    variables = {**os.environ, "SENTINEL_HOME": str(settings.home), **environment}
    process = subprocess.Popen(command, cwd=PROJECT_ROOT, env=variables)
    try:
        url = f"http://127.0.0.1:{port}"
        _wait(url, process)
        yield RunningApi(url, port, process.pid)
    finally:
        process.terminate()
        process.wait(30)


def _wait(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            if httpx.get(f"{url}/readyz").status_code < 500:
                return
        except httpx.TransportError:
            if time.monotonic() > deadline or process.poll() is not None:
                raise
        time.sleep(0.1)
