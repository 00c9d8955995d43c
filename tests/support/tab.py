"""A tab of the dashboard without a browser: it speaks Streamlit's websocket as the page's own script does.

After the first run it sends every fragment that asks for it again at its interval, with the state of its widgets and
what it has cached, so that the server does what it does for a browser and nothing is spent on drawing. The protocol is
that of the installed Streamlit: https://github.com/streamlit/streamlit/tree/develop/proto.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import httpx
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ClientState_pb2 import ClientState
from streamlit.proto.Delta_pb2 import Delta
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Origin, Subprotocol

_STREAM, _HEALTH = "/_stcore/stream", "/_stcore/health"
_COOKIE = "_streamlit_xsrf"
_MOST_BYTES = 64 * 2**20
_FINISHED = ForwardMsg.ScriptFinishedStatus
# Messages that a browser keeps, when the server says that they may be kept.
_MOST_CACHED = 500


@dataclass
class Seen:
    """What one tab got.

    Attributes:
        pages: Runs of the whole page that ended well.
        fragments: Runs of one fragment that ended well.
        asked: Runs that it asked for.
        size_bytes: Of all messages.
        metrics: How often each figure was drawn, by its label.
        faults: Exceptions and error boxes that were drawn, runs that failed, and a lost connection.
    """

    pages: int = 0
    fragments: int = 0
    asked: int = 0
    messages: int = 0
    size_bytes: int = 0
    metrics: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)

    def since(self, before: Seen) -> Seen:
        """Return what came after an earlier state."""
        return Seen(
            self.pages - before.pages,
            self.fragments - before.fragments,
            self.asked - before.asked,
            self.messages - before.messages,
            self.size_bytes - before.size_bytes,
            self.metrics - before.metrics,
            self.faults - before.faults,
        )

    def copy(self) -> Seen:
        """Return this state as it is now."""
        return replace(self, metrics=Counter(self.metrics), faults=Counter(self.faults))


class Tab:
    """One open page. Use as an asynchronous context manager; it closes with the connection.

    Args:
        url: Of the dashboard.
        query: The address's query, as "pipeline=7".
        page: The page's name in the address; empty: the first one.
        api_key: To sign in with, where the dashboard asks for one.
    """

    def __init__(self, url: str, *, query: str = "", page: str = "", api_key: str = "") -> None:
        self._url, self._query, self._page, self._api_key = url, query, page, api_key
        self.seen = Seen()
        self._timers: dict[str, tuple[float, asyncio.Task[None]]] = {}
        self._cached: dict[str, None] = {}
        self._widgets: dict[str, str] = {}
        self._script = ""
        self._drawn = asyncio.Event()
        self._reader: asyncio.Task[None] | None = None
        self._connection: ClientConnection | None = None

    async def __aenter__(self) -> Self:
        parts = urlsplit(self._url)
        # As a browser does: the cookie's value is sent as the second protocol.
        async with httpx.AsyncClient(trust_env=False) as plain:
            cookie = (await plain.get(f"{self._url}{_HEALTH}", timeout=30)).cookies.get(_COOKIE, "")
        self._connection = await connect(
            f"ws://{parts.netloc}{_STREAM}",
            origin=Origin(self._url),
            subprotocols=[Subprotocol(each) for each in ("streamlit", cookie) if each],
            additional_headers={"Cookie": f"{_COOKIE}={cookie}"} if cookie else None,
            max_size=_MOST_BYTES,
            proxy=None,
        )
        self._reader = asyncio.create_task(self._read(self._connection))
        await self._ask()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        tasks = [task for _, task in self._timers.values()] + ([self._reader] if self._reader else [])
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._connection is not None:
            await self._connection.close()

    async def drawn(self, seconds: float = 60.0) -> None:
        """Wait until the page has been drawn, after signing in where that is asked for.

        Raises:
            TimeoutError: It was not.
        """
        async with asyncio.timeout(seconds):
            await self._drawn.wait()
            if not self._api_key or "Sign in" not in self._widgets:
                return
            self._drawn.clear()
            await self._sign_in()
            await self._drawn.wait()

    async def _sign_in(self) -> None:
        state = self._state()
        key, button = state.widget_states.widgets.add(), state.widget_states.widgets.add()
        key.id, key.string_value = self._widgets["API key"], self._api_key
        button.id, button.trigger_value = self._widgets.pop("Sign in"), True
        await self._ask(state)

    def _state(self) -> ClientState:
        state = ClientState(query_string=self._query, page_script_hash=self._script)
        if not self._script:
            state.page_name = self._page
        state.cached_message_hashes.extend(self._cached)
        state.context_info.timezone = "UTC"
        return state

    async def _ask(self, state: ClientState | None = None) -> None:
        message = BackMsg()
        message.rerun_script.CopyFrom(state or self._state())
        self.seen.asked += 1
        if self._connection is not None:
            await self._connection.send(message.SerializeToString())

    async def _again(self, fragment: str, interval: float) -> None:
        """Ask for a fragment at its interval, whether or not the one before was answered: as the browser's timer."""
        clock = asyncio.get_running_loop().time
        due = clock() + interval
        while True:
            await asyncio.sleep(max(0.0, due - clock()))
            due += interval
            state = self._state()
            state.fragment_id, state.is_auto_rerun = fragment, True
            await self._ask(state)

    async def _read(self, connection: ClientConnection) -> None:
        try:
            async for raw in connection:
                data = raw.encode() if isinstance(raw, str) else raw
                self.seen.messages += 1
                self.seen.size_bytes += len(data)
                self._take(ForwardMsg.FromString(data))
            self.seen.faults["the connection was closed"] += 1
        except ConnectionClosed as error:
            self.seen.faults[f"the connection was lost: {error}"] += 1

    def _take(self, message: ForwardMsg) -> None:
        match message.WhichOneof("type"):
            case "new_session":
                self._script = message.new_session.page_script_hash
            case "script_finished":
                self._finished(message.script_finished)
            case "delta":
                if message.metadata.cacheable:
                    self._keep(message.hash)
                self._look(message.delta)
            case "auto_rerun":
                self._start_timer(message.auto_rerun.fragment_id, message.auto_rerun.interval)
            case "stop_auto_rerun":
                for fragment in message.stop_auto_rerun.fragment_ids:
                    self._stop_timer(fragment)
            case _:
                pass

    def _finished(self, status: int) -> None:
        if status == _FINISHED.FINISHED_SUCCESSFULLY:
            self.seen.pages += 1
            self._drawn.set()
        elif status == _FINISHED.FINISHED_FRAGMENT_RUN_SUCCESSFULLY:
            self.seen.fragments += 1
        elif status != _FINISHED.FINISHED_EARLY_FOR_RERUN:
            self.seen.faults[f"a run ended with status {status}"] += 1

    def _look(self, delta: Delta) -> None:
        """Note what failed, what is written, and where a key is asked for."""
        if delta.WhichOneof("type") != "new_element":
            return
        element = delta.new_element
        match element.WhichOneof("type"):
            case "exception":
                self.seen.faults[f"{element.exception.type}: {element.exception.message[:200]}"] += 1
            case "alert":
                if element.alert.format == element.alert.ERROR:
                    self.seen.faults[element.alert.body[:200]] += 1
            case "text_input":
                self._widgets[element.text_input.label] = element.text_input.id
            case "button":
                self._widgets[element.button.label] = element.button.id
            case "metric":
                self.seen.metrics[element.metric.label] += 1
            case _:
                pass

    def _keep(self, name: str) -> None:
        self._cached[name] = None
        if len(self._cached) > _MOST_CACHED:
            del self._cached[next(iter(self._cached))]

    def _start_timer(self, fragment: str, interval: float) -> None:
        known = self._timers.get(fragment)
        if known is not None and known[0] == interval:
            return
        self._stop_timer(fragment)
        self._timers[fragment] = (interval, asyncio.create_task(self._again(fragment, interval)))

    def _stop_timer(self, fragment: str) -> None:
        known = self._timers.pop(fragment, None)
        if known is not None:
            known[1].cancel()
