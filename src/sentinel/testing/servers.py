"""Real servers for tests: the local stack's own definitions, on free ports, in a directory of the test's."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from sentinel.localstack.paths import jars_root
from sentinel.localstack.progress import silent_report
from sentinel.localstack.stack import Stack
from sentinel.settings import PROJECT_ROOT, Settings

ALL = ("postgres", "kafka", "redis", "s3")


@dataclass(slots=True)
class ServerSet:
    """Running servers. Use as a context manager, or call `close`."""

    settings: Settings
    stack: Stack

    def stop(self, name: str) -> None:
        """Stop a server gracefully; it stays stopped until `start`."""
        self.stack.supervisor.stop(name)

    def start(self, name: str) -> None:
        """Start a stopped server on the same port and wait until it answers."""
        self.stack.start(name)

    def kill(self, name: str) -> int:
        """Kill a server with SIGKILL and return its former pid; it comes back by itself (`wait` for it)."""
        pid = self.pid(name)
        os.kill(pid, signal.SIGKILL)
        return pid

    def wait(self, name: str) -> None:
        """Wait until a server answers."""
        self.stack.wait(name)

    def pid(self, name: str) -> int:
        """Return the process id of a server; 0 when it does not run."""
        state = self.stack.supervisor.states().get(name)
        return state.pid if state else 0

    def close(self) -> None:
        """Stop everything."""
        self.stack.supervisor.shutdown()

    def __enter__(self) -> ServerSet:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def start_servers(home: Path, names: Sequence[str] = ALL, *, migrate: bool = True) -> ServerSet:
    """Start servers in `home` on free ports and wait until they answer.

    They stop with `close`, and also when this process dies, however it dies. Call it from the main thread: the
    kernel ties the supervisor to the thread that started it. `SENTINEL_*` variables of the environment are not used.

    Args:
        migrate: Bring the database to the newest schema and create the tenant `default`.
    """
    home = home.resolve()
    with own_environment(home):
        stack = Stack.open(Settings.load(home), report=silent_report, well_known_ports=False)
        try:
            stack.up(names, migrate=migrate, die_with_parent=True)
        except BaseException:
            stack.supervisor.shutdown()
            raise
        return ServerSet(stack.settings, stack)


@contextlib.contextmanager
def own_environment(home: Path) -> Iterator[None]:
    """Replace the `SENTINEL_*` variables by the home and the jars that the checkout has fetched already."""
    before = {name: value for name, value in os.environ.items() if name.startswith("SENTINEL_")}
    jars = before.get("SENTINEL_JARS_DIR") or str(jars_root(PROJECT_ROOT / ".sentinel"))
    for name in before:
        del os.environ[name]
    os.environ |= {"SENTINEL_HOME": str(home), "SENTINEL_JARS_DIR": jars}
    try:
        yield
    finally:
        for name in [name for name in os.environ if name.startswith("SENTINEL_")]:
            del os.environ[name]
        os.environ |= before
