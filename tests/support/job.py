"""A job as a process of its own, with the settings under which tests run it."""

from __future__ import annotations

import os
import signal
import subprocess
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from sentinel.settings import PROJECT_ROOT, Settings

# What drivers of tests are given that live for seconds.
SHORT_LIVED = {
    # On a machine that is busy enough any rule is slow.
    "SENTINEL_JOB__RULE_BUDGET_MICROSECONDS": "1000000",
    "SENTINEL_JOB__MEASURING_SHARE": "0.01",
    # What is changed may take a second more.
    "SENTINEL_JOB__REHEARSALS": "0",
}


class Job:
    """A running detection job: one driver process."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process = process
        self.log = log

    def kill(self) -> None:
        """SIGKILL, as a machine that dies does it."""
        self.process.kill()
        self.process.wait(30)

    def stop(self) -> int:
        """SIGTERM, and the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)

    def tail(self, lines: int = 60) -> str:
        """The end of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


def start_process(
    name: str, command: list[str], settings: Settings, directory: Path, environment: Mapping[str, str]
) -> Job:
    """Start a job that logs to a file in the directory; the caller ends it.

    Args:
        environment: Wins over what is set here.
    """
    log = directory / f"{name}-{uuid.uuid4().hex[:6]}.log"
    variables = {
        **{name: value for name, value in os.environ.items() if not name.startswith("SENTINEL_")},
        "MALLOC_ARENA_MAX": "2",  # as the local stack sets it
        "PYTHONPATH": f"{PROJECT_ROOT / 'src'}{os.pathsep}{PROJECT_ROOT}",
        "SENTINEL_HOME": str(settings.home),
        "SENTINEL_JOB__JARS_DIR": str(settings.jars_dir),
        "SENTINEL_JOB__ARCHIVE_INTERVAL_SECONDS": "2",
        "SENTINEL_JOB__LEASE_TTL_SECONDS": "3",
        "SENTINEL_JOB__SPARK_UI_PORT": "0",
        "SENTINEL_JOB__CHECKPOINT_DIR": str(directory / "checkpoints"),
        **environment,
    }
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=variables, stdout=output, stderr=output, cwd=directory)
    return Job(process, log)


@contextmanager
def ended(job: Job) -> Iterator[Job]:
    """Stop the job in the end, or kill it."""
    try:
        yield job
    finally:
        if job.process.poll() is None:
            job.process.terminate()
            try:
                job.process.wait(40)
            except subprocess.TimeoutExpired:
                job.kill()
