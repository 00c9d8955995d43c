"""Fault points, active only in tests: `SENTINEL_TEST_FAULTS="after_commit:3=kill,start_generation:2=raise"`.

`<name>:<n>=<action>` acts at the n-th passage of the point: `kill` sends SIGKILL to this process, `kill+<seconds>` does
so a while later, `raise` raises `InjectedFaultError`. With `SENTINEL_TEST_FAULTS_ONCE=<directory>` a fault that acted
leaves a file there and never acts again, also after a restart. Without the variable a passage costs one dictionary
look-up.

`SENTINEL_TEST_RULE_THROWS=<text>` makes each rule whose condition holds the text throw where it would be true.
"""

from __future__ import annotations

import os
import signal
import threading
from collections import Counter
from pathlib import Path


class InjectedFaultError(Exception):
    """Raised by a fault point, never in production."""


def _planned() -> dict[str, tuple[int, str]]:
    plan = {}
    for item in filter(None, os.environ.get("SENTINEL_TEST_FAULTS", "").split(",")):
        where, _, action = item.partition("=")
        name, _, count = where.partition(":")
        plan[name] = (int(count or 1), action)
    return plan


_THROWING = os.environ.get("SENTINEL_TEST_RULE_THROWS", "")
_PLAN = _planned()
_PASSED: Counter[str] = Counter()


def fault_point(name: str) -> None:
    """Do what a test planned for this passage, normally nothing."""
    if name not in _PLAN:
        return
    _PASSED[name] += 1
    count, action = _PLAN[name]
    if _PASSED[name] != count:
        return
    once = os.environ.get("SENTINEL_TEST_FAULTS_ONCE")
    if once:
        done = Path(once) / name
        if done.exists():
            return
        done.touch()
    what, _, seconds = action.partition("+")
    if what == "kill":
        if not seconds:
            _kill()
        threading.Timer(float(seconds), _kill).start()
        return
    raise InjectedFaultError(f"injected at {name}, passage {count}")


def _kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def faulty(condition: str) -> str:
    """Return a compiled condition as it is evaluated: normally as it is."""
    if not _THROWING or _THROWING not in condition:
        return condition
    return f"(CASE WHEN {condition} THEN CAST(raise_error('injected') AS BOOLEAN) ELSE false END)"
