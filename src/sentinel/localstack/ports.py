"""Ports on the loopback interface."""

from __future__ import annotations

import errno
import itertools
import os
import socket
from pathlib import Path

from sentinel.errors import ConfigurationError

LOOPBACK = "127.0.0.1"
_FIRST, _USUAL_END = 10_240, 32_768
_APART = 61
_OUTGOING = Path("/proc/sys/net/ipv4/ip_local_port_range")
_calls = itertools.count()


def is_free(port: int, host: str = LOOPBACK) -> bool:
    """Return whether a server could listen on this port now. Connections in TIME_WAIT do not count."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError as error:
            if error.errno in {errno.EADDRINUSE, errno.EACCES}:
                return False
            raise ConfigurationError(f"cannot listen on {host}:{port}: {error.strerror}") from error
    return True


def free_port(taken: frozenset[int] = frozenset()) -> int:
    """Return a port that nothing listens on, not one of `taken`, and another one at each call of the process.

    Not one that the system gives to outgoing connections, as binding to port 0 would: while a server is down, somebody
    else's connection may take such a port, and even a client that asks for the server again and again, which then is
    connected to itself. Where processes begin to look differs, so that two that start at once do not meet.
    """
    while True:
        port = _FIRST + (os.getpid() * _APART + next(_calls)) % (_end() - _FIRST)
        if port not in taken and is_free(port):
            return port


def _end() -> int:
    """Return the first port of outgoing connections, where that leaves room below it."""
    try:
        first = int(_OUTGOING.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return _USUAL_END
    return first if first > _FIRST + 1000 else _USUAL_END


def choose_port(recorded: int | None, preferred: int | None, taken: frozenset[int]) -> int:
    """Return the port a server gets: the recorded one, else the one people know, else any that is free.

    Args:
        recorded: What it had before.
        preferred: Its well-known port; None: any.
        taken: Ports that other servers of the stack have.
    """
    for port in (recorded, preferred):
        if port and port not in taken and is_free(port):
            return port
    return free_port(taken)
