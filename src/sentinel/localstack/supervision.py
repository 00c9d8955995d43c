"""The supervisor of one home: started when needed, spoken to over XML-RPC on the loopback interface."""

from __future__ import annotations

import contextlib
import http.client
import importlib.util
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xmlrpc.client import Fault, ProtocolError, ServerProxy

import psutil

from sentinel.errors import ConfigurationError, StoreUnavailableError
from sentinel.localstack.launch import MARK
from sentinel.localstack.launch import __file__ as LAUNCHER
from sentinel.localstack.paths import StackPaths
from sentinel.localstack.ports import free_port
from sentinel.localstack.state import write_private

_START_SECONDS = 15.0
_ALREADY_ADDED, _ALREADY_STARTED, _NOT_RUNNING, _BAD_NAME = 90, 60, 70, 10

# Over TCP, not a socket file: a path below a deep home exceeds the 108 bytes a socket's name may have.
_CONFIGURATION = """[supervisord]
nodaemon=true{user}
silent=true
logfile=../logs/supervisord.log
logfile_maxbytes=5MB
logfile_backups=1
pidfile=supervisord.pid
childlogdir=../logs

[inet_http_server]
port=127.0.0.1:{port}
username=sentinel
password={password}

[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface

[include]
files=programs/*.conf
"""


@dataclass(frozen=True, slots=True)
class ProgramState:
    """What the supervisor says of a program: its state in lower case, and its pid (0: none)."""

    name: str
    state: str
    pid: int
    detail: str
    started_at: int


class Supervisor:
    """Client of the supervisor of one home."""

    def __init__(self, paths: StackPaths) -> None:
        self.paths = paths

    @property
    def pid(self) -> int | None:
        """Its process, if it runs."""
        try:
            found = self._known()
            process = psutil.Process(found["pid"])
            if abs(process.create_time() - found["created"]) < 1 and process.status() != psutil.STATUS_ZOMBIE:
                return process.pid
        except (OSError, ValueError, KeyError, psutil.Error):
            pass
        return None

    def ensure_running(self, *, die_with_parent: bool = False) -> None:
        """Start it unless it runs. What a killed one left behind is ended first.

        Args:
            die_with_parent: Stop everything when the calling process dies, even by SIGKILL (for tests).

        Raises:
            StoreUnavailableError: It does not come up.
        """
        if self.pid is not None:
            return
        self._end_orphans()
        for attempt in range(3):
            port = free_port()
            process = self._spawn(port, die_with_parent=die_with_parent)
            if self._answers(process, port):
                return
            if attempt == 2:
                log = self.paths.logs / "supervisord.out"
                raise StoreUnavailableError("the supervisor", f"it did not come up; see {log}")

    def shutdown(self, timeout_seconds: float = 60.0) -> None:
        """Stop every program, then the supervisor itself."""
        pid = self.pid
        if pid is not None:
            with contextlib.suppress(psutil.Error):
                process = psutil.Process(pid)
                process.terminate()
                process.wait(timeout_seconds)
        self._end_orphans()
        (self.paths.run / "supervisor.json").unlink(missing_ok=True)

    def states(self) -> dict[str, ProgramState]:
        """Return every program it knows; nothing when it does not run."""
        if self.pid is None:
            return {}
        return {
            found["name"]: ProgramState(
                found["name"], found["statename"].lower(), found["pid"], found["spawnerr"], found["start"]
            )
            for found in self._call("getAllProcessInfo")
        }

    def start(self, name: str) -> None:
        """Start a written program without waiting; a running one is left alone."""
        self._load(name)
        self._call("startProcess", name, False, harmless=(_ALREADY_STARTED,))

    def stop(self, name: str) -> None:
        """Stop a program and wait until it is gone; one that does not run is left alone."""
        self._call("stopProcess", name, True, harmless=(_NOT_RUNNING, _BAD_NAME))

    def forget(self, name: str) -> None:
        """Stop a program and drop it."""
        self.stop(name)
        self._call("removeProcessGroup", name, harmless=(_BAD_NAME,))

    def has_failed(self, name: str) -> bool:
        """Return whether the program ended instead of starting; it may be started again later."""
        state = self.states().get(name)
        return state is None or state.state in {"backoff", "fatal", "exited"}

    def complaint(self, name: str, label: str, reason: str) -> StoreUnavailableError:
        """Return the error that a program does not answer, with the end of its log."""
        log = self.paths.logs / f"{name}.log"
        tail = log.read_text(errors="replace").strip().splitlines()[-5:] if log.exists() else []
        quoted = "".join(f"\n  {line}" for line in tail)
        return StoreUnavailableError(label, f"{reason}; its log {log} ends with:{quoted}")

    def _load(self, name: str) -> None:
        """Make it know the program; a changed section replaces the one it knows, unless that runs."""
        _added, changed, _removed = self._call("reloadConfig")[0]
        known = self.states()
        if name in changed and name in known and known[name].pid == 0:
            self.forget(name)
            del known[name]
        if name not in known:
            self._call("addProcessGroup", name, harmless=(_ALREADY_ADDED,))

    def _call(self, method: str, *arguments: Any, harmless: tuple[int, ...] = ()) -> Any:
        found = self._known()
        url = f"http://sentinel:{found['password']}@127.0.0.1:{found['port']}/RPC2"
        try:
            with ServerProxy(url, allow_none=True) as server:
                return getattr(server.supervisor, method)(*arguments)
        except Fault as fault:
            if fault.faultCode in harmless:
                return None
            what = f"{method} {' '.join(map(str, arguments))}".strip()
            raise StoreUnavailableError("the supervisor", f"{what}: {fault.faultString}") from fault
        except ProtocolError as error:  # its text holds the password
            raise StoreUnavailableError("the supervisor", f"it answered {error.errcode} {error.errmsg}") from None
        except (OSError, http.client.HTTPException) as error:
            raise StoreUnavailableError("the supervisor", str(error)) from error

    def _known(self) -> dict[str, Any]:
        """Read what was recorded of it: pid, time of its creation, port, password."""
        known: dict[str, Any] = json.loads((self.paths.run / "supervisor.json").read_text())
        return known

    def _spawn(self, port: int, *, die_with_parent: bool) -> subprocess.Popen[bytes]:
        if importlib.util.find_spec("supervisor") is None:
            raise ConfigurationError("the package 'supervisor' is not installed; run `make install`")
        configuration = self.paths.run / "supervisord.conf"
        user = f"\nuser={os.geteuid()}" if os.geteuid() == 0 else ""
        password = secrets.token_hex(16)
        write_private(configuration, _CONFIGURATION.format(port=port, password=password, user=user))
        environment = {
            **os.environ,
            "SENTINEL_PYTHON": sys.executable,
            "SENTINEL_LAUNCHER": str(Path(LAUNCHER).resolve()),
            "SENTINEL_HOME": str(self.paths.home),
            MARK: f"{self.paths.home}|supervisor",
            "PYTHONWARNINGS": "ignore",
        }
        specification = {
            "argv": [sys.executable, "-m", "supervisor.supervisord", "-n", "-c", str(configuration)],
            "directory": str(self.paths.run),
            "environment": environment,
            "unprivileged": False,
            "parent_death_signal": int(signal.SIGTERM) if die_with_parent else 0,
        }
        write_private(self.paths.run / "supervisor-launch.json", json.dumps(specification))
        with (self.paths.logs / "supervisord.out").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-I", LAUNCHER, str(self.paths.run / "supervisor-launch.json")],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
                start_new_session=True,
            )
        created = psutil.Process(process.pid).create_time()
        known = {"pid": process.pid, "created": created, "port": port, "password": password}
        write_private(self.paths.run / "supervisor.json", json.dumps(known))
        return process

    def _answers(self, process: subprocess.Popen[bytes], port: int) -> bool:
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline and process.poll() is None:
            with contextlib.suppress(StoreUnavailableError):
                if self._call("getPID") == process.pid:
                    return True
            time.sleep(0.05)
        if process.poll() is None:
            process.kill()
        process.wait()
        return False

    def _end_orphans(self) -> None:
        """End processes that carry this home's mark: their supervisor was killed."""
        orphans = [process for process in psutil.process_iter() if self._is_ours(process)]
        for end in (psutil.Process.terminate, psutil.Process.kill):
            for process in orphans:
                with contextlib.suppress(psutil.Error):
                    end(process)
            _gone, orphans = psutil.wait_procs(orphans, timeout=15)
            if not orphans:
                return

    def _is_ours(self, process: psutil.Process) -> bool:
        if process.pid == os.getpid():
            return False
        with contextlib.suppress(psutil.Error, OSError):
            return process.environ().get(MARK, "").startswith(f"{self.paths.home}|")
        return False


def wait_until(
    probe: Callable[[], str | None],
    seconds: float,
    gave_up: Callable[[], bool],
    complain: Callable[[str], Exception],
) -> None:
    """Probe until it answers None; raise what `complain` makes of the last answer after `seconds`."""
    deadline = time.monotonic() + seconds
    while (reason := probe()) is not None:
        if time.monotonic() > deadline or gave_up():
            raise complain(reason)
        time.sleep(0.05)
