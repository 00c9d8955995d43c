"""The API and the dashboard as people run them: processes of their own, on free ports, for one tenant."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType

import httpx
import psutil

from sentinel.client.client import Client
from sentinel.localstack.ports import free_port
from sentinel.localstack.services import SERVICES, python_path
from sentinel.settings import PROJECT_ROOT, Settings

_START_SECONDS = 120.0


class Site:
    """An API and a dashboard that asks it. Use as a context manager.

    Args:
        settings: They lead to the servers.
        is_closed: The API asks for keys, and the dashboard has none of its own.
        more: Further variables of the environment.
    """

    def __init__(
        self, settings: Settings, tenant_id: str, directory: Path, *, is_closed: bool = False, **more: str
    ) -> None:
        api_port = free_port()
        self._ports = {"api": api_port, "dashboard": free_port(frozenset({api_port}))}
        self._directory = directory
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        plain = {name: value for name, value in os.environ.items() if not name.startswith("SENTINEL_")}
        self._environment = plain | {
            "PYTHONPATH": python_path(),
            "SENTINEL_HOME": str(settings.home),
            "SENTINEL_TENANT": tenant_id,
            "SENTINEL_API__PORT": str(self._ports["api"]),
            "SENTINEL_API__OPEN": str(not is_closed).lower(),
            "SENTINEL_DASHBOARD__PORT": str(self._ports["dashboard"]),
            **more,
        }

    @property
    def url(self) -> str:
        """Where the dashboard is."""
        return f"http://127.0.0.1:{self._ports['dashboard']}"

    @property
    def api_url(self) -> str:
        """Where the API is."""
        return f"http://127.0.0.1:{self._ports['api']}"

    def pid(self, name: str) -> int:
        """Return the process of `api` or `dashboard`."""
        return self._processes[name].pid

    def client(self, api_key: str = "") -> Client:
        """Return a client of the API, for what a test arranges and looks up."""
        return Client(self.api_url, api_key=api_key)

    def start(self, name: str) -> None:
        """Start `api` or `dashboard`, and wait until it answers."""
        service = SERVICES[name]
        log = self._directory / f"{name}.log"
        with log.open("ab") as output:
            self._processes[name] = subprocess.Popen(
                [sys.executable, *service.arguments("127.0.0.1", self._ports[name])],
                cwd=PROJECT_ROOT,
                env=self._environment,
                stdout=output,
                stderr=output,
            )
        psutil.Process(self._processes[name].pid).nice(service.niceness)
        deadline = time.monotonic() + _START_SECONDS
        while not _answers(f"http://127.0.0.1:{self._ports[name]}{service.health}"):
            if self._processes[name].poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{name} did not start:\n{log.read_text(errors='replace')[-3_000:]}")
            time.sleep(0.1)

    def stop(self, name: str) -> None:
        """Stop one of them."""
        process = self._processes.pop(name)
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(20)

    def __enter__(self) -> Site:
        try:
            self.start("api")
            self.start("dashboard")
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def _end(self) -> None:
        for name in list(self._processes):
            self.stop(name)


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2, trust_env=False).status_code == 200
    except httpx.TransportError:
        return False
