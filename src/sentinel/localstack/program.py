"""What the supervisor runs: a program, its launch specification and its section of the supervisor's configuration."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from sentinel.errors import InvalidError
from sentinel.localstack.launch import MARK
from sentinel.localstack.paths import StackPaths
from sentinel.localstack.state import write_private

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,60}")

# Paths never appear in the section: blanks, quotes, semicolons and percent signs in them would each need their own
# treatment there. Names are relative to the working directory, run/; the launcher reads paths from JSON.
_SECTION = """[program:{name}]
command="%(ENV_SENTINEL_PYTHON)s" -I "%(ENV_SENTINEL_LAUNCHER)s" programs/{name}.json
autostart=false
autorestart=true
startsecs={start_seconds}
startretries=100000
stopsignal={stop_signal}
stopwaitsecs={stop_seconds}
stopasgroup={stop_group}
killasgroup=true
redirect_stderr=true
stdout_logfile=../logs/{name}.log
stdout_logfile_maxbytes=10MB
stdout_logfile_backups=3
"""


@dataclass(frozen=True, slots=True)
class Program:
    """One supervised program.

    Attributes:
        name: Lower-case letters, digits and hyphens.
        argv: The command; the first item is an absolute path.
        environment: Added to the supervisor's.
        stop_signal: Asks it to stop; what remains after `stop_seconds` is killed with its group.
        start_seconds: A program that ends earlier is started again with growing delay, a later end at once.
        unprivileged: Refuses to run as root.
        address: Where clients find it, `host:port`; empty: it serves nobody.
        telemetry: Where it tells of itself, `host:port`; empty: at its address, or nowhere.
        niceness: How much other processes go first: 0 not at all, 19 always.
    """

    name: str
    argv: tuple[str, ...]
    directory: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    stop_signal: signal.Signals = signal.SIGTERM
    stop_seconds: int = 20
    start_seconds: int = 1
    unprivileged: bool = False
    address: str = ""
    telemetry: str = ""
    niceness: int = 0

    def write(self, paths: StackPaths) -> None:
        """Write its section and its launch specification, which may hold secrets.

        Raises:
            InvalidError: The name is not one.
        """
        if not _NAME.fullmatch(self.name):
            raise InvalidError(f"{self.name!r} is not a program name: lower-case letters, digits and hyphens")
        specification = {
            "argv": list(self.argv),
            "directory": str(self.directory),
            "environment": {**_own_settings(), **self.environment, **identity(paths, self.name)},
            "unprivileged": self.unprivileged,
            "address": self.address,
            "telemetry": self.telemetry,
            "parent_death_signal": int(self.stop_signal),
            "niceness": self.niceness,
        }
        write_private(paths.programs / f"{self.name}.json", json.dumps(specification, indent=1))
        section = _SECTION.format(
            name=self.name,
            start_seconds=self.start_seconds,
            stop_signal=self.stop_signal.name.removeprefix("SIG"),
            stop_seconds=self.stop_seconds,
            stop_group="false",
        )
        write_private(paths.programs / f"{self.name}.conf", section)


def identity(paths: StackPaths, name: str) -> dict[str, str]:
    """Return the variables by which the processes of a program are known as this stack's own."""
    return {MARK: f"{paths.home}|{name}", "SENTINEL_HOME": str(paths.home)}


def written_address(paths: StackPaths, name: str, kind: Literal["address", "telemetry"] = "address") -> str:
    """Return an address in a program's specification; empty where it has none."""
    try:
        specification: dict[str, str] = json.loads((paths.programs / f"{name}.json").read_text())
    except FileNotFoundError:
        return ""
    return specification.get(kind, "")


def remove_program(paths: StackPaths, name: str) -> None:
    """Forget a program that is not running."""
    for suffix in (".conf", ".json"):
        (paths.programs / f"{name}{suffix}").unlink(missing_ok=True)


def _own_settings() -> dict[str, str]:
    """The `SENTINEL_*` variables of whoever starts the program: they win over stack.env, as in the foreground."""
    return {name: value for name, value in os.environ.items() if name.startswith("SENTINEL_")}
