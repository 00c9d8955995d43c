"""Run `spark-submit` so that it can be stopped gracefully and never leaves half of itself behind.

    python -m sentinel.localstack.job_runner <script name> <spark-submit> <arguments>

`spark-submit` is a JVM whose child is the driver's Python, which alone knows how to stop in good order. Hence:

- SIGTERM or SIGINT to this process goes to that Python only; a JVM that got it too would take Spark away from under it.
- When the JVM or the Python ends for whatever reason, what remains of the two is ended, and this process ends
  with the exit code of `spark-submit`; the supervisor starts it again.
- When this process itself is killed, the launcher ends the remains before the next start.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from types import FrameType

import psutil

from sentinel.localstack.launch import MARK, end_leftovers

# Below the time after which the supervisor kills (stop_seconds of the job's program).
GRACE_SECONDS = 40.0
STOP_SECONDS = 60
_MEMORY_OR_KILL = 128


def main(arguments: Sequence[str]) -> int:
    """Run the command until it ends; return its exit code, 0 after a stop that was asked for."""
    script, *command = arguments
    asked = threading.Event()

    def ask(_number: int, _frame: FrameType | None) -> None:
        asked.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, ask)
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    code = _wait(child, script, asked)
    end_leftovers(os.environ[MARK])
    if asked.is_set():
        return 0
    return code if code >= 0 else _MEMORY_OR_KILL - code


def driver_python(jvm_pid: int, script: str) -> psutil.Process | None:
    """Return the Python child of a `spark-submit` JVM that runs the script; None while it has not started."""
    with contextlib.suppress(psutil.Error):
        for process in psutil.Process(jvm_pid).children():
            with contextlib.suppress(psutil.Error):
                if any(argument.endswith(script) for argument in process.cmdline()):
                    return process
    return None


def _wait(child: subprocess.Popen[bytes], script: str, asked: threading.Event) -> int:
    """Wait for the end, passing on a request to stop."""
    while not asked.is_set():
        with contextlib.suppress(subprocess.TimeoutExpired):
            return child.wait(0.2)
    python = driver_python(child.pid, script)
    if python is None:
        child.terminate()
    else:
        with contextlib.suppress(psutil.NoSuchProcess):
            python.send_signal(signal.SIGTERM)
    try:
        return child.wait(GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        sys.stderr.write(f"the job did not stop within {GRACE_SECONDS:.0f} s; killing it\n")
        child.kill()
        return child.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
