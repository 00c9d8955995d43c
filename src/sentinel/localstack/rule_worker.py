"""The rule worker as a supervised program."""

from __future__ import annotations

import sys

from sentinel.localstack.java import find_java
from sentinel.localstack.jobs import spark_environment
from sentinel.localstack.paths import StackPaths
from sentinel.localstack.program import Program
from sentinel.localstack.supervision import Supervisor
from sentinel.localstack.telemetry import listener_for
from sentinel.settings import PROJECT_ROOT, Settings

NAME = "rule-worker"
_SCRIPT = PROJECT_ROOT / "jobs" / "rule_worker.py"


def rule_worker_program(settings: Settings) -> Program:
    """Return the rule worker, for all tenants, as a program.

    Its Python starts Spark's JVM when a task first needs it, and takes it along when it ends: the JVM ends when its
    standard input is closed.
    """
    listener = listener_for(settings, "rule_worker")
    return Program(
        name=NAME,
        argv=(sys.executable, str(_SCRIPT)),
        directory=settings.home,
        environment={**spark_environment(settings, find_java(settings.home)), **listener.environment},
        telemetry=listener.address,
        stop_seconds=40,
        start_seconds=5,
    )


def start_rule_worker(settings: Settings, supervisor: Supervisor, paths: StackPaths) -> None:
    """Have the rule worker running; it needs no server to be there when it starts."""
    paths.create()
    supervisor.ensure_running()
    state = supervisor.states().get(NAME)
    if state is None or state.pid == 0:
        rule_worker_program(settings).write(paths)
        supervisor.start(NAME)
