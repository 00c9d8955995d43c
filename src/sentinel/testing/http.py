"""Serves an ASGI application on a free port of the loopback interface, for tests that speak real HTTP."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn

_START_SECONDS = 30.0


@contextmanager
def serve(app: Any) -> Iterator[str]:
    """Run an ASGI application in a thread and yield its base URL; stops it at the end.

    Raises:
        RuntimeError: It did not start.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="on"))
        thread = threading.Thread(target=_run, args=(server, listener), daemon=True)
        thread.start()
        try:
            _wait(server, thread)
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(_START_SECONDS)


def _run(server: uvicorn.Server, listener: socket.socket) -> None:
    # uvicorn leaves the process when an application does not start; here it is a thread of the test's.
    with contextlib.suppress(SystemExit):
        server.run(sockets=[listener])


def _wait(server: uvicorn.Server, thread: threading.Thread) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not server.started:
        if not thread.is_alive() or time.monotonic() > deadline:
            raise RuntimeError("the application did not start; its log says why")
        time.sleep(0.01)
