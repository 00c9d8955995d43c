"""The rule worker: `python jobs/rule_worker.py [--tenant T]`. Explains, tests, backtests and refills on request."""

from __future__ import annotations

import argparse
import logging
import os
import sys

from sentinel.domain.engine_task import TaskKind
from sentinel.errors import SentinelError
from sentinel.localstack.java import find_java
from sentinel.settings import Settings
from sentinel.streaming.engine_task import Handler
from sentinel.streaming.explain.check import check_records
from sentinel.streaming.explain.handler import explain
from sentinel.streaming.explain.rule_tests import run_rule_tests
from sentinel.streaming.history.tasks import backtest_task, refill_task
from sentinel.streaming.worker.metrics import TaskMetrics
from sentinel.streaming.worker.worker import RuleWorker
from sentinel.telemetry.health import Check
from sentinel.wiring_telemetry import begin_logs, new_registry, postgres_check, telling

log = logging.getLogger("sentinel.worker")

# What the worker can do: one line per kind of task.
HANDLERS: dict[TaskKind, Handler] = {
    TaskKind.EXPLAIN: explain,
    TaskKind.TEST: run_rule_tests,
    TaskKind.CHECK: check_records,
    TaskKind.BACKTEST: backtest_task,
    TaskKind.REFILL: refill_task,
}


def parse_arguments(arguments: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="rule_worker.py", description="Do the tasks that need the rule engine.")
    parser.add_argument("--tenant", default="", help="serve this tenant only; default: all")
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    """Run until stopped; 0 after a graceful stop, 1 after an error that needs somebody."""
    chosen = parse_arguments(arguments)
    settings = Settings.load()
    begin_logs(settings, "rule-worker")
    try:
        # Spark looks for Java in the environment only, and there may be none but that of the wheel.
        os.environ["JAVA_HOME"] = str(find_java(settings.home).home)
        registry = new_registry()
        worker = RuleWorker(settings, HANDLERS, tenant_id=chosen.tenant, metrics=TaskMetrics(registry))

        def ready() -> list[Check]:
            return [postgres_check(worker.database), *worker.alive()]

        with telling(settings, "rule-worker", registry, alive=worker.alive, ready=ready):
            worker.run()
    except SentinelError as error:
        log.error("%s", error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
