"""Ports on the loopback interface."""

from __future__ import annotations

import errno
import socket

from sentinel.errors import ConfigurationError

LOOPBACK = "127.0.0.1"


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
    """Return a port that nothing listens on, not one of `taken`."""
    while True:
        with socket.socket() as probe:
            probe.bind((LOOPBACK, 0))
            port = int(probe.getsockname()[1])
        if port not in taken:
            return port


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
