"""The worker as a supervised program."""

from __future__ import annotations

import sys

from sentinel.localstack.paths import StackPaths
from sentinel.localstack.program import Program
from sentinel.localstack.services import python_environment
from sentinel.localstack.supervision import Supervisor
from sentinel.localstack.telemetry import listener_for
from sentinel.settings import PROJECT_ROOT, Settings

NAME = "worker"
_SCRIPT = PROJECT_ROOT / "jobs" / "worker.py"


def worker_program(settings: Settings) -> Program:
    """Return the worker, for all tenants, as a program."""
    listener = listener_for(settings, "worker")
    return Program(
        name=NAME,
        argv=(sys.executable, str(_SCRIPT)),
        directory=settings.home,
        environment={**python_environment(), **listener.environment},
        telemetry=listener.address,
        stop_seconds=30,
        start_seconds=5,
    )


def start_worker(settings: Settings, supervisor: Supervisor, paths: StackPaths) -> None:
    """Have the worker running; it needs no server to be there when it starts."""
    paths.create()
    supervisor.ensure_running()
    state = supervisor.states().get(NAME)
    if state is None or state.pid == 0:
        worker_program(settings).write(paths)
        supervisor.start(NAME)
