"""The worker: `python jobs/worker.py`. Does what is due for all tenants and needs no Spark."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Callable

from sentinel.batch.lake_care.loop import LakeCareLoop
from sentinel.batch.loop import DetectorLoop
from sentinel.errors import SentinelError
from sentinel.notify.sending.loops import DeliveryLoop, RoutingLoop
from sentinel.settings import Settings
from sentinel.telemetry.traces import NO_TRACES, begin_traces
from sentinel.wiring import Backend
from sentinel.wiring_detectors import build_loop
from sentinel.wiring_lake_care import build_loop as lake_care_loop
from sentinel.wiring_notify import delivery_loop, routing_loop
from sentinel.wiring_telemetry import begin_logs
from sentinel.wiring_worker import WorkerTelemetry, worker_telling
from sentinel.worker_process import Loop, WorkerProcess

log = logging.getLogger("sentinel.worker")

# What the worker does: one line per loop, by its name.
LOOPS: dict[str, Callable[[Settings, Backend, WorkerTelemetry], Loop]] = {
    RoutingLoop.name: routing_loop,
    DeliveryLoop.name: delivery_loop,
    DetectorLoop.name: build_loop,
    LakeCareLoop.name: lake_care_loop,
}


def parse_arguments(arguments: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="worker.py", description="Do what is due.")
    parser.add_argument("--only", action="append", choices=sorted(LOOPS), help="run this loop only; repeatable")
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    """Run until stopped; 0 after a graceful stop, 1 after an error that needs somebody or a loop that did not end."""
    chosen = parse_arguments(arguments)
    settings = Settings.load()
    begin_logs(settings, "worker")
    # Detectors hold two connections in each of their three places, and one more looks for what is due; health and
    # metrics ask by two more.
    names = [name for name in LOOPS if not chosen.only or name in chosen.only]
    backend = Backend(settings, pool_size=6 + 4 * len(names))
    backend.open()
    traces = NO_TRACES
    try:
        traces = begin_traces("worker", os.environ)
        telemetry = WorkerTelemetry(names, traces)
        loops = [LOOPS[name](settings, backend, telemetry) for name in names]
        process = WorkerProcess(loops, check=backend.check_role)
        with worker_telling(settings, backend, telemetry, process.states):
            ended_in_time = process.run()
    except SentinelError as error:
        log.error("%s", error)
        return 1
    finally:
        backend.close()
        traces.close()
    return 0 if ended_in_time else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
