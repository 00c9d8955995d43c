"""What runs in a home: state, address, memory, data. Reads only; starts nothing."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from sentinel.localstack.paths import StackPaths
from sentinel.localstack.program import written_address
from sentinel.localstack.state import StackState
from sentinel.localstack.supervision import Supervisor
from sentinel.settings import Settings


@dataclass(frozen=True, slots=True)
class ProgramStatus:
    """One program.

    Attributes:
        state: running, starting, stopped, backoff (it failed and will be started again) or not answering.
        address: Where clients find it; empty: it serves nobody.
        rss_bytes: Memory of it and its descendants; memory they share is counted once.
        data_bytes: Its data on disk; None: it has none.
        telemetry: Where it tells of itself (`/metrics`, `/healthz`, `/readyz`); empty: at its address, or nowhere.
    """

    name: str
    state: str
    address: str
    pid: int
    rss_bytes: int
    data_bytes: int | None
    detail: str = ""
    telemetry: str = ""


def stack_status(settings: Settings) -> list[ProgramStatus]:
    """Return what is known of every program of a home, the supervisor last."""
    paths = StackPaths(settings.home)
    state = StackState.load(paths)
    supervisor = Supervisor(paths)
    known = supervisor.states()
    found = []
    for name in [*state.local, *(name for name in known if name not in state.local)]:
        program = known.get(name)
        pid = program.pid if program else 0
        port = state.ports.get(name)
        address = f"127.0.0.1:{port}" if port else written_address(paths, name)
        word = program.state if program else "stopped"
        if word == "running" and address and not _listens(address):
            word = "not answering"
        data = paths.data / name
        found.append(
            ProgramStatus(
                name=name,
                state=word,
                address=address,
                pid=pid,
                rss_bytes=tree_rss(pid) if pid else 0,
                data_bytes=directory_size(data) if data.is_dir() else None,
                detail=program.detail if program and word in {"backoff", "fatal"} else "",
                telemetry=written_address(paths, name, "telemetry") if pid else "",
            )
        )
    pid = supervisor.pid or 0
    rss = psutil.Process(pid).memory_info().rss if pid else 0
    found.append(ProgramStatus("supervisor", "running" if pid else "stopped", "", pid, rss, None))
    return found


def tree_rss(pid: int) -> int:
    """Return the resident memory of a process and its descendants, in bytes.

    Of the descendants only what is their own counts: PostgreSQL's processes all show its shared buffers as theirs.
    """
    total = 0
    with contextlib.suppress(psutil.Error):
        process = psutil.Process(pid)
        total = process.memory_info().rss
        for child in process.children(recursive=True):
            with contextlib.suppress(psutil.Error):
                memory = child.memory_info()
                total += memory.rss - memory.shared
    return total


def directory_size(path: Path) -> int:
    """Return the bytes that the files below a directory take on disk."""
    return sum(_file_sizes(path))


def _file_sizes(path: Path) -> Iterator[int]:
    with contextlib.suppress(OSError), os.scandir(path) as entries:
        for entry in entries:
            with contextlib.suppress(OSError):
                if entry.is_dir(follow_symlinks=False):
                    yield from _file_sizes(Path(entry.path))
                else:
                    yield entry.stat(follow_symlinks=False).st_blocks * 512


def _listens(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host, int(port)), timeout=1):
            return True
    except OSError:
        return False
