"""Many tabs at once, in a thread with an event loop of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Self, TypeVar

from tests.support.tab import Seen, Tab

_T = TypeVar("_T")
_OPEN_SECONDS = 120.0


class Tabs:
    """So many open pages. Use as a context manager.

    Args:
        url: Of the dashboard.
        count: How many.
        every_seconds: They are opened one after the other over this time, as people do, so that their timers differ.
    """

    def __init__(self, url: str, count: int, *, every_seconds: float = 2.0, query: str = "", api_key: str = "") -> None:
        self._tabs = [Tab(url, query=query, api_key=api_key) for _ in range(count)]
        self._gap = every_seconds / max(1, count)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="tabs", daemon=True)

    def seen(self) -> list[Seen]:
        """Return what each of them got so far."""

        async def copies() -> list[Seen]:
            return [each.seen.copy() for each in self._tabs]

        return self._wait(copies())

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            self._wait(self._open())
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    async def _open(self) -> None:
        for each in self._tabs:
            await each.__aenter__()
            await each.drawn(_OPEN_SECONDS)
            await asyncio.sleep(self._gap)

    def _end(self) -> None:
        async def close() -> None:
            await asyncio.gather(*(each.__aexit__(None, None, None) for each in self._tabs), return_exceptions=True)

        self._wait(close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def _wait(self, call: Coroutine[Any, Any, _T]) -> _T:
        return asyncio.run_coroutine_threadsafe(call, self._loop).result(_OPEN_SECONDS * 2)
