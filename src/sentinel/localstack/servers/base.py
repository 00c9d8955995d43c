"""What the stack asks of a server."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from sentinel.localstack.java import Java
from sentinel.localstack.paths import StackPaths
from sentinel.localstack.program import Program
from sentinel.localstack.state import StackState


@dataclass(frozen=True, slots=True)
class ServerContext:
    """Where a server lives, and what was decided for it."""

    paths: StackPaths
    state: StackState
    java: Java
    jars: Path

    def data_dir(self, server: str) -> Path:
        """Return the directory of a server's data."""
        return self.paths.data / server

    def port(self, name: str) -> int:
        """Return a port that was chosen."""
        return self.state.ports[name]

    def secret(self, name: str) -> str:
        """Return a generated secret."""
        return self.state.secrets[name]


class Server(Protocol):
    """A server of the stack. Its methods are called in this order by every `up` that finds it stopped."""

    name: str
    label: str
    ports: dict[str, int | None]
    """Port name -> the port people know; None: any. The first is the one that clients use."""

    setting: str
    """The setting that, when the environment has it, says a server elsewhere is used instead."""

    def prepare(self, context: ServerContext) -> Program:
        """Create data and configuration where missing, and return the program to run. Safe to interrupt."""

    def probe(self, context: ServerContext) -> str | None:
        """Ask in the server's own protocol; return None when it answers, else its complaint."""

    def bootstrap(self, context: ServerContext) -> None:
        """Create roles, buckets and the like on the answering server. Idempotent."""


def java_properties(values: dict[str, str]) -> str:
    """Return the text of a Java properties file: what is not printable ASCII is escaped."""
    escaped = {
        key: "".join(
            f"\\u{unit:04x}" if unit > 126 or unit < 32 or chr(unit) == "\\" else chr(unit)
            for unit in memoryview(value.encode("utf-16-le")).cast("H")
        )
        for key, value in values.items()
    }
    return "".join(f"{key}={value}\n" for key, value in escaped.items())
