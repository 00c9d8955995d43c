"""Checks of the machine: versions, Java, disk, memory, ports."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterator
from importlib import metadata

import psutil
from packaging.requirements import Requirement

from sentinel.errors import ConfigurationError
from sentinel.localstack.doctor.finding import Finding, error, ok, warning
from sentinel.localstack.jars import missing_jars
from sentinel.localstack.java import SUPPORTED, find_java
from sentinel.localstack.paths import StackPaths, jars_root
from sentinel.localstack.ports import is_free
from sentinel.localstack.state import StackState
from sentinel.localstack.supervision import Supervisor
from sentinel.settings import PROJECT_ROOT, Settings

_GB = 1024**3
_DISK_ERROR, _DISK_WARNING = 1 * _GB, 10 * _GB
_MEMORY_ERROR, _MEMORY_WARNING = int(1.5 * _GB), 3 * _GB
_KNOWN_PORTS = {
    "PostgreSQL": ("postgres", 5432),
    "Redis": ("redis", 6379),
    "Kafka": ("kafka", 9092),
    "S3": ("s3", 9000),
}
_PINNED = re.compile(r"^[a-z0-9._-]+==[^\\\n]+", re.MULTILINE)


def check_versions(settings: Settings) -> Iterator[Finding]:
    """Python, and every installed package against the lock file; the jars."""
    found = ".".join(map(str, sys.version_info[:3]))
    if (3, 11) <= sys.version_info[:2] <= (3, 13):
        yield ok("Python", found)
    else:
        yield error("Python", f"{found} is not supported", "install Python 3.11, 3.12 or 3.13 and run `make install`")
    lock = PROJECT_ROOT / "requirements" / "lock.txt"
    if lock.exists():
        wrong = list(_wrong_packages(lock.read_text()))
        if wrong:
            more = f" and {len(wrong) - 4} more" if len(wrong) > 4 else ""
            yield error("packages", "; ".join(wrong[:4]) + more, "run `make install`")
        else:
            yield ok("packages", "as requirements/lock.txt says")
    root = jars_root(settings.home)
    missing = missing_jars(root)
    if missing:
        yield warning(
            "jars", f"{len(missing)} are not fetched yet into {root}", "`sentinel up` fetches them; stay online"
        )
    else:
        yield ok("jars", f"complete in {root}")


def check_java(settings: Settings) -> Iterator[Finding]:
    """A Java that Spark runs on."""
    try:
        java = find_java(settings.home)
    except (ConfigurationError, OSError) as problem:
        yield error("Java", str(problem), f"install Java {' or '.join(map(str, SUPPORTED))}, or set JAVA_HOME to one")
        return
    yield ok("Java", f"{java.version} from {java.origin} ({java.home})")


def check_disk(settings: Settings) -> Iterator[Finding]:
    """The home can be written and has room."""
    try:
        StackPaths(settings.home).create()
    except ConfigurationError as problem:
        yield error("disk", problem.message, "set SENTINEL_HOME to a directory you own")
        return
    free = shutil.disk_usage(settings.home).free
    text = f"{free / _GB:.1f} GB free in {settings.home}"
    advice = "free some, or set SENTINEL_HOME to a directory on a larger disk"
    if free < _DISK_ERROR:
        yield error("disk", text, advice)
    elif free < _DISK_WARNING:
        yield warning("disk", text, advice)
    else:
        yield ok("disk", text)


def check_memory(settings: Settings) -> Iterator[Finding]:
    """Memory for the stack and one job, unless they have it already."""
    memory = psutil.virtual_memory()
    text = f"{memory.available / _GB:.1f} of {memory.total / _GB:.1f} GB available"
    if Supervisor(StackPaths(settings.home)).pid is not None:
        yield ok("memory", f"{text}, with the stack running")
        return
    advice = "close other programs; a smaller job is set by SENTINEL_JOB__DRIVER_MEMORY=768m"
    if memory.available < _MEMORY_ERROR:
        yield error("memory", f"{text}; the stack and one job take up to 3 GB", advice)
    elif memory.available < _MEMORY_WARNING:
        yield warning("memory", f"{text}; the stack and one job take up to 3 GB", advice)
    else:
        yield ok("memory", text)


def check_ports(settings: Settings) -> Iterator[Finding]:
    """The ports that people know. Data servers move to others, the API and the dashboard do not."""
    paths = StackPaths(settings.home)
    state = StackState.load(paths)
    running = {name for name, program in Supervisor(paths).states().items() if program.pid}
    for label, (name, port) in _KNOWN_PORTS.items():
        if name in running:
            yield ok(f"port of {label}", f"{state.ports[name]}, in use by this stack")
        elif is_free(port):
            yield ok(f"port of {label}", f"{port} is free")
        else:
            yield warning(
                f"port of {label}",
                f"{port} is taken by another program",
                "nothing to do: `sentinel up` takes a free one, and `sentinel status` shows it",
            )
    for label, name, group, setting in (
        ("API", "api", settings.api, "SENTINEL_API__PORT"),
        ("dashboard", "dashboard", settings.dashboard, "SENTINEL_DASHBOARD__PORT"),
    ):
        if name in running:
            yield ok(f"port of the {label}", f"{group.port}, in use by this stack")
        elif is_free(group.port, group.host):
            yield ok(f"port of the {label}", f"{group.port} is free")
        else:
            yield error(
                f"port of the {label}",
                f"{group.port} is taken by another program",
                f"stop that program, or set {setting} to a free port",
            )


def _wrong_packages(lock: str) -> Iterator[str]:
    for line in _PINNED.findall(lock):
        pinned = Requirement(line)
        if pinned.marker and not pinned.marker.evaluate():
            continue
        try:
            found = metadata.version(pinned.name)
        except metadata.PackageNotFoundError:
            yield f"{pinned.name} is not installed"
            continue
        if not pinned.specifier.contains(found, prereleases=True):
            yield f"{pinned.name} is {found} instead of {pinned.specifier}"
