"""Start, stop and look at the servers of one home."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from sentinel.errors import ConfigurationError, NotFoundError
from sentinel.localstack.class_archive import ensure_class_archive
from sentinel.localstack.jars import ensure_jars
from sentinel.localstack.java import find_java
from sentinel.localstack.paths import StackPaths, jars_root
from sentinel.localstack.ports import choose_port, is_free
from sentinel.localstack.progress import Report, plain_report
from sentinel.localstack.servers import SERVERS, Server, ServerContext
from sentinel.localstack.state import StackState
from sentinel.localstack.supervision import Supervisor, wait_until
from sentinel.settings import Settings
from sentinel.stores.postgres.migrate import ensure_tenant, upgrade

READY_SECONDS = 60.0
_JAVA_SERVERS = ("kafka", "s3")


@dataclass(slots=True)
class Stack:
    """The stack of one home.

    Attributes:
        well_known_ports: Whether servers get the ports people know where those are free.
    """

    paths: StackPaths
    state: StackState
    supervisor: Supervisor
    report: Report
    well_known_ports: bool = True

    @classmethod
    def open(cls, settings: Settings, *, report: Report = plain_report, well_known_ports: bool = True) -> Stack:
        """Read the state of the home; nothing is started or written."""
        paths = StackPaths(settings.home)
        state = StackState.load(paths)
        return cls(paths, state, Supervisor(paths), report, well_known_ports)

    @property
    def settings(self) -> Settings:
        """The settings as they are after the last `up`."""
        return Settings.load(self.paths.home)

    def context(self) -> ServerContext:
        """Return what the servers need to know."""
        java = find_java(self.paths.home)
        return ServerContext(self.paths, self.state, java, jars_root(self.paths.home))

    def save(self) -> None:
        """Write the state and `stack.env`."""
        root = jars_root(self.paths.home)
        shared = root != self.paths.home / "jars"
        self.state.save(self.paths, {"SENTINEL_JOB__JARS_DIR": str(root / "spark")} if shared else {})

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Let one command at a time change the stack of this home."""
        self.paths.create()
        with (self.paths.run / "lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self.report("another command is changing this stack; waiting for it")
                fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def up(self, names: Sequence[str] | None = None, *, migrate: bool = True, die_with_parent: bool = False) -> None:
        """Have these servers running and answering, and the database at the newest schema.

        1. Jars and ports. 2. The supervisor. 3. Each server that does not run: data, configuration, start.
        4. Wait for each to answer its own protocol. 5. Roles, bucket, migrations, tenant.
        A crash or Ctrl-C anywhere leaves a state that the next `up` completes.

        Raises:
            StoreUnavailableError: A server does not answer in time; the message quotes its log.
            ConfigurationError: Something must be changed first; the message says what.
        """
        servers = self._wanted(names)
        with self.locked():
            self.state = StackState.load(self.paths)
            running = {name for name, state in self.supervisor.states().items() if state.pid}
            self._ensure_jars(servers)
            self._choose_ports(servers, running)
            self.supervisor.ensure_running(die_with_parent=die_with_parent)
            context = self.context()
            started = [server for server in servers if server.name not in running]
            if started:
                self.report(f"starting {', '.join(server.label for server in started)}")
            for server in started:
                server.prepare(context).write(self.paths)
                self.supervisor.start(server.name)
            for server in servers:
                self._wait(context, server)
            # Of every server: an earlier `up` may have been interrupted between the start and this.
            for server in servers:
                server.bootstrap(context)
            if migrate and (names is None or "postgres" in names):
                upgrade(self.settings.postgres)
                ensure_tenant(self.settings.postgres, self.settings.tenant, self.settings.tenant)

    def down(self) -> None:
        """Stop every program of this home, then its supervisor."""
        with self.locked():
            self.supervisor.shutdown()

    def start(self, name: str) -> None:
        """Start one server that is configured and wait until it answers."""
        self.supervisor.start(name)
        self._wait(self.context(), SERVERS[name])

    def wait(self, name: str) -> None:
        """Wait until one server answers."""
        self._wait(self.context(), SERVERS[name])

    def _wanted(self, names: Sequence[str] | None) -> list[Server]:
        unknown = [name for name in names or () if name not in SERVERS]
        if unknown:
            raise NotFoundError(f"there is no server {unknown[0]!r}; there are {', '.join(SERVERS)}")
        return [
            server
            for server in SERVERS.values()
            if server.name in (names or SERVERS) and not self._is_elsewhere(server)
        ]

    def _is_elsewhere(self, server: Server) -> bool:
        value = os.environ.get(server.setting, "")
        if not value:
            return False
        self.report(f"{server.label}: not started, since {server.setting} is set ({value})")
        return True

    def _ensure_jars(self, servers: Sequence[Server]) -> None:
        sets = [server.name for server in servers if server.name in _JAVA_SERVERS]
        java = find_java(self.paths.home)
        ensure_jars(jars_root(self.paths.home), java.executable, ["spark", *sets], report=self.report)
        self.save()
        if sets:
            ensure_class_archive(self.settings, java, self.report)

    def _choose_ports(self, servers: Sequence[Server], running: set[str]) -> None:
        for server in servers:
            if server.name in running:
                continue
            for name, known in server.ports.items():
                recorded = self.state.ports.get(name)
                wished = named_port(server, name)
                if wished:
                    self.state.ports[name] = wished
                    continue
                taken = frozenset(port for other, port in self.state.ports.items() if other != name)
                port = choose_port(recorded, known if self.well_known_ports else None, taken)
                if known and self.well_known_ports and port != (recorded or known):
                    self.report(f"{server.label}: port {recorded or known} is taken, using {port}")
                self.state.ports[name] = port
            if server.name not in self.state.local:
                self.state.local.append(server.name)
        self.save()

    def _wait(self, context: ServerContext, server: Server, seconds: float = READY_SECONDS) -> None:
        wait_until(
            lambda: server.probe(context),
            seconds,
            lambda: server.name not in self.supervisor.states(),
            lambda reason: self.supervisor.complaint(server.name, server.label, reason),
        )


def named_port(server: Server, name: str) -> int | None:
    """Return the port that the environment names for a server of this stack: it wins over stack.env, so it must be it.

    Raises:
        ConfigurationError: It is taken, or not a port.
    """
    setting = server.setting.replace("__HOST", "__PORT")
    text = os.environ.get(setting, "") if setting.endswith("__PORT") and name == server.name else ""
    if not text:
        return None
    if not text.isdigit() or not 0 < int(text) < 65536:
        raise ConfigurationError(f"{setting}={text!r} is not a port; give a number from 1 to 65535, or unset it")
    if not is_free(int(text)):
        raise ConfigurationError(
            f"port {text}, which {setting} names for {server.label}, is taken; unset it, or name another"
        )
    return int(text)
