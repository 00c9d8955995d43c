"""The detection job: `spark-submit jobs/detect.py --pipeline-id N [--pipeline-id M ...] [--master URL]`, or `--all`."""

from __future__ import annotations

import argparse
import logging
import os
import sys

from sentinel.errors import ConfigurationError, SentinelError
from sentinel.settings import Settings
from sentinel.stores.postgres.database import Database
from sentinel.stores.postgres.snapshots import SnapshotStore
from sentinel.streaming.job.driver import Driver
from sentinel.streaming.job.telling import PipelineStates, alive_of, checks_of
from sentinel.streaming.metrics import JobMetrics
from sentinel.telemetry.health import Check
from sentinel.telemetry.traces import NO_TRACES, Traces, begin_traces
from sentinel.wiring_telemetry import begin_logs, new_registry, telling

log = logging.getLogger("sentinel.job")


def parse_arguments(arguments: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="detect.py", description="Run the detection job of one or more pipelines.")
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--pipeline-id", type=int, action="append", default=[], metavar="N", help="repeatable")
    which.add_argument("--all", action="store_true", help="all pipelines of the tenant that are not stopped")
    parser.add_argument("--tenant", default="", help="default: SENTINEL_TENANT")
    parser.add_argument("--master", default="", help="default: local[N] with as many slots as are needed")
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    """Run until stopped; 0 after a graceful stop, 1 after an error that needs somebody."""
    chosen = parse_arguments(arguments)
    settings = Settings.load()
    begin_logs(settings, "job")
    if chosen.tenant:
        settings = settings.model_copy(update={"tenant": chosen.tenant})
    traces = NO_TRACES
    try:
        traces = begun_traces()
        pipeline_ids = chosen.pipeline_id or all_pipelines(settings)
        registry = new_registry()
        driver = Driver(settings, pipeline_ids, master=chosen.master, metrics=JobMetrics(registry), traces=traces)
        registry.register(PipelineStates(driver.runners))

        def ready() -> list[Check]:
            return checks_of(driver.runners) or [Check("spark", "it starts")]

        with telling(settings, "job", registry, alive=lambda: alive_of(driver.runners), ready=ready):
            driver.run()
    except SentinelError as error:
        log.error("%s", error)
        return 1
    finally:
        traces.close()
    return 0


def begun_traces() -> Traces:
    """Return where spans are begun; nowhere, with a line in the log, where packages are missing: alerts matter more."""
    try:
        return begin_traces("job", os.environ)
    except ConfigurationError as error:
        log.error("this job sends no traces: %s", error)
        return NO_TRACES


def all_pipelines(settings: Settings) -> list[int]:
    """Return the pipelines that --all means."""
    database = Database(settings.postgres, pool_size=1)
    database.open()
    try:
        return SnapshotStore(database, settings.tenant).pipeline_ids()
    finally:
        database.close()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
