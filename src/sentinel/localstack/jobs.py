"""The detection job as a supervised program."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from sentinel.errors import InvalidError, NotFoundError
from sentinel.localstack.jars import missing_jars
from sentinel.localstack.java import Java, find_java
from sentinel.localstack.job_runner import STOP_SECONDS
from sentinel.localstack.paths import jars_root, package_dir
from sentinel.localstack.program import Program
from sentinel.localstack.services import python_environment
from sentinel.localstack.telemetry import listener_for
from sentinel.settings import PROJECT_ROOT, Settings

_SCRIPT = PROJECT_ROOT / "jobs" / "detect.py"
_LOGGING = PROJECT_ROOT / "src" / "sentinel" / "streaming" / "log4j2.properties"
# An end within this time counts as a failed start: the next one comes after a growing delay.
_START_SECONDS = 30


def job_name(pipeline_ids: Sequence[int]) -> str:
    """Return the program's name; no ids mean all pipelines."""
    return "job-" + ("-".join(map(str, sorted(set(pipeline_ids)))) or "all")


def job_program(
    pipeline_ids: Sequence[int], settings: Settings, *, master: str = "", script: Path = _SCRIPT
) -> Program:
    """Return the job of these pipelines (none: all of the tenant) as a program.

    Raises:
        NotFoundError: The jars are not there.
        InvalidError: A pipeline is named that cannot exist.
    """
    wrong = [number for number in pipeline_ids if number < 1]
    if wrong:
        raise InvalidError(f"{wrong[0]} is not the id of a pipeline; ids are 1 and above")
    jars = settings.jars_dir
    if not list(jars.glob("*.jar")) or missing_jars(jars_root(settings.home), ("spark",)):
        raise NotFoundError(f"jars for Spark are missing in {jars}; run `sentinel up`, which fetches them")
    java = find_java(settings.home)
    master = master or settings.job.master
    listener = listener_for(settings, "job")
    which = [part for number in pipeline_ids for part in ("--pipeline-id", str(number))] or ["--all"]
    arguments = [*which, "--tenant", settings.tenant, *(["--master", master] if master else [])]
    return Program(
        name=job_name(pipeline_ids),
        argv=(
            *(sys.executable, "-m", "sentinel.localstack.job_runner", script.name),
            *spark_submit(settings, master=master),
            *(str(script), *arguments),
        ),
        directory=settings.home,
        environment={**spark_environment(settings, java), **listener.environment},
        telemetry=listener.address,
        stop_seconds=STOP_SECONDS,
        start_seconds=_START_SECONDS,
    )


def spark_submit(settings: Settings, *, master: str) -> tuple[str, ...]:
    """Return the `spark-submit` command up to the script.

    The driver finds its jars on its class path; executors elsewhere are sent them.
    """
    jars = settings.jars_dir
    command = [str(package_dir("pyspark", "Spark") / "bin" / "spark-submit")]
    command += ["--driver-memory", settings.job.driver_memory]
    options = f"-Dlog4j2.configurationFile={_LOGGING.as_uri()} -XX:+ExitOnOutOfMemoryError"
    conf = {
        "spark.driver.extraClassPath": str(jars / "*"),
        "spark.driver.extraJavaOptions": f"{options} {settings.driver_java_options}".strip(),
    }
    if master and not master.startswith("local"):
        command += ["--master", master, "--jars", ",".join(jar.as_uri() for jar in sorted(jars.glob("*.jar")))]
    for name, value in conf.items():
        command += ["--conf", f"{name}={value}"]
    return tuple(command)


def spark_environment(settings: Settings, java: Java) -> dict[str, str]:
    """Return the variables under which Spark's own scripts run."""
    return {
        "JAVA_HOME": str(java.home),
        "SPARK_HOME": str(package_dir("pyspark", "Spark")),
        "SPARK_LOCAL_DIRS": str(settings.home / "spark-local"),
        "SPARK_LOCAL_IP": os.environ.get("SPARK_LOCAL_IP", "127.0.0.1"),
        "PYSPARK_PYTHON": sys.executable,
        "PYSPARK_DRIVER_PYTHON": sys.executable,
        **python_environment(),
    }
