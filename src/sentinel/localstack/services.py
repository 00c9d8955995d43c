"""The API and the dashboard as supervised programs."""

from __future__ import annotations

import os
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass

from sentinel.errors import ConfigurationError, StoreUnavailableError
from sentinel.localstack.paths import StackPaths
from sentinel.localstack.ports import is_free
from sentinel.localstack.program import Program
from sentinel.localstack.supervision import Supervisor, wait_until
from sentinel.settings import PROJECT_ROOT, Settings

_READY_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Service:
    """A service that people reach at a known address.

    Attributes:
        setting: Names the port.
        health: Path that answers 200 when it is ready.
        niceness: How much other processes of the machine go first.
    """

    name: str
    label: str
    setting: str
    health: str
    address: Callable[[Settings], tuple[str, int]]
    arguments: Callable[[str, int], tuple[str, ...]]
    niceness: int = 0


SERVICES = {
    service.name: service
    for service in (
        Service(
            "api",
            "the configuration API",
            "SENTINEL_API__PORT",
            "/healthz",
            lambda settings: (settings.api.host, settings.api.port),
            lambda host, port: (
                *("-m", "uvicorn", "config_api.app:create_app", "--factory", "--host", host, "--port", str(port)),
                *("--timeout-graceful-shutdown", "10", "--no-server-header"),
            ),
        ),
        Service(
            "dashboard",
            "the dashboard",
            "SENTINEL_DASHBOARD__PORT",
            "/_stcore/health",
            lambda settings: (settings.dashboard.host, settings.dashboard.port),
            lambda host, port: (
                *("-m", "streamlit", "run", str(PROJECT_ROOT / "dashboard" / "app.py")),
                *("--server.headless", "true", "--server.address", host, "--server.port", str(port)),
                *("--browser.gatherUsageStats", "false", "--server.fileWatcherType", "none"),
                *("--client.toolbarMode", "viewer"),
            ),
            # People wait some milliseconds more so that detection does not wait for many who look. The API stays as it
            # is: events come in through it.
            niceness=10,
        ),
    )
}


def python_path() -> str:
    """Return the PYTHONPATH under which the programs of this checkout find its packages."""
    return os.pathsep.join((str(PROJECT_ROOT / "src"), str(PROJECT_ROOT)))


def python_environment() -> dict[str, str]:
    """Return the variables under which the Python programs of this checkout run."""
    return {
        "PYTHONPATH": python_path(),
        "PYTHONUNBUFFERED": "1",
        # Else each thread, of Python or of a JVM, may keep memory for itself that it once used.
        "MALLOC_ARENA_MAX": os.environ.get("MALLOC_ARENA_MAX", "2"),
    }


def service_program(service: Service, settings: Settings) -> Program:
    """Return the service as a program."""
    host, port = service.address(settings)
    return Program(
        name=service.name,
        argv=(sys.executable, *service.arguments(host, port)),
        directory=PROJECT_ROOT,
        environment=python_environment(),
        stop_seconds=15,
        address=f"{host}:{port}",
        niceness=service.niceness,
    )


def start_service(service: Service, settings: Settings, supervisor: Supervisor, paths: StackPaths) -> str:
    """Have the service running and answering; return its address.

    Raises:
        ConfigurationError: Its port is taken by another program.
        StoreUnavailableError: It does not answer; the message names its log.
    """
    host, port = service.address(settings)
    url = f"http://{host}:{port}"
    paths.create()
    supervisor.ensure_running()
    state = supervisor.states().get(service.name)
    if state is None or state.pid == 0:
        refuse_taken_port(service, host, port)
        service_program(service, settings).write(paths)
        supervisor.start(service.name)
    try:
        wait_until(
            lambda: _answers(f"{url}{service.health}"),
            _READY_SECONDS,
            lambda: supervisor.has_failed(service.name),
            lambda reason: supervisor.complaint(service.name, service.label, reason),
        )
    except StoreUnavailableError:
        supervisor.stop(service.name)
        raise
    return url


def refuse_taken_port(service: Service, host: str, port: int) -> None:
    """Refuse to start where another program listens: people and bookmarks expect this address.

    Raises:
        ConfigurationError: The port is taken.
    """
    if not is_free(port, host):
        raise ConfigurationError(
            f"{service.label} cannot start: port {port} on {host} is taken by another program; stop that, or set "
            f"{service.setting} to a free port"
        )


def _answers(url: str) -> str | None:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310 - http, made here
            return None if answer.status == 200 else f"it answers {answer.status}"
    except (urllib.error.URLError, OSError) as error:
        return str(getattr(error, "reason", error))
