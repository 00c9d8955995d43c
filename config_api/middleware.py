"""What happens around every request: an identifier, a bound on the body."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping

from fastapi import Request
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from config_api.problems import problem
from sentinel.domain.origin import REQUEST_ID, TRACEPARENT
from sentinel.telemetry.context import REQUEST, RequestContext

# In the scope of a request whose body was too large and is left to the application: how long it was, or at least is.
REFUSED_BYTES = "sentinel.refused_bytes"


class RequestIdMiddleware:
    """Give each request an identifier, which its answer, its log lines and the records of its events carry.

    It is the caller's `X-Request-Id`; else the trace id of its `traceparent` (W3C Trace Context); else a new one.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _id_of(Request(scope).headers) or uuid.uuid4().hex
        scope["request_id"] = request_id

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = [pair for pair in message.get("headers", []) if pair[0].lower() != b"x-request-id"]
                message["headers"] = [*headers, (b"x-request-id", request_id.encode())]
            await send(message)

        token = REQUEST.set(RequestContext(request_id))
        try:
            await self._app(scope, receive, send_with_id)
        finally:
            REQUEST.reset(token)


def _id_of(headers: Headers) -> str:
    given = headers.get("x-request-id", "")
    if REQUEST_ID.fullmatch(given):
        return given
    trace = TRACEPARENT.fullmatch(headers.get("traceparent", ""))
    return trace["trace_id"] if trace else ""


class BodyLimitMiddleware:
    """Refuse bodies over a number of bytes, whether or not their length is announced.

    The body is read before the application runs: a caller that sends slowly holds no database connection.

    Args:
        larger: Method and path of requests with another bound.
        judged: Paths whose application is to refuse the request itself: it gets an empty body, and the length in
            `scope[REFUSED_BYTES]`.
    """

    def __init__(
        self,
        app: ASGIApp,
        max_bytes: int,
        larger: Mapping[tuple[str, re.Pattern[str]], int] | None = None,
        judged: re.Pattern[str] | None = None,
    ) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._larger = larger or {}
        self._judged = judged

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        max_bytes = self._limit_of(scope)
        announced = Request(scope).headers.get("content-length", "0")
        if announced.isdigit() and int(announced) > max_bytes:
            await self._refuse(scope, receive, send, max_bytes, int(announced[:18]))
            return
        body = bytearray()
        more = True
        while more:
            message = await receive()
            if message["type"] != "http.request":
                return
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > max_bytes:
                await self._refuse(scope, receive, send, max_bytes, len(body))
                return
        is_given = False

        async def replay() -> Message:
            nonlocal is_given
            if is_given:
                return await receive()
            is_given = True
            return {"type": "http.request", "body": bytes(body), "more_body": False}

        await self._app(scope, replay, send)

    def _limit_of(self, scope: Scope) -> int:
        for (method, path), max_bytes in self._larger.items():
            if scope["method"] == method and path.fullmatch(scope["path"]):
                return max_bytes
        return self._max_bytes

    async def _refuse(self, scope: Scope, receive: Receive, send: Send, max_bytes: int, found: int) -> None:
        if self._judged is not None and self._judged.fullmatch(scope["path"]):
            scope[REFUSED_BYTES] = min(found, 2**31 - 1)

            async def send_last(message: Message) -> None:
                if message["type"] == "http.response.start":
                    message["headers"] = [*message.get("headers", []), (b"connection", b"close")]
                await send(message)

            await self._app(scope, _no_body, send_last)
            return
        answer = problem(
            Request(scope),
            413,
            slug="too-large",
            title="The body is too large",
            detail=f"a body may have {max_bytes} bytes at most ({self._setting(max_bytes)})",
            headers={"Connection": "close"},
        )
        await answer(scope, receive, send)

    def _setting(self, max_bytes: int) -> str:
        return "SENTINEL_API__MAX_BODY_BYTES" if max_bytes == self._max_bytes else "of this upload"


async def _no_body() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}
