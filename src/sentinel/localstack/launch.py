"""Start one program of the local stack. Run by the supervisor as a script, with the standard library alone.

    python launch.py <specification.json>

1. Ends what is left of an earlier run of the same program (the children of a server that was killed).
2. Raises the limit of open files.
3. As root only: gives up root for programs that refuse it (PostgreSQL), keeping the one capability that lets it
   reach a home or a virtual environment below directories closed to others, such as /root.
4. Asks the kernel for a signal when the supervisor dies, so that nothing is left behind.
5. Lets other processes go first, where the specification says so.
6. Becomes the program: the process id stays.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import pwd
import resource
import signal
import sys
import time
from pathlib import Path
from typing import Any

MARK = "SENTINEL_PROGRAM"
_LEFTOVER_SECONDS = 8.0
_OPEN_FILES = 65_536
_PR_SET_PDEATHSIG, _PR_SET_KEEPCAPS, _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE = 1, 8, 47, 2
_CAP_VERSION_3 = 0x20080522
_CAP_DAC_OVERRIDE = 1


def main(arguments: list[str]) -> None:
    """Replace this process by the program of the specification."""
    specification: dict[str, Any] = json.loads(Path(arguments[0]).read_text())
    environment = {**os.environ, **specification["environment"]}
    end_leftovers(environment[MARK])
    _raise_open_files()
    if specification["unprivileged"] and os.geteuid() == 0:
        give_up_root()
        environment["HOME"] = "/"
    ask_for_signal(int(specification["parent_death_signal"]))
    # A specification that was written by an earlier release says nothing of it.
    os.nice(int(specification.get("niceness", 0)))
    os.chdir(specification["directory"])
    argv: list[str] = specification["argv"]
    os.execve(argv[0], argv, environment)  # noqa: S606 - that is the purpose


def marked_processes(mark: str) -> list[int]:
    """Return the processes, other than this one, whose environment carries `SENTINEL_PROGRAM=<mark>`."""
    wanted = f"{MARK}={mark}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            with contextlib.suppress(OSError):
                state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
                if state != "Z" and wanted in (entry / "environ").read_bytes().split(b"\0"):
                    found.append(int(entry.name))
    return found


def end_leftovers(mark: str) -> None:
    """End the processes of an earlier run: what does not go by itself or on SIGTERM is killed."""
    for number, seconds in ((0, 0.5), (signal.SIGTERM, _LEFTOVER_SECONDS), (signal.SIGKILL, 5.0)):
        deadline = time.monotonic() + seconds
        pids = marked_processes(mark)
        for pid in pids:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, number)
        while pids and time.monotonic() < deadline:
            time.sleep(0.05)
            pids = marked_processes(mark)
        if not pids:
            return


def give_up_root() -> None:
    """Become `nobody`; keep CAP_DAC_OVERRIDE where the kernel grants it."""
    account = pwd.getpwnam("nobody")
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_KEEPCAPS, 1, 0, 0, 0)
    os.setgroups([])
    os.setgid(account.pw_gid)
    os.setuid(account.pw_uid)
    bit = 1 << _CAP_DAC_OVERRIDE
    header = (ctypes.c_uint32 * 2)(_CAP_VERSION_3, 0)
    data = (ctypes.c_uint32 * 6)(bit, bit, bit, 0, 0, 0)
    if libc.capset(header, data) == 0:
        libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, _CAP_DAC_OVERRIDE, 0, 0)


def ask_for_signal(number: int) -> None:
    """Have the kernel send this process a signal when its parent dies; it survives exec."""
    parent = os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit("the supervisor is gone")


def _raise_open_files() -> None:
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(_OPEN_FILES, hard)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


if __name__ == "__main__":
    main(sys.argv[1:])
